"""The bundled example: a killing well and its effector-free control."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from cyto_kedro.core.atomic import STAGING_SUFFIX, staged
from cyto_kedro.core.errors import StorageError
from cyto_kedro.core.locks import locked
from cyto_kedro.simulation.movie import simulate
from cyto_kedro.simulation.params import SimulationParams
from cyto_kedro.simulation.writers import PARAMS, TRUTH, write_movie

SHEET = "experiment.csv"
KILLING, CONTROL = "killing_A1", "control_B1"


def write_example(root: Path | str, *, params: SimulationParams | None = None) -> Path:
    """Write the example experiment: sheet, two movies, and their truth.

    The folder appears under its name only when it is complete. One that is already
    there is left as it is.

    Args:
        root: Folder of the dataset; the sheet is ``<root>/experiment.csv``.
        params: The killing movie; the control has no effectors and the next seed.

    Returns:
        The folder.

    Raises:
        StorageError: The folder holds something else, or an example simulated with
            other parameters than those asked for; or another process is writing it.
    """
    folder = Path(root)
    with locked(folder.with_name(f".{folder.name}.lock")):
        _drop_leftovers(folder)
        if folder.is_dir() and any(folder.iterdir()):
            _check_same(folder, params)
        else:
            _write(folder, example_movies(params or SimulationParams()))
    return folder


def example_movies(params: SimulationParams) -> dict[str, SimulationParams]:
    """Parameters of the two movies by movie id."""
    control = params.model_copy(update={"seed": params.seed + 1, "n_effectors": 0})
    return {KILLING: params, CONTROL: control}


def example_sheet(movies: dict[str, SimulationParams]) -> pd.DataFrame:
    """The experiment sheet: one row per movie."""
    rows = []
    for name, params in movies.items():
        condition, well = name.split("_")
        ratio = params.n_effectors / max(params.n_targets, 1)
        rows.append(
            {
                "movie": name,
                "well": well,
                "donor": "D1",
                "condition": condition,
                "effector_to_target": round(ratio, 2),
                "control": params.n_effectors == 0,
            }
        )
    return pd.DataFrame(rows)


def _write(folder: Path, movies: dict[str, SimulationParams]) -> None:
    with staged(folder) as stage:
        stage.mkdir()
        for name, params in movies.items():
            write_movie(simulate(params), stage / name)
        sheet = example_sheet(movies)
        sheet.to_csv(stage / SHEET, index=False, lineterminator="\n")


def _drop_leftovers(folder: Path) -> None:
    """Delete what a killed generation staged; ours alone, nobody else's in the root."""
    for stale in folder.parent.glob(f".{folder.name}.*{STAGING_SUFFIX}"):
        shutil.rmtree(stale, ignore_errors=True)


def _check_same(folder: Path, params: SimulationParams | None) -> None:
    """A folder with content must be a complete example, of these parameters if any."""
    record = folder / KILLING / TRUTH / PARAMS
    if not (folder / SHEET).is_file() or not record.is_file():
        raise StorageError(
            "The folder for the example experiment holds something else",
            where=str(folder),
            fix="move its content away, or name another dataset and sheet in "
            "globals.yml",
        )
    if params is None:
        return
    if record.read_text("utf-8") != params.model_dump_json(indent=2):
        raise StorageError(
            "An example simulated with other parameters is already there",
            where=str(folder),
            fix="delete this folder to simulate it anew",
        )
