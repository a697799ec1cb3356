"""Names: identifiers, which cell type a name means, what a task's name refers to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from cyto_kedro.core.errors import ConfigError

# Parts of names that say what a cell does, or what a channel shows.
_KINDS = {
    "effector": ("tcell", "nkcell", "nk", "ctl", "cart", "effector", "immune", "cd8"),
    "target": ("cancer", "tumor", "tumour", "target", "infected", "hct116"),
}
_MARKERS = {
    "death": ("dead", "death", "pi", "sytox", "casp", "annexin"),
    "live": ("alive", "live", "viab", "calcein"),
}
# Words too short to be looked for inside others.
_WHOLE = {"nk", "pi"}


def plain(name: str) -> str:
    """Lower case, letters and digits only: ``T-Cell`` and ``tcell`` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def identifier(name: str) -> str:
    """The name as a key that Python and folders accept."""
    text = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "channel"
    return text if text.isidentifier() else f"channel_{text}"


def kind_of(name: str) -> str | None:
    """``effector`` or ``target`` by the name of a role, None if it does not say."""
    return _found(name, _KINDS)


def marker_of(name: str) -> str | None:
    """``death`` or ``live`` by the name of a channel, None if it does not say."""
    return _found(name, _MARKERS)


def _found(name: str, kinds: Mapping[str, Sequence[str]]) -> str | None:
    words = {plain(word) for word in re.split(r"[\W_]+", name)}
    text = plain(name)
    for kind, parts in kinds.items():
        for part in parts:
            if part in words or (part not in _WHOLE and part in text):
                return kind
    return None


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'? `` or nothing; upper and lower case are alike."""
    by_text = {plain(one): one for one in known}
    near = get_close_matches(plain(name), by_text, n=1)
    return f"did you mean '{by_text[near[0]]}'? " if near else ""


def misspelt(name: str, known: Iterable[str]) -> bool:
    """Whether a key is so near a known one that it must have been meant."""
    return bool(get_close_matches(plain(name), map(plain, known), n=1, cutoff=0.8))


def bind(task: str, tags: Sequence[str], channels: Sequence[str]) -> str | None:
    """The channel that a task's id begins with, else the one that is among its tags.

    Upper and lower case, separators and the plural are alike: ``tcell_segmentation``
    and the tag ``tcells`` both mean the channel ``TCell``.

    Raises:
        ConfigError: Its id or its tags fit several channels.
    """
    whole = {channel: plain(channel) for channel in channels}
    by_id = [name for name, text in whole.items() if plain(task).startswith(text)]
    longest = max((len(whole[name]) for name in by_id), default=0)
    by_id = [name for name in by_id if len(whole[name]) == longest]
    said = {plain(tag).removesuffix("s") for tag in tags}
    by_tag = [name for name, text in whole.items() if text.removesuffix("s") in said]
    for found in (by_id, by_tag):
        if len(found) > 1:
            raise _unbound(task, found, "fits several channels")
        if found:
            return found[0]
    return None


def _unbound(task: str, choices: Sequence[str], why: str) -> ConfigError:
    return ConfigError(
        f"The task '{task}' {why}",
        where=f"tasks.{task}",
        fix=f"add 'channel: NAME' to the task; NAME is one of: {', '.join(choices)}",
    )


def unbound(task: str, choices: Sequence[str]) -> ConfigError:
    """The error for a task that names no channel."""
    return _unbound(task, choices, "does not say which channel it works on")
