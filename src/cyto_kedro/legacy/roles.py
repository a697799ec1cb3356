"""Which cells kill and which are killed: from names, pairs and the user's word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.names import marker_of
from cyto_kedro.legacy.state import State

_OTHER = {"effector": "target", "target": "effector"}


def kinds_of(state: State) -> dict[str, str]:
    """The kind of every role.

    Names say it, else ``role:`` of the segmentation item, else the partner in contact
    measures, else their order: effectors first.

    Raises:
        ConfigError: Two roles whose contacts are wanted are of one kind.
    """
    kinds = dict(state.kinds)
    for pair in state.pairs:
        for one, partner in (pair, pair[::-1]):
            if one not in kinds and partner in kinds:
                kinds[one] = _OTHER.get(kinds[partner], "other")
                _told(state, one, kinds[one], f"the partner of '{partner}'")
        if pair[0] not in kinds:
            kinds |= {pair[0]: "effector", pair[1]: "target"}
            _told(state, pair[0], "effector", "first of its pair")
            _told(state, pair[1], "target", "second of its pair")
        if {kinds[one] for one in pair} != {"effector", "target"}:
            said = ", ".join(f"{one} is {kinds[one]}" for one in pair)
            raise ConfigError(
                f"Contacts are between an effector and a target, but {said}",
                where="pipeline.segmentation",
                fix=f"add 'role: effector' or 'role: target' to the items that segment "
                f"{pair[0]} and {pair[1]}",
            )
    for role in state.roles:
        if role not in kinds:
            kinds[role] = "other"
            _told(state, role, "other", "nothing says more; add 'role:' to its item")
        elif role in state.kinds:
            state.report.add(f"role {role}", "mapped", f"roles.{role}", kinds[role])
    return {role: kinds[role] for role in state.roles}


def _told(state: State, role: str, kind: str, why: str) -> None:
    state.report.add(
        f"role {role}", "changed", f"roles.{role}.kind", f"{kind}: guessed, {why}"
    )


def finish_pairs(state: State, kinds: dict[str, str]) -> None:
    """Name pairs with the effector first, in files and nodes."""

    def name(first: str, second: str) -> str:
        both = (first, second) if kinds[first] == "effector" else (second, first)
        return "_".join(both)

    for path, artefact in state.artefacts.items():
        if artefact.kind in ("contacts", "pairs", "pairs_image"):
            pair = name(artefact.role, artefact.channel)
            filled = tuple(d.replace("<pair>", pair) for d in artefact.datasets)
            state.artefacts[path] = replace(artefact, datasets=filled)
    for task, nodes in state.nodes.items():
        found: list[str] = []
        for node in nodes:
            first, dash, second = node.strip("<>").partition("-")
            if node.startswith("<") and dash:
                pair = name(first, second)
                found += [f"{pair}.{part}" for part in ("measure", "episodes")]
            else:
                found.append(node)
        state.nodes[task] = list(dict.fromkeys(found))


def markers_of(state: State, channels: Iterable[str]) -> dict[str, Any]:
    """Channels whose names say that they show death or life, where it matters."""
    markers: dict[str, Any] = {}
    if not state.options.markers and "killing" not in state.pipelines:
        return markers
    for channel in channels:
        kind = marker_of(channel)
        if kind is not None and kind not in markers and channel not in state.roles:
            markers[kind] = {"channel": channel, "kind": kind}
            state.report.add(
                f"channels.{channel}", "mapped", f"markers.{kind}", "by its name"
            )
    return markers
