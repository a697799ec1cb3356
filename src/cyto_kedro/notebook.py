"""A run's results in a notebook, traceable to the run: ``load_run``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework import project as framework
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.utils import find_kedro_project

from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.cli.runs import Run
from cyto_kedro.config import MAIN_WORKFLOW, CytoConfigLoader
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.scope import latest_complete_run, run_folder
from cyto_kedro.provenance.hashing import sha256_of
from cyto_kedro.provenance.manifest import MANIFEST, path_of, read_manifest
from cyto_kedro.provenance.run_ids import LATEST, find_run

# How the catalog names the copy of one movie.
_OF_MOVIE = "@movie"
_FROM_METADATA = (
    *("run_id", "pipeline", "status", "started_at", "completed_at"),
    *("git_sha", "git_dirty", "env", "command", "packages"),
)


def load_run(
    run_id: str = LATEST[0],
    workflow: str = MAIN_WORKFLOW,
    project: Path | str | None = None,
    env: str | None = None,
) -> LoadedRun:
    """What a finished run left, for notebooks and scripts.

    Works with and without ``%load_ext kedro.ipython``, and leaves its session alone.

    Args:
        run_id: Id of a run; ``last``: the newest one that is complete.
        workflow: Pipeline that was run.
        project: The project's folder, or one below it; the working directory by
            default.
        env: Kedro environment that the run had.

    Raises:
        ConfigError: There is no project here, or no such run.
    """
    start = Path(project or Path.cwd()).resolve()
    root = find_kedro_project(start)
    if root is None:
        raise ConfigError(
            "There is no project here, nor in any folder above",
            where=str(start),
            fix="load_run(project='/path/to/the/project')",
        )
    loader = _configuration(Path(root), env)
    folder = _folder_of(loader.layout.output_root, workflow, run_id)
    return LoadedRun(FinishedRun(_Catalogs(loader), loader, Run(folder)))


@dataclass(frozen=True)
class LoadedRun:
    """A finished run: tables, figures, metadata and where each came from.

    Nothing is read before it is asked for.
    """

    _finished: FinishedRun

    @property
    def id(self) -> str:
        """The run's id."""
        return self._finished.run.id

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self._finished.folder

    @property
    def metadata(self) -> dict[str, Any]:
        """`run_metadata.json`: parameters, timings, packages; yours to change."""
        return self._finished.run.metadata()

    @property
    def movies(self) -> tuple[str, ...]:
        """Movies that the run finished, in the order of its sheet."""
        return tuple(self._finished.movies())

    @property
    def tables(self) -> tuple[str, ...]:
        """Names that :meth:`table` knows."""
        names = {
            _plain(item["dataset"])
            for item in self._outputs.values()
            if item["uri"].endswith(".parquet")
        }
        return tuple(sorted(names))

    @property
    def report(self) -> Path:
        """The report, a page for the browser."""
        return self.folder / "report.html"

    def table(self, name: str, movie: str | None = None) -> pd.DataFrame:
        """A table by the catalog's name, such as ``cancer.deaths``.

        Args:
            name: One of :attr:`tables`.
            movie: One movie; without, all of them below each other, and the first
                column is ``movie``.

        Raises:
            ConfigError: The run made no such table, or has no such movie.
            InputError: It is gone, or a later run or a hand has changed it.
        """
        if name not in self.tables and not self._was_up_to_date(name):
            raise ConfigError(
                f"The run has no table '{name}'",
                where=f"run {self.id}",
                fix=f"choose one of: {', '.join(self.tables)}",
            )
        if (name, None) in self._outputs:
            return self._frame(name, None)
        if movie is not None:
            return self._frame(name, self._finished.movies(movie)[0])
        if not self.movies:
            raise InputError("The run finished no movie", where=str(self.folder))
        frames = {one: self._frame(name, one) for one in self.movies}
        return _below_each_other(frames)

    def load(self, name: str, movie: str | None = None) -> Any:
        """Any dataset of the run: masks and images (lazy), networks, tables.

        Args:
            name: The catalog's name, such as ``cancer.labels``.
            movie: The movie; None for what is made once per run.

        Raises:
            ConfigError: The run has no such movie.
            InputError: The run did not make it, it is gone, or a later run or a hand
                has changed it.
        """
        if movie is not None:
            self._finished.movies(movie)
        made = self._outputs.get((name, movie))
        if made is not None:
            return self._finished.load(made["dataset"], movie)
        found = self._finished.load(name, movie)
        self._refuse_later(name, movie)
        return found

    def figures(self, movie: str | None = None) -> dict[str, Path]:
        """SVG files by name, of the experiment or of one movie."""
        folder = self.folder if movie is None else self.folder / movie
        found = sorted((folder / "figures").glob("*.svg"))
        return {path.stem: path for path in found}

    def provenance(
        self, name: str | None = None, movie: str | None = None
    ) -> dict[str, Any]:
        """Where the run, or one of its outputs, came from.

        Args:
            name: An output; without, the run.
            movie: Movie of the output.

        Returns:
            Of the run: id, code, packages, command, and by path the SHA-256 of each
            input and configuration file. Of an output: its sidecar (node, parameters,
            inputs and content by hash).

        Raises:
            InputError: The run has no manifest, or made no such output.
        """
        if name is not None:
            made = self._outputs.get((_plain(name), movie))
            if made is None:
                raise InputError(
                    f"The run made no '{name}'"
                    + (f" of movie {movie}" if movie else ""),
                    where=str(self.folder / MANIFEST),
                )
            return dict(made)
        manifest, record = self._manifest, self.metadata
        hashes = {
            kind: {str(path_of(item["uri"])): item["sha256"] for item in manifest[kind]}
            for kind in ("inputs", "configuration")
        }
        return {
            **{key: record.get(key) for key in _FROM_METADATA},
            "folder": str(self.folder),
            "manifest_sha256": sha256_of(self.folder / MANIFEST),
            **hashes,
        }

    def __repr__(self) -> str:
        record = self.metadata
        return (
            f"<run {self.id} of '{record.get('pipeline')}': {record.get('status')}, "
            f"{len(self.movies)} movies, {self.folder}>"
        )

    def _was_up_to_date(self, name: str) -> bool:
        """Whether a table of scratch is there that the run had not to make again."""
        return any(
            self._finished.has(name, movie)
            and self._finished.data_type(name, movie) == "Table"
            for movie in self.movies[:1]
        )

    def _refuse_later(self, name: str, movie: str | None) -> None:
        """What the manifest does not list was up to date: made before, not after."""
        sidecar = self._finished.origin(name, movie)
        if sidecar is not None and sidecar.run_id > self.id:
            raise InputError(
                f"'{name}' of movie {movie} was made again by run {sidecar.run_id}",
                where=f"run {self.id}",
                fix="take that run",
            )

    def _frame(self, name: str, movie: str | None) -> pd.DataFrame:
        frame: pd.DataFrame = self.load(name, movie)
        return frame

    @property
    def _manifest(self) -> dict[str, Any]:
        manifest = read_manifest(self.folder)
        if manifest is None:
            raise InputError(
                "The run has no manifest: it was killed",
                where=str(self.folder),
                fix="run again",
            )
        return manifest

    @property
    def _outputs(self) -> dict[tuple[str, str | None], dict[str, Any]]:
        """Entries of the manifest by (name, movie)."""
        return {
            (_plain(item["dataset"]), item["movie"]): item
            for item in self._manifest["outputs"]
        }


@dataclass(frozen=True)
class _Catalogs:
    """Catalogs of a configuration, without a session: no hooks, no parameters."""

    loader: CytoConfigLoader

    @property
    def catalog(self) -> DataCatalog:
        """The catalog for the loader's present scope."""
        return DataCatalog.from_config(self.loader["catalog"])


def _configuration(root: Path, env: str | None) -> CytoConfigLoader:
    """The project's configuration, beside that of a session that may be running."""
    if framework.PACKAGE_NAME is None:
        bootstrap_project(root)
    active = CytoConfigLoader.active
    try:
        settings = framework.settings
        return CytoConfigLoader(
            str(root / settings.CONF_SOURCE), env=env, **settings.CONFIG_LOADER_ARGS
        )
    finally:
        if active is not None:
            CytoConfigLoader.active = active


def _folder_of(output_root: Path, workflow: str, run_id: str) -> Path:
    if run_id not in LATEST:
        return run_folder(
            output_root, workflow, find_run(output_root, workflow, run_id)
        )
    newest = latest_complete_run(output_root, workflow)
    if newest is None:
        raise ConfigError(
            f"There is no complete run of '{workflow}'",
            where=str(output_root / workflow),
            fix="kedro run; or name an unfinished run by its id",
        )
    return run_folder(output_root, workflow, newest)


def _below_each_other(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of several movies as one; without any row, columns and types are kept."""
    named = {
        movie: frame if "movie" in frame else frame.assign(movie=movie)
        for movie, frame in frames.items()
    }
    filled = [frame for frame in named.values() if len(frame)]
    whole = pd.concat(filled or list(named.values())[:1], ignore_index=True)
    rest = [column for column in whole if column != "movie"]
    return whole[["movie", *rest]]


def _plain(dataset: str) -> str:
    return dataset.removesuffix(_OF_MOVIE)
