"""What a runner of a whole experiment gets from the session."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import AbstractRunner

from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.tags import EXPERIMENT


class MovieRecord(Protocol):
    """What a runner tells about the fate of each movie."""

    @property
    def folder(self) -> Path:
        """The run's folder."""

    def scratch_lock(self, movie: Movie) -> Path:
        """Path of the lock that protects the movie's scratch folder."""

    def begin_movie(self, movie: str) -> None:
        """The nodes of this movie start."""

    def end_movie(self, movie: str, error: Exception | None) -> str:
        """The movie is done, or failed; return one line that says where."""

    def skipped(self, movie: str, nodes: Iterable[str]) -> None:
        """These nodes were not run: their outputs are up to date."""

    def merge(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Add what workers measured: one entry per node and movie."""

    def collected(self) -> list[dict[str, Any]]:
        """What this process measured, to be merged elsewhere."""

    def note(self, key: str, value: Any) -> None:
        """Put a fact about how the run was executed into its metadata."""


class Outputs(Protocol):
    """Provenance of outputs that several workers write together."""

    def fingerprint(self, node: Node, catalog: CatalogProtocol) -> str:
        """What the node's outputs depend on, as a hash."""

    def replace(
        self, name: str, node: Node, catalog: CatalogProtocol, publish: Callable
    ) -> None:
        """Publish one output: set aside an edited one before, write a sidecar after."""

    def is_current(self, node: Node, catalog: CatalogProtocol) -> bool:
        """Whether all outputs of a node are there as this run makes them."""

    def account_for(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Enter what workers read and wrote into the manifest of this process."""


@dataclass(frozen=True)
class RunContext:
    """One run: where it is, what it runs on, and who keeps its record.

    ``movies``, ``catalog_for`` and ``config`` work once the session has its context.
    """

    project: Path
    conf_source: Path
    env: str | None
    runtime_params: dict[str, Any]
    pipeline_names: tuple[str, ...]
    workflow: str
    run_id: str
    movies: Callable[[], tuple[Movie, ...]]
    catalog_for: Callable[[Movie | None], CatalogProtocol]
    config: Callable[[str], dict[str, Any]]
    stale: Callable[..., set[str]]
    record: MovieRecord
    outputs: Outputs
    environment: dict[str, str] = field(default_factory=dict)


class ExperimentRunner(AbstractRunner):
    """A runner that knows movies: the session binds it to the run before it starts.

    Any other Kedro runner is wrapped in a :class:`~cyto_kedro.runners.MovieRunner`.
    """

    _context: RunContext | None = None
    #: Set by a worker: the run id of its driver.
    joins_run: str | None = None
    #: ``last`` or a run id to go on with.
    resume: str | None = None
    #: Show what would be done; nothing is run or written.
    dry_run: bool = False

    def bind(self, context: RunContext) -> None:
        """Take the run that is about to start."""
        self._context = context

    def wants_private_scratch(self, config: Mapping[str, Any]) -> bool:
        """Whether intermediates go to a disk of this run, deleted at its end."""
        return False

    @property
    def context(self) -> RunContext:
        """The run.

        Raises:
            RuntimeError: The runner was called outside a session of this project.
        """
        if self._context is None:
            raise RuntimeError(
                f"{type(self).__name__} runs inside a session of this project only"
            )
        return self._context

    @abstractmethod
    def run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: Any = None,
        run_id: str | None = None,
        only_missing_outputs: bool = False,
    ) -> dict[str, Any]:
        """Run one movie's graph for every movie, then the experiment-level nodes."""

    def _get_executor(self, max_workers: int) -> Executor | None:
        return None  # Kedro's own loop over nodes is not used

    def _run(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("an ExperimentRunner replaces run() as a whole")


def split_by_level(pipeline: Pipeline) -> tuple[Pipeline, Pipeline]:
    """The nodes that run for each movie, and those that run once."""
    joint = [node for node in pipeline.nodes if EXPERIMENT in node.tags]
    single = [node for node in pipeline.nodes if EXPERIMENT not in node.tags]
    return Pipeline(single), Pipeline(joint)
