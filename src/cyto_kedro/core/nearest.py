"""What somebody may have meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 3
_LISTED = 20


def nearest(wanted: str, known: Iterable[str], most: int = _MOST) -> list[str]:
    """The names most like ``wanted``: those that go on from it first."""
    names = list(dict.fromkeys(known))
    longer = [name for name in names if wanted and name.startswith(wanted)]
    alike = get_close_matches(wanted, names, n=most, cutoff=0.6)
    return list(dict.fromkeys([*longer, *alike]))[:most]


def did_you_mean(wanted: str, known: Iterable[str], most: int = _MOST) -> str:
    """``did you mean 'a' or 'b'?``; empty if nothing is like it."""
    names = [f"'{name}'" for name in nearest(wanted, known, most)]
    return f"did you mean {' or '.join(names)}?" if names else ""


def choose(wanted: str, known: Iterable[str]) -> str:
    """What to do about an unknown name: the nearest ones, then what there is."""
    names = list(known)
    more = len(names) - _LISTED
    listed = ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
    near = did_you_mean(wanted, names)
    told = f"there are: {listed}" if names else "there is none"
    return f"{near} {told}" if near else told
