"""What a trial of the benchmark is, and the folders that are its own.

A *trial* does the nodes of one stage on some movies with N jobs. Its inputs are links
to what the run made, its outputs go to a scratch and an output root of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from cyto_kedro.core.errors import CytoError
from cyto_kedro.core.experiment import Movie
from cyto_kedro.core.scope import BENCHMARK_TRIALS
from cyto_kedro.core.tags import FRAME_WISE
from cyto_kedro.runners.experiment import RunContext

SCRATCH_VARIABLE = "CYTO_KEDRO_SCRATCH_ROOT"
OUTPUT_VARIABLE = "CYTO_KEDRO_OUTPUT_ROOT"


class TrialFailed(CytoError):
    """A trial could not be set up."""


@dataclass(frozen=True)
class Trial:
    """One repetition of a stage with N jobs on some movies.

    ``pipeline`` are the production nodes of the stage, ``window`` the number of frames
    in a unit of a frame-wise node. ``warm_up`` as in :class:`units.Base`.
    """

    stage: str
    pipeline: Pipeline
    n_jobs: int
    replicate: int
    movies: tuple[Movie, ...]
    window: int
    warm_up: bool = True

    @property
    def name(self) -> str:
        """Folder name."""
        return f"N{self.n_jobs}_r{self.replicate}"


@dataclass(frozen=True)
class TrialResult:
    """Plain rows: one per unit, and the facts of the trial."""

    units: list[dict[str, Any]]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Places:
    """The roots of the run, and those of a trial that stand for them."""

    scratch: Path
    output: Path
    private: Path

    @classmethod
    def of_trial(cls, context: RunContext, trial: Trial) -> Places:
        """A folder of its own below the scratch root."""
        roots = context.config("globals")
        scratch = Path(roots["scratch_root"]).absolute()
        private = scratch / BENCHMARK_TRIALS / context.run_id / trial.stage / trial.name
        return cls(scratch, Path(roots["output_root"]).absolute(), private)

    @property
    def environment(self) -> dict[str, str]:
        """Tells workers the trial's roots."""
        return {
            SCRATCH_VARIABLE: str(self.private / "scratch"),
            OUTPUT_VARIABLE: str(self.private / "output"),
        }

    def of(self, path: Path) -> Path:
        """Where the trial has what the run has at ``path``."""
        if path.is_relative_to(self.scratch):
            return self.private / "scratch" / path.relative_to(self.scratch)
        return self.private / "output" / path.relative_to(self.output)

    def clear(self) -> None:
        """Delete what the trial left, and folders above that it leaves empty."""
        shutil.rmtree(self.private, ignore_errors=True)
        with suppress(OSError):  # another trial's folder is there
            os.removedirs(self.private.parent)

    def link_inputs(self, context: RunContext, trial: Trial) -> None:
        """Put links to the run's intermediates where the trial looks for them.

        Raises:
            TrialFailed: One is missing.
        """
        inputs = trial.pipeline.inputs()
        names = {name for name in inputs if not name.startswith("params:")}
        for movie in trial.movies:
            catalog = context.catalog_for(movie)
            # Image stores take their pixel size from the calibration.
            for name in sorted(names | {"calibration"}):
                path = getattr(catalog.get(name), "path", None)
                if path is None:
                    continue
                path = Path(path).absolute()
                if not path.is_relative_to(self.scratch):
                    continue  # raw: read where it lies
                if not path.exists():
                    raise TrialFailed(
                        f"'{name}' of movie {movie.id} is missing",
                        where=str(path),
                        fix="the benchmark makes it first: run the whole pipeline",
                    )
                # Its sidecar goes along: else the content would be hashed by each unit.
                for source in [path, *path.parent.glob(f"{path.name}.*")]:
                    link = self.of(source)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(source)

    def outputs(self, context: RunContext, trial: Trial) -> tuple[int, int, str | None]:
        """How many outputs there must be and are, and a hash over all of them."""
        expected, digests = 0, []
        for movie in trial.movies:
            catalog = context.catalog_for(movie)
            for name in sorted(trial.pipeline.all_outputs()):
                path = getattr(catalog.get(name), "path", None)
                if path is None:
                    continue
                expected += 1
                made = self.of(Path(path).absolute())
                if made.exists():
                    digests.append(f"{movie.id} {name} {content_hash(made)}")
        complete = expected == len(digests)
        text = "\n".join(digests).encode()
        whole = hashlib.sha256(text).hexdigest() if complete else None
        return expected, len(digests), whole


def phases_of(pipeline: Pipeline) -> list[list[Node]]:
    """Nodes in groups that wait for each other.

    Nodes of whole movies that follow each other are one group: a job does them in one
    go, as in production.
    """
    phases: list[list[Node]] = []
    for level in pipeline.grouped_nodes:
        cut = any(FRAME_WISE in node.tags for node in level)
        before = any(FRAME_WISE in node.tags for node in phases[-1]) if phases else True
        if cut or before:
            phases.append(list(level))
        else:
            phases[-1] += level
    return phases


def content_hash(path: Path) -> str:
    """Hash of what a file or store holds, not of how or when it was written."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            # Pixels lie in chunk files; the JSON beside them names the run.
            if file.is_file() and file.suffix != ".json":
                digest.update(
                    f"{file.relative_to(path)} {file.stat().st_size}".encode()
                )
                digest.update(file.read_bytes())
    elif path.suffix == ".parquet":
        table = pd.read_parquet(path)
        digest.update(repr(list(table.dtypes.astype(str).items())).encode())
        digest.update(pd.util.hash_pandas_object(table).to_numpy().tobytes())
    else:
        digest.update(path.read_bytes())
    return digest.hexdigest()
