"""Movies to files, one frame in memory, each channel in another format."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cyto_kedro.simulation import truth
from cyto_kedro.simulation.movie import CANCER, DEATH, TCELL, SimulatedMovie

#: Files of a movie below its folder, as `conf/base/globals.yml` names them.
FILES = {
    TCELL: "tcell.ome.tif",
    CANCER: "cancer/im_{:05d}.tif",
    DEATH: "death.ome.zarr",
}
TRUTH = "truth"
PARAMS = "params.json"
_ZLIB_LEVEL = 1

_README = """Ground truth of a simulated movie.

masks_tcell.tif and masks_cancer.tif are T x Y x X; a label is the id of the cell in all
frames and in all tables (`cell_id`, `effector_id`, `target_id`). tracks.csv has one row
per cell and frame in view: y_um, x_um are the centroid of the whole cell in the sample,
without stage drift; y_px, x_px are the same point in the image, with drift; pixel
centres have integer coordinates. drift.csv is how far the image content moved since
frame 0, so a registration must shift frames by its negative. contacts.csv lists the
frames in which two masks come within one pixel diagonal (overlap counts). deaths.csv
lists who died in view during the movie: death_frame is the first frame in which the
target is dead; its dye rises from there. The killer of a killed target gave the lethal
hit (hit_min), in contact; death follows after a delay, and others may touch in between.
hits.csv lists the sublethal hits too, effectors.csv which cells could kill and did. A
cell that leaves the image and returns keeps its id. Targets that were dead before frame
0 are not listed; they are `alive = False` in tracks.csv from frame 0. `dimmed` cells
are nearly invisible in that frame: missing them is no mistake. params.json holds every
parameter; the same values give the same movie.
"""


def write_movie(
    movie: SimulatedMovie,
    folder: Path,
    channels: tuple[str, ...] = (TCELL, CANCER, DEATH),
    with_truth: bool = True,
) -> None:
    """Write the raw files of one movie, and its truth, into a new folder."""
    folder.mkdir(parents=True)
    writers = {TCELL: _write_ome_tiff, CANCER: _write_sequence, DEATH: _write_ome_zarr}
    for channel in channels:
        writers[channel](movie, channel, folder)
    if with_truth:
        write_truth(movie, folder / TRUTH)


def write_truth(movie: SimulatedMovie, folder: Path) -> None:
    """Write masks, tables, parameters and what they mean."""
    import tifffile

    folder.mkdir(parents=True)
    for role in movie.roles:
        tifffile.imwrite(
            folder / f"masks_{role}.tif",
            (movie.mask(role, t) for t in range(movie.params.n_frames)),
            shape=movie.shape,
            dtype=np.uint32,
            photometric="minisblack",
            compression="zlib",
            metadata={"axes": "TYX"},
        )
    for name, table in truth.tables(movie):
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    (folder / PARAMS).write_text(movie.params.model_dump_json(indent=2), "utf-8")
    (folder / "README.txt").write_text(_README, "utf-8")


def _frames(movie: SimulatedMovie, channel: str) -> Iterator[np.ndarray]:
    return (movie.frame(channel, t) for t in range(movie.params.n_frames))


def _write_ome_tiff(movie: SimulatedMovie, channel: str, folder: Path) -> None:
    import tifffile

    params = movie.params
    tifffile.imwrite(
        folder / FILES[channel],
        _frames(movie, channel),
        shape=movie.shape,
        dtype=np.uint16,
        photometric="minisblack",
        ome=True,
        metadata={
            "axes": "TYX",
            "Name": channel,
            "PhysicalSizeX": params.pixel_size_um,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": params.pixel_size_um,
            "PhysicalSizeYUnit": "µm",
            "TimeIncrement": params.frame_interval_min,
            "TimeIncrementUnit": "min",
            # The default is random, and the same movie would not be the same file.
            "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, params.model_dump_json())),
        },
    )


def _write_sequence(movie: SimulatedMovie, channel: str, folder: Path) -> None:
    """One TIFF per frame, without any calibration, as many microscopes export."""
    import tifffile

    pattern = FILES[channel]
    (folder / pattern).parent.mkdir()
    for t, plane in enumerate(_frames(movie, channel)):
        tifffile.imwrite(
            folder / pattern.format(t),
            plane,
            photometric="minisblack",
            compression="zlib",
            compressionargs={"level": _ZLIB_LEVEL},
        )


def _write_ome_zarr(movie: SimulatedMovie, channel: str, folder: Path) -> None:
    """OME-Zarr 0.5 with one scale level and one chunk per frame."""
    import zarr

    params = movie.params
    scale = [params.frame_interval_min, params.pixel_size_um, params.pixel_size_um]
    space = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    time = {"name": "t", "type": "time", "unit": "minute"}
    multiscale = {
        "name": channel,
        "axes": [time, *space],
        "datasets": [
            {
                "path": "0",
                "coordinateTransformations": [{"type": "scale", "scale": scale}],
            }
        ],
    }
    group = zarr.create_group(
        folder / FILES[channel],
        zarr_format=3,
        attributes={"ome": {"version": "0.5", "multiscales": [multiscale]}},
    )
    array = group.create_array(
        "0",
        shape=movie.shape,
        chunks=(1, *movie.shape[1:]),
        dtype="uint16",
        dimension_names=("t", "y", "x"),
    )
    for t, plane in enumerate(_frames(movie, channel)):
        array[t] = plane
