"""A large movie for benchmarks, streamed to disk."""

from __future__ import annotations

from pathlib import Path

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import StorageError
from cyto_kedro.simulation.example import KILLING, SHEET, example_sheet
from cyto_kedro.simulation.movie import CANCER, DEATH, TCELL, simulate
from cyto_kedro.simulation.params import OpticsParams, SimulationParams
from cyto_kedro.simulation.writers import write_movie

_TARGET_SHARE = 0.3


def workload_params(
    n_frames: int = 80, size: int = 1200, n_cells: int = 300, seed: int = 11
) -> SimulationParams:
    """``n_cells`` per frame, 30 % of them targets, 2 % dimmed in each frame."""
    n_targets = round(_TARGET_SHARE * n_cells)
    return SimulationParams(
        seed=seed,
        n_frames=n_frames,
        height_px=size,
        width_px=size,
        n_targets=n_targets,
        n_effectors=n_cells - n_targets,
        # Wide haze and exact photon statistics take time to render and would cost
        # the pipeline nothing.
        optics=OpticsParams(dim_probability=0.02, haze=0.0, shot_noise="normal"),
    )


def synthetic_workload(
    root: Path | str,
    *,
    n_frames: int = 80,
    size: int = 1200,
    n_cells: int = 300,
    seed: int = 11,
    death: bool = True,
    truth: bool = False,
) -> Path:
    """Write a one-movie experiment in the formats of the example.

    Args:
        root: Folder of the dataset, which must not exist; the sheet is
            ``<root>/experiment.csv`` and the movie is ``killing_A1``.
        n_frames: Frames.
        size: Rows and columns (px).
        n_cells: Cells per frame of both roles.
        seed: The same seed gives the same files.
        death: Write the death marker's channel as well.
        truth: Write the truth as well.

    Returns:
        The folder.

    Raises:
        StorageError: The folder exists.
        ConfigError: The cells do not fit into the field.
    """
    folder = Path(root)
    if folder.exists():
        raise StorageError(
            "The folder for the workload exists",
            where=str(folder),
            fix="name a new folder, or delete this one",
        )
    params = workload_params(n_frames, size, n_cells, seed)
    channels = (TCELL, CANCER, DEATH) if death else (TCELL, CANCER)
    with staged(folder) as stage:
        stage.mkdir()
        write_movie(simulate(params), stage / KILLING, channels, with_truth=truth)
        sheet = example_sheet({KILLING: params})
        sheet.to_csv(stage / SHEET, index=False, lineterminator="\n")
    return folder
