"""Runs one movie's graph for every movie, with any Kedro runner doing the nodes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner, ParallelRunner

from cyto_kedro.core.atomic import remove_leftovers
from cyto_kedro.core.errors import ConfigError, MoviesFailed
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.locks import locked
from cyto_kedro.core.tags import movie_tag
from cyto_kedro.runners.experiment import MovieRecord, split_by_level

logger = logging.getLogger(__name__)


class MovieRunner(AbstractRunner):
    """Loops over movies, then runs the experiment-level nodes once.

    A failing movie is reported and does not take the others down; the run as a whole
    then fails at the end.

    Args:
        inner: The Kedro runner that executes the nodes of one movie.
        movies: Gives the movies to run.
        catalog_for: Gives the catalog of one movie, or of the experiment for None.
        stale: Gives the names of the nodes whose outputs are missing or outdated.
        record: Told what happened.
        account_for: Told which nodes were up to date, with their catalog.
    """

    def __init__(
        self,
        inner: AbstractRunner,
        movies: Callable[[], tuple[Movie, ...]],
        catalog_for: Callable[[Movie | None], CatalogProtocol],
        stale: Callable[[Pipeline, CatalogProtocol], set[str]],
        record: MovieRecord,
        account_for: Callable[[Pipeline, CatalogProtocol], None] | None = None,
    ) -> None:
        if isinstance(inner, ParallelRunner):
            raise ConfigError(
                "ParallelRunner starts a process per node and loses the run's record",
                where="--runner",
                fix="leave --runner away: image work already uses all granted cores",
            )
        super().__init__(is_async=inner._is_async)
        self._inner, self._movies, self._catalog_for = inner, movies, catalog_for
        self._stale, self._record = stale, record
        self._account_for = account_for

    def run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: Any = None,
        run_id: str | None = None,
        only_missing_outputs: bool = False,
    ) -> dict[str, Any]:
        """Run the pipeline over all movies.

        Raises:
            MoviesFailed: Some movies failed; the message names each with its cause.
        """
        per_movie, joint = split_by_level(pipeline)
        failed: dict[str, str] = {}
        movies = self._movies()
        for number, movie in enumerate(movies, start=1):
            if not per_movie.nodes:
                break
            logger.info("Movie %s (%d of %d)", movie.id, number, len(movies))
            self._record.begin_movie(movie.id)
            try:
                lock = self._record.scratch_lock(movie)
                with locked(lock):
                    remove_leftovers(lock.parent)
                    self._run_movie(
                        per_movie, movie, hook_manager, run_id, only_missing_outputs
                    )
            except Exception as exc:
                failed[movie.id] = self._record.end_movie(movie.id, exc)
                logger.error("Movie %s failed: %s", movie.id, failed[movie.id])
            else:
                self._record.end_movie(movie.id, None)
        if joint.nodes and len(failed) < len(movies):
            self._inner.run(joint, self._catalog_for(None), hook_manager, run_id)
        if failed:
            listing = "\n".join(f"  - {name}: {why}" for name, why in failed.items())
            raise MoviesFailed(
                f"{len(failed)} of {len(movies)} movies failed:\n{listing}",
                fix="mend the cause and run again with --only-missing-outputs: what "
                "is complete is not computed again",
            )
        return {}

    def _run_movie(
        self,
        pipeline: Pipeline,
        movie: Movie,
        hook_manager: Any,
        run_id: str | None,
        only_stale: bool,
    ) -> None:
        catalog = self._catalog_for(movie)
        if only_stale:
            names = self._stale(pipeline, catalog)
            fresh = [node.name for node in pipeline.nodes if node.name not in names]
            logger.info(
                "%d of %d nodes are up to date", len(fresh), len(pipeline.nodes)
            )
            self._record.skipped(movie.id, fresh)
            if self._account_for is not None:
                kept = [n for n in pipeline.nodes if n.name not in names]
                tags = movie_tag(movie.id)
                self._account_for(Pipeline(kept, tags=tags), catalog)
            pipeline = Pipeline([n for n in pipeline.nodes if n.name in names])
        tagged = Pipeline(pipeline.nodes, tags=movie_tag(movie.id))
        self._inner.run(tagged, catalog, hook_manager, run_id)

    def _get_executor(self, max_workers: int) -> Executor | None:
        return None  # the inner runner executes

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: Any = None,
        run_id: str | None = None,
    ) -> None:
        self._inner._run(pipeline, catalog, hook_manager, run_id)
