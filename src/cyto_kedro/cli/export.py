"""`kedro cyto export`: a finished run as files of other programs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.datasets import GeffDataset, TrackMateDataset

Exporter = Callable[[FinishedRun, list[str], Path], list[Path]]


def export(
    run: FinishedRun, to: str, movie: str | None, folder: Path | None
) -> list[Path]:
    """Write the run for another program.

    Args:
        run: The run.
        to: Key of :data:`EXPORTERS`.
        movie: One movie only; all finished ones by default.
        folder: Where to; ``<run>/export/<to>`` by default.

    Returns:
        What was written.

    Raises:
        ConfigError: There is no such movie or program, or nothing is finished.
        InputError: Something that the run made is gone or was replaced.
    """
    if to not in EXPORTERS:
        raise ConfigError(
            f"There is no export to '{to}'",
            fix=f"choose one of: {', '.join(EXPORTERS)}",
        )
    movies = run.movies(movie)
    if not movies:
        raise ConfigError("The run finished no movie", where=str(run.folder))
    return EXPORTERS[to](run, movies, folder or run.folder / "export" / to)


def calibration_of(run: FinishedRun, movie: str) -> Calibration:
    """Geometry and time base of a movie."""
    found: Any = run.load("calibration", movie)
    return Calibration.model_validate(found)


def copy_calibration(run: FinishedRun, movie: str, folder: Path) -> Path:
    """``calibration.json`` beside the exported files, which need it to be read."""
    calibration_of(run, movie)
    folder.mkdir(parents=True, exist_ok=True)
    return Path(
        shutil.copy(run.path("calibration", movie), folder / "calibration.json")
    )


def _trackmate(run: FinishedRun, movies: list[str], folder: Path) -> list[Path]:
    """One XML file per movie and role; open it in Fiji with "Load a TrackMate file"."""
    written = []
    for movie in movies:
        known = copy_calibration(run, movie, folder / movie)
        for role, spec in run.layout.roles.items():
            path = folder / movie / f"{role}.xml"
            image = run.loader.experiment[movie].paths[spec.channels[0]]
            # A glob of files has no single image that TrackMate could open.
            shown = str(image) if image.is_file() else ""
            dataset = TrackMateDataset(path, calibration=known, image=shown)
            dataset.save(run.load(f"{role}.tracks", movie))
            written.append(path)
    return written


def _geff(run: FinishedRun, movies: list[str], folder: Path) -> list[Path]:
    """One geff folder per movie and role."""
    written = []
    for movie in movies:
        known = copy_calibration(run, movie, folder / movie)
        for role in run.layout.roles:
            path = folder / movie / f"{role}.geff"
            GeffDataset(path, calibration=known).save(run.load(f"{role}.tracks", movie))
            written.append(path)
    return written


def _napari(run: FinishedRun, movies: list[str], folder: Path) -> list[Path]:
    from cyto_kedro.cli.export_napari import write_napari

    return write_napari(run, movies, folder)


def _ome_zarr(run: FinishedRun, movies: list[str], folder: Path) -> list[Path]:
    from cyto_kedro.cli.export_images import write_ome_zarr

    return write_ome_zarr(run, movies, folder)


def _prism(run: FinishedRun, movies: list[str], folder: Path) -> list[Path]:
    from cyto_kedro.cli.export_prism import write_prism

    return write_prism(run, movies, folder)


#: Programs and formats by the name that the command takes.
EXPORTERS: dict[str, Exporter] = {
    "napari": _napari,
    "ome-zarr": _ome_zarr,
    "trackmate": _trackmate,
    "geff": _geff,
    "prism": _prism,
}
