"""The experiment sheet: one row per movie, any further columns are conditions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.nearest import choose

_MOVIE_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
# A sheet may point one movie's channel elsewhere: column "files:<channel>".
_FILES_PREFIX = "files:"
# Columns that fill tokens of the same name in a channel's ``files`` and ``scene``.
_TOKEN_COLUMNS = ("files", "scene")


@dataclass(frozen=True)
class Movie:
    """One row of the sheet."""

    id: str
    dataset: str
    paths: dict[str, Path]
    masks: dict[str, Path] = field(default_factory=dict)
    scenes: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """All movies of a sheet, with the paths of their channels resolved."""

    sheet: Path
    movies: tuple[Movie, ...]

    def __getitem__(self, movie: str) -> Movie:
        for row in self.movies:
            if row.id == movie:
                return row
        raise ConfigError(
            f"There is no movie '{movie}' in the experiment",
            where=str(self.sheet),
            fix=choose(movie, (m.id for m in self.movies)),
        )

    @property
    def ids(self) -> tuple[str, ...]:
        """Movie ids in sheet order."""
        return tuple(movie.id for movie in self.movies)

    def conditions(self) -> pd.DataFrame:
        """One row per movie: dataset, movie and the condition columns."""
        return pd.DataFrame(
            [{"dataset": m.dataset, "movie": m.id, **m.conditions} for m in self.movies]
        )


def read_experiment(layout: Layout) -> Experiment:
    """Read and check the sheet named by the layout.

    Columns ``movie`` (required, unique), ``dataset`` (default: the layout's),
    ``files:<channel>`` (overrides that channel's path), ``files`` and ``scene`` (fill
    ``<files>`` and ``<scene>`` of the channels in ``globals.yml``) have a meaning here;
    every other column is a condition and joins the experiment table.

    Raises:
        ConfigError: The sheet is missing or unreadable, an id is empty, duplicate or
            not usable as a folder name, a ``files:`` column names no channel, or a
            token has no value.
    """
    sheet = Path(layout.sheet)
    table = _read_table(sheet)
    _check_ids(table, sheet)
    rows = [_movie(row, layout, sheet) for row in table.to_dict(orient="records")]
    return Experiment(sheet=sheet, movies=tuple(rows))


def _read_table(sheet: Path) -> pd.DataFrame:
    if not sheet.is_file():
        raise ConfigError(
            "The experiment sheet is missing",
            where=str(sheet),
            fix="write a CSV with a column 'movie' and one row per movie, and name it "
            "in globals.yml (key: sheet)",
        )
    try:
        # A movie, donor or condition may be called NA or None: only empty is missing.
        table = pd.read_csv(
            sheet,
            dtype=dict.fromkeys(("movie", "dataset", *_TOKEN_COLUMNS), str),
            keep_default_na=False,
            na_values=[""],
        )
    except (ValueError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"The experiment sheet is not a CSV table: {exc}", where=str(sheet)
        ) from exc
    if "movie" not in table.columns or table.empty:
        raise ConfigError(
            "The experiment sheet needs a column 'movie' and at least one row",
            where=str(sheet),
            fix=f"columns found: {', '.join(map(str, table.columns)) or 'none'}",
        )
    return table


def _check_ids(table: pd.DataFrame, sheet: Path) -> None:
    for number, name in enumerate(table["movie"], start=2):
        if not isinstance(name, str) or not _MOVIE_ID.match(name):
            raise ConfigError(
                f"'{name}' is not a usable movie id",
                where=f"{sheet}, line {number}",
                fix="use letters, digits, '_', '-' and '.', starting with a letter or "
                "digit: the id names a folder",
            )
    twice = table["movie"][table["movie"].duplicated()].unique()
    if len(twice):
        raise ConfigError(
            f"Duplicate movie ids: {', '.join(twice)}",
            where=str(sheet),
            fix="give each row its own id",
        )


def _movie(row: dict[Any, Any], layout: Layout, sheet: Path) -> Movie:
    name = row.pop("movie")
    dataset = row.pop("dataset", None)
    dataset = dataset if isinstance(dataset, str) else layout.dataset
    if not _MOVIE_ID.match(dataset):
        raise ConfigError(
            f"'{dataset}' is not a usable dataset name",
            where=f"{sheet}, movie {name}",
            fix="use letters, digits, '_', '-' and '.': it names a folder",
        )
    overrides = {
        key[len(_FILES_PREFIX) :]: row.pop(key)
        for key in [k for k in row if k.startswith(_FILES_PREFIX)]
    }
    for channel in overrides:
        if channel not in layout.channels:
            raise ConfigError(
                f"The column '{_FILES_PREFIX}{channel}' names no channel",
                where=str(sheet),
                fix=f"channels in globals.yml: {', '.join(layout.channels)}",
            )
    tokens = {"movie": name} | {key: row.pop(key, None) for key in _TOKEN_COLUMNS}
    folder = Path(layout.data_root) / dataset
    paths, scenes = {}, {}
    for channel, spec in layout.channels.items():
        chosen = overrides.get(channel)
        text = chosen if isinstance(chosen, str) else spec.files
        paths[channel] = folder / _filled(text, tokens, channel, sheet)
        if spec.scene is not None:
            scenes[channel] = _filled(str(spec.scene), tokens, channel, sheet)
    masks = {
        role: folder / spec.masks.replace("<movie>", name)
        for role, spec in layout.roles.items()
        if spec.masks is not None
    }
    return Movie(name, dataset, paths, masks, scenes, conditions=row)


def _filled(text: str, tokens: dict[str, Any], channel: str, sheet: Path) -> str:
    """``text`` with ``<movie>``, ``<files>`` and ``<scene>`` replaced."""
    for key, value in tokens.items():
        if f"<{key}>" in text and not isinstance(value, str):
            raise ConfigError(
                f"The channel '{channel}' uses <{key}>, which has no value",
                where=f"{sheet}, movie {tokens['movie']}",
                fix=f"fill in the column '{key}' of the sheet for every movie",
            )
        if isinstance(value, str):
            text = text.replace(f"<{key}>", value)
    return text
