"""The experiment sheet of a snapshot: checked if there is one, else written."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.experiment import Experiment, read_experiment
from cyto_kedro.core.layout import Layout

SHEET = "experiment.csv"
_MOVIE = r"(?P<movie>[A-Za-z0-9][A-Za-z0-9_.-]*?)"
_STORE = ".zarr"


@dataclass(frozen=True)
class SheetReport:
    """What was found about the sheet of a dataset.

    Attributes:
        path: The sheet; None if none could be written.
        written: Whether it was written just now.
        movies: Number of movies in it.
        missing: Movies and channels without a file.
    """

    path: Path | None
    written: bool = False
    movies: int = 0
    missing: tuple[str, ...] = ()


def sheet_of(layout: Layout, dataset: str) -> SheetReport:
    """Check the dataset's sheet against its files, or write one.

    A sheet is looked for where ``globals.yml`` has it (if it is about this dataset),
    in the snapshot, and beside it. A new one is written beside the snapshot, which is
    read-only: conditions still have to be filled in.

    Raises:
        ConfigError: There is a sheet, and it is wrong.
    """
    beside = layout.data_root / f"{dataset}.csv"
    places = [layout.data_root / dataset / SHEET, beside]
    if layout.dataset == dataset:
        places.insert(0, layout.sheet)
    for place in places:
        if place.is_file():
            return _checked(layout, dataset, place, written=False)
    movies = movies_in(layout, layout.data_root / dataset)
    if not movies:
        return SheetReport(None)
    table = pd.DataFrame({"movie": movies, "dataset": dataset})
    write_text(beside, table.to_csv(index=False))
    return _checked(layout, dataset, beside, written=True)


def movies_in(layout: Layout, folder: Path) -> list[str]:
    """Movies that have every channel, by the patterns of ``globals.yml``."""
    patterns = [
        spec.files for spec in layout.channels.values() if "<movie>" in spec.files
    ]
    if not patterns or any("<files>" in pattern for pattern in patterns):
        return []
    names = list(_names(folder))
    found = [_movies(pattern, names) for pattern in patterns]
    return sorted(set.intersection(*found))


def _movies(pattern: str, names: list[str]) -> set[str]:
    expression = _expression(pattern)
    matches = (expression.fullmatch(name) for name in names)
    return {match["movie"] for match in matches if match}


def _expression(pattern: str) -> re.Pattern[str]:
    """A glob with ``<movie>`` as a regular expression."""
    text = re.escape(pattern).replace(re.escape("<movie>"), "\0")
    text = text.replace(r"\*\*", ".*").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    head, *rest = text.split("\0")
    return re.compile(head + _MOVIE + "(?P=movie)".join(rest))


def _names(folder: Path) -> list[str]:
    """Files, and stores as one name each."""
    found = []
    for root, folders, names in os.walk(folder):
        here = Path(root).relative_to(folder)
        stores = [name for name in folders if name.endswith(_STORE)]
        folders[:] = [name for name in folders if name not in stores]
        found += [(here / name).as_posix() for name in [*stores, *names]]
    return found


def _checked(layout: Layout, dataset: str, place: Path, written: bool) -> SheetReport:
    chosen = layout.model_copy(update={"dataset": dataset, "sheet": place})
    experiment: Experiment = read_experiment(chosen)
    ours = [movie for movie in experiment.movies if movie.dataset == dataset]
    if not ours:
        raise ConfigError(f"No movie of the sheet is in '{dataset}'", where=str(place))
    missing = [
        f"movie {movie.id}, channel {channel}: {path}"
        for movie in ours
        for channel, path in movie.paths.items()
        if not path.exists() and not any(path.parent.glob(path.name))
    ]
    return SheetReport(place, written, len(ours), tuple(missing))
