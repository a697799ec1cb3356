"""Runs as hooks leave them behind, made in milliseconds without running a node."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.locks import locked
from cyto_kedro.core.scope import run_folder
from cyto_kedro.provenance.manifest import write_manifest
from cyto_kedro.provenance.runs import METADATA, RunRecord
from cyto_kedro.provenance.sidecar import Sidecar, content_of, write_sidecar
from cyto_kedro.provenance.workflow import write_workflow


def segment(image: object) -> None:
    """Stands for a node function."""


GRAPH = Pipeline([Node(segment, "image", "labels", name="segment")])


def layout_in(root: Path, **values: Any) -> Layout:
    """A layout with one role, its roots below a folder."""
    return Layout.model_validate(
        {
            "data_root": root / "raw",
            "scratch_root": root / "scratch",
            "output_root": root / "output",
            "dataset": "plate1",
            "sheet": root / "raw" / "plate1.csv",
            "channels": {"cancer": {"files": "<movie>/cancer_*.tif"}},
            "roles": {"cancer": {"kind": "target", "channels": ["cancer"]}},
            **values,
        }
    )


@dataclass
class MadeRun:
    """One run of one workflow over some movies."""

    layout: Layout
    run_id: str
    workflow: str = "main"
    movies: tuple[str, ...] = ("A1",)
    status: str = "completed"
    partial: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    #: Sidecars of further outputs, that lie elsewhere.
    more: tuple[Sidecar, ...] = ()

    @property
    def folder(self) -> Path:
        """The run folder."""
        return run_folder(self.layout.output_root, self.workflow, self.run_id)

    def scratch(self, movie: str) -> Path:
        """Scratch folder of a movie."""
        return self.layout.scratch_root / "plate1" / movie / self.workflow

    def make(self) -> MadeRun:
        """Write raw files, scratch, results, metadata and manifest."""
        self.folder.mkdir(parents=True)
        record = RunRecord(
            self.layout,
            self.workflow,
            self.run_id,
            project=self.layout.data_root.parent,
            partial=self.partial,
            facts=dict(self.facts),
            parameters={"segmentation": {"cancer": {"sigma_px": 2.0}}},
        )
        inputs, outputs = [], list(self.more)
        for movie in self.movies:
            record.movies[movie] = {"status": self.status}
            record.frames[movie] = 2
            inputs += [self._raw(movie, frame) for frame in range(2)]
            outputs += self._outputs(movie)
        configuration = self.layout.data_root.parent / "conf" / "globals.yml"
        configuration.parent.mkdir(exist_ok=True)
        configuration.write_text("dataset: plate1\n", "utf-8")
        write_workflow(self.folder, self.workflow, GRAPH)
        record.begin_pipeline()
        record.close(self.status)
        write_manifest(record, inputs, [configuration], outputs)
        return self

    def set_metadata(self, **values: Any) -> None:
        """Change what `run_metadata.json` says."""
        path = self.folder / METADATA
        said = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(said | values), "utf-8")

    def _raw(self, movie: str, frame: int) -> Path:
        path = self.layout.data_root / "plate1" / movie / f"cancer_{frame}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{movie} {frame}".encode())
        return path

    def _outputs(self, movie: str) -> list[Sidecar]:
        labels = self.scratch(movie) / "cancer" / "labels.zarr"
        (labels / "0").mkdir(parents=True, exist_ok=True)
        (labels / "0" / "c").write_bytes(b"\1" * 2048)
        with locked(self.scratch(movie) / ".lock"):
            pass
        table = self.folder / movie / "cells.parquet"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_bytes(f"{movie} cells of {self.run_id}".encode())
        text = table.with_suffix(".csv")
        text.write_text("Id\n1\n", "utf-8")
        return [
            self._sidecar("cancer.labels", movie, [labels], "Label"),
            self._sidecar("cells@movie", movie, [table, text], "Table"),
        ]

    def _sidecar(
        self, dataset: str, movie: str, paths: list[Path], data_type: str
    ) -> Sidecar:
        digest, size = content_of(paths[0])
        made = Sidecar(
            uri=paths[0].as_uri(),
            data_type=data_type,
            dataset=dataset,
            movie=movie,
            run_id=self.run_id,
            produced_by=f"make {dataset}",
            params={},
            inputs={},
            git_sha=None,
            completed_at="2026-01-01T00:00:00Z",
            sha256=digest,
            size_bytes=size,
            fingerprint="f",
            also={path.as_uri(): content_of(path)[0] for path in paths[1:]},
        )
        write_sidecar(paths[0], made)
        return made
