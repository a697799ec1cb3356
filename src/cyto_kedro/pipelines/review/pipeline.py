"""The graph of a movie with a person's verdicts between what is called and its use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.pipelines.review.nodes import (
    review_contacts,
    review_deaths,
    review_kills,
)

#: The answers on one movie.
VERDICTS = "verdicts"
_AS_CALLED = "called."
_KILLING, _CONTACTS = "params:killing", "params:contacts"


def with_review(whole: Pipeline, layout: Layout) -> Pipeline:
    """``whole`` with `review.*` nodes after deaths, contacts and attribution.

    What the analysis calls is then named `called.<dataset>`, and `<dataset>` is what is
    left of it after the review. Divisions are judged in `{role}.tracks` itself, which
    whoever runs this gives as an input.

    Args:
        whole: The pipeline of one movie.
        layout: Roles and channels.
    """
    known = whole.all_outputs()
    parts = [_of_pair(*pair) for pair in layout.pairs]
    parts += [_of_deaths(role) for role in layout.targets]
    if layout.effectors:
        parts += [_of_kills(layout.effectors, role) for role in layout.targets]
    parts = [part for part in parts if part.outputs() <= known]
    judged = {name for part in parts for name in part.outputs()}
    called = [
        Pipeline([n], outputs={x: as_called(x) for x in n.outputs if x in judged})
        for n in whole.nodes
    ]
    return sum([*called, *parts], Pipeline([]))


def as_called(name: str) -> str:
    """Name of a dataset before the review."""
    return _AS_CALLED + name


def before_review(name: str) -> str:
    """The dataset of the run that `as_called` stands for; others as they are."""
    return name.removeprefix(_AS_CALLED)


def _of_deaths(role: str) -> Pipeline:
    judged = {"deaths": f"{role}.deaths@movie", "viability": f"{role}.viability"}
    inputs = {f"called_{key}": as_called(name) for key, name in judged.items()}
    node = Node(
        _bound(review_deaths, role=role),
        [*inputs, VERDICTS, "tracks", "calibration", _KILLING],
        [*judged],
        name=f"deaths_{role}",
    )
    return _placed(node, inputs | {"tracks": f"{role}.tracks"}, judged)


def _of_pair(effector: str, target: str) -> Pipeline:
    name = f"{effector}_{target}.contacts"
    node = Node(
        _bound(review_contacts, effector=effector, target=target),
        ["called", VERDICTS, "effectors", "targets", "calibration", _CONTACTS],
        "contacts",
        name=f"contacts_{effector}_{target}",
    )
    tracks = {"effectors": f"{effector}.tracks", "targets": f"{target}.tracks"}
    return _placed(node, {"called": as_called(name)} | tracks, {"contacts": name})


def _of_kills(effectors: tuple[str, ...], target: str) -> Pipeline:
    tables = {f"contacts_{e}": f"{e}_{target}.contacts" for e in effectors}
    tables |= {f"tracks_{e}": f"{e}.tracks" for e in effectors}
    name = f"{target}.attribution"
    node = Node(
        _bound(review_kills, effectors=effectors, target=target),
        ["called", VERDICTS, "calibration", _KILLING, *tables],
        ["attribution", "killers"],
        name=f"kills_{target}",
    )
    outputs = {"attribution": name, "killers": f"{target}.killers@movie"}
    return _placed(node, {"called": as_called(name)} | tables, outputs)


def _placed(node: Node, inputs: dict[str, str], outputs: dict[str, str]) -> Pipeline:
    parameters = {name for name in node.inputs if name.startswith("params:")}
    return Pipeline(
        [node],
        namespace="review",
        inputs=inputs | {VERDICTS: VERDICTS, "calibration": "calibration"},
        outputs=outputs,
        parameters=parameters,
    )


def _bound(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """``function`` with layout facts bound; Kedro still reads its name and hints."""
    return update_wrapper(partial(function, **fixed), function)
