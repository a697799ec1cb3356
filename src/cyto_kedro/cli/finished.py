"""A finished run as commands see it: its movies, and what it left of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from kedro.framework.startup import ProjectMetadata
from kedro.io import CatalogProtocol

from cyto_kedro.cli.project import open_context
from cyto_kedro.cli.runs import Run, all_runs, find
from cyto_kedro.config import CytoConfigLoader
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.nearest import choose
from cyto_kedro.core.scope import Scope
from cyto_kedro.core.uri import Place
from cyto_kedro.provenance.fingerprint import output_files
from cyto_kedro.provenance.manifest import describes, read_manifest
from cyto_kedro.provenance.run_ids import LATEST
from cyto_kedro.provenance.sidecar import Sidecar, read_sidecar


class HasCatalog(Protocol):
    """A Kedro context, or what stands for one."""

    @property
    def catalog(self) -> CatalogProtocol:
        """Datasets for the loader's present scope."""


@dataclass(frozen=True)
class FinishedRun:
    """What a run left, read through the catalog of its configuration."""

    context: HasCatalog
    loader: CytoConfigLoader
    run: Run

    @classmethod
    def open(cls, metadata: ProjectMetadata, run_id: str, env: str | None) -> Any:
        """A run by its id; the last one is the newest complete one of the environment.

        Raises:
            ConfigError: There is no such run, or it is another environment's.
        """
        context, loader = open_context(metadata, env)
        last = _newest_complete(loader.layout, env) if run_id in LATEST else None
        run = cls(context, loader, last or find(loader.layout, run_id))
        run._refuse_other_environment()
        return run

    def _refuse_other_environment(self) -> None:
        gone = sorted(set(self.movies()) - set(self.loader.experiment.ids))
        if gone:
            env = self.record.get("env")
            named = f"--env {env}" if env else "no --env"
            raise ConfigError(
                f"Movies of run {self.run.id} are not in the sheet: {', '.join(gone)}",
                where=str(self.loader.experiment.sheet),
                fix=f"the run was made with {named}; or put them back into the sheet",
            )

    @property
    def layout(self) -> Layout:
        """Roles and channels, as configured now."""
        return self.loader.layout

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self.run.folder

    @cached_property
    def record(self) -> dict[str, Any]:
        """`run_metadata.json`."""
        record = self.run.metadata()
        if "pipeline" not in record:
            raise InputError("The run has no readable record", where=str(self.folder))
        return record

    def movies(self, only: str | None = None) -> list[str]:
        """Movies that the run finished, or the one that is asked for.

        Raises:
            ConfigError: The run has no such movie.
        """
        done = [m["movie"] for m in self.record["movies"] if m["status"] == "completed"]
        if only is None:
            return done
        if only not in done:
            raise ConfigError(
                f"The run has no finished movie '{only}'",
                where=str(self.folder),
                fix=choose(only, done),
            )
        return [only]

    def catalog(self, movie: str | None = None) -> Any:
        """The catalog of this run and one movie."""
        scope = Scope(str(self.record["pipeline"]), self.run.id)
        if movie is not None:
            chosen = self.loader.experiment[movie]
            scope = replace(scope, movie=chosen.id, dataset=chosen.dataset)
        self.loader.scope = scope
        return self.context.catalog

    def load(self, name: str, movie: str | None = None) -> Any:
        """A dataset as this run left it.

        Raises:
            InputError: It is not there, or a later run or a hand has changed it.
        """
        catalog = self.catalog(movie)
        dataset: Any = catalog.get(name)
        if dataset is None or not dataset.exists():
            raise InputError(
                f"'{name}' is not there",
                where=f"run {self.run.id}" + (f", movie {movie}" if movie else ""),
                fix="the run did not make it, or scratch was purged; run again",
            )
        for place in output_files(self.catalog(movie), name)[:1]:
            self._refuse_other(name, movie, place)
        return dataset.load()

    def path(self, name: str, movie: str | None = None) -> Path:
        """Where a dataset lies.

        Raises:
            InputError: It lies on no disk.
        """
        dataset: Any = self.catalog(movie).get(name)
        if getattr(dataset, "place", None) is not None:
            raise InputError(
                f"'{name}' is needed as a file",
                where=dataset.where,
                fix="load it and save it to a disk first, or give it a path",
            )
        return Path(dataset.path)

    def data_type(self, name: str, movie: str | None = None) -> str | None:
        """Image, Label, Table, Network or Arbitrary; None of a dataset without."""
        return getattr(self.catalog(movie).get(name), "data_type", None)

    def origin(self, name: str, movie: str | None = None) -> Sidecar | None:
        """The sidecar of a dataset as it lies there now, on a disk or elsewhere."""
        places = output_files(self.catalog(movie), name)[:1]
        return read_sidecar(places[0]) if places else None

    def has(self, name: str, movie: str | None = None) -> bool:
        """Whether the run left a dataset."""
        dataset: Any = self.catalog(movie).get(name)
        return dataset is not None and bool(dataset.exists())

    @cached_property
    def _listed(self) -> dict[tuple[str, str | None], dict[str, Any]]:
        """Each output as the manifest lists it; empty if there is none."""
        outputs = (read_manifest(self.folder) or {}).get("outputs", [])
        return {(item["dataset"], item["movie"]): item for item in outputs}

    def _refuse_other(self, name: str, movie: str | None, path: Path | Place) -> None:
        """Scratch holds the latest run of each movie, which may be another one."""
        sidecar = read_sidecar(path)
        known = self._listed.get((name, movie))
        if sidecar is not None and known is not None and not describes(known, sidecar):
            raise InputError(
                f"'{name}' of movie {movie} was made again by run {sidecar.run_id}",
                where=str(path),
                fix=f"take that run, or repeat run {self.run.id}",
            )


def _newest_complete(layout: Layout, env: str | None) -> Run | None:
    """The newest complete run of an environment, of any workflow."""
    for _, folder in sorted(all_runs(layout).items(), reverse=True):
        record = Run(folder).metadata()
        if record.get("status") == "completed" and record.get("env") == env:
            return Run(folder)
    return None
