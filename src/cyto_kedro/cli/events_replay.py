"""The analysis of a run again, with the verdicts of a person in it.

The nodes are those of the run, with its parameters; what no verdict can change is read
from the run, and what follows from a verdict is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline
from kedro.validation.parameter_validator import ParameterValidator

from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import EXPERIMENT
from cyto_kedro.methods.reporting.lineage import correct_divisions, renamed
from cyto_kedro.pipeline_registry import MAIN_WORKFLOW, pipelines_of
from cyto_kedro.pipelines.review import with_review
from cyto_kedro.pipelines.review.pipeline import VERDICTS, as_called, before_review

Data = dict[str, Any]
_PARAMETERS = "params:"


@dataclass(frozen=True)
class Replayed:
    """What followed from the verdicts.

    Attributes:
        movies: Dataset name -> data for each movie with verdicts.
        experiment: The same of the tables over all movies.
        divisions: Role -> number of divisions before and after.
        notes: (movie, sentence) that a person should know.
    """

    movies: dict[str, Data]
    experiment: Data
    divisions: dict[str, tuple[int, int]]
    notes: list[tuple[str, str]]


def replay(run: FinishedRun, judged: pd.DataFrame) -> Replayed:
    """Everything that hangs on the answers, made again.

    Not made again are figures, cards and the report, and the sensitivity grid: it asks
    what other thresholds would call, which a person's verdict does not have.

    Args:
        run: The run that the questions are about.
        judged: Table REVIEW with ``answer`` and ``corrected_frame``.
    """
    layout = run.layout
    nodes = [
        node
        for node in pipelines_of(layout)[MAIN_WORKFLOW].nodes
        if "reporting" not in node.tags and not node.name.endswith(".sensitivity")
    ]
    once = Pipeline([node for node in nodes if EXPERIMENT in node.tags])
    each = Pipeline([node for node in nodes if EXPERIMENT not in node.tags])
    each = with_review(each, layout)
    parameters = _parameters(run, [each, once])
    answered = judged[judged["answer"] != ""]
    movies: dict[str, Data] = {}
    notes: list[tuple[str, str]] = []
    counts: dict[str, list[tuple[int, int]]] = {}
    for movie in run.movies():
        own = answered[answered["movie"] == movie]
        if own.empty:
            continue
        given, said = _lineage(run, movie, own)
        notes += [(movie, note) for note in said]
        for role, (before, after) in _divisions(run, movie, given).items():
            counts.setdefault(role, []).append((before, after))
        start = [*(name for name in given if name != VERDICTS), *_asked(own, layout)]
        made = _run(each, start, given, _loader(run, movie, parameters))
        tracks = {name: table for name, table in given.items() if name != VERDICTS}
        movies[movie] = tracks | made
    totals = {
        role: (sum(b for b, _ in pairs), sum(a for _, a in pairs))
        for role, pairs in counts.items()
    }
    return Replayed(movies, _over_movies(run, once, movies, parameters), totals, notes)


def _lineage(
    run: FinishedRun, movie: str, own: pd.DataFrame
) -> tuple[Data, tuple[str, ...]]:
    """Corrected tracks, and the answers with the tracks' present names."""
    given: Data = {}
    notes: tuple[str, ...] = ()
    verdicts = own.copy()
    for role in run.layout.roles:
        divisions = own[(own["kind"] == "division") & (own["role"] == role)]
        if divisions.empty:
            continue
        called = run.load(f"{role}.tracks", movie)
        found = correct_divisions(called, divisions)
        given[f"{role}.tracks"] = found.tracks
        notes += tuple(f"{role}: {note}" for note in found.notes)
        for whose, column in (("role", "track_id"), ("other_role", "other_track_id")):
            rows = (own[whose] == role) & (own["kind"] != "division")
            now = renamed(own[rows], called, found.tracks, column)
            verdicts.loc[rows, column] = now.astype(own[column].dtype)
    return given | {VERDICTS: verdicts}, notes


def _divisions(run: FinishedRun, movie: str, given: Data) -> dict[str, tuple[int, int]]:
    def number(tracks: pd.DataFrame) -> int:
        return int(tracks["parent_track_id"].nunique())

    return {
        role: (number(run.load(name, movie)), number(given[name]))
        for role in run.layout.roles
        if (name := f"{role}.tracks") in given
    }


def _asked(own: pd.DataFrame, layout: Layout) -> list[str]:
    """Datasets as called, that the answers speak of."""
    pairs = set(zip(own["kind"], own["role"], own["other_role"], strict=True))
    names = [as_called(f"{a}_{b}.contacts") for k, a, b in pairs if k == "contact"]
    for role in layout.targets:
        kinds = set(own.loc[own["role"] == role, "kind"])
        if "death" in kinds:
            names.append(as_called(f"{role}.deaths@movie"))
        if "kill" in kinds:
            names.append(as_called(f"{role}.attribution"))
    return sorted(names)


def _loader(
    run: FinishedRun, movie: str | None, parameters: Data
) -> Callable[[str], Any]:
    """How a dataset or parameter of the run is read."""

    def load(name: str) -> Any:
        if not name.startswith(_PARAMETERS):
            return run.load(before_review(name), movie)
        value: Any = parameters
        for key in name.removeprefix(_PARAMETERS).split("."):
            value = value[key]
        return value

    return load


def _run(
    pipeline: Pipeline,
    start: Iterable[str],
    given: Data,
    load: Callable[[str], Any],
) -> Data:
    """What the nodes after ``start`` make, without what was made for a review."""
    part = pipeline.from_inputs(*start)
    data = {
        name: given[name] if name in given else load(name) for name in part.inputs()
    }
    for node in part.nodes:
        data |= node.run({name: data[name] for name in node.inputs})
    return {n: data[n] for n in part.all_outputs() if before_review(n) == n}


def _over_movies(
    run: FinishedRun, once: Pipeline, movies: dict[str, Data], parameters: Data
) -> Data:
    """The tables over all movies, from the corrected and the other movies."""
    changed = {name for made in movies.values() for name in made}

    def own(name: str) -> str:
        return name.replace("@all", "@movie")

    asked = [n for n in once.inputs() if n.endswith("@all") and own(n) in changed]
    if not asked:
        return {}

    of_run = _loader(run, None, parameters)

    def load(name: str) -> Any:
        if not name.endswith("@all"):
            return of_run(name)
        return {
            movie: movies[movie][own(name)]
            if own(name) in movies.get(movie, {})
            else run.load(own(name), movie)
            for movie in run.movies()
        }

    return _run(once, sorted(asked), {}, load)


def _parameters(run: FinishedRun, pipelines: list[Pipeline]) -> Data:
    """The run's parameters as its nodes take them."""
    known = {str(number): pipeline for number, pipeline in enumerate(pipelines)}
    return ParameterValidator(known).validate_raw_params(run.record["parameters"])
