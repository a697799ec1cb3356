"""A run as CSV files that GraphPad Prism takes as they are: a column per group."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.core.atomic import write_text
from cyto_kedro.methods.reporting.prism import (
    columns_of,
    over_time,
    survival_cells,
    survival_curves,
)

# Columns of TRACK_SUMMARY, of CONTACT_RATES and of KILLERS that are compared.
_TRACK = (
    "mean_speed_um_per_min",
    "straightness",
    "arrest_coefficient",
    "mean_turning_angle_deg",
    "net_displacement_um",
    "duration_min",
)
_RATE = ("contacts_per_effector", "contacts_per_target", "contacts_per_mm2")
_KILLER = ("kills_hazard", "kills_shared", "kills_per_hour", "kills_per_contact_hour")
_READ_ME = """\
Each file is a table that Prism (or a spreadsheet) takes as it is.

survival_cells_<role>.csv    Survival table: X = minutes in view, 1 = died, 0 = not.
survival_curves_<role>.csv   XY table with upper and lower limits, in per cent alive.
over_time/<what>.csv         XY table: one row per time, one column per movie.
cells/<what>.csv             Column table: one column per group, one row per cell.
movies/<what>.csv            Column table: one column per group, one row per movie (the
                             mean of its cells). Test these: the movie (well, donor) is
                             the unit of inference, not the cell.
groups.csv                   Which movie is in which group.

Prism's survival analysis knows no delayed entry: survival_cells counts from when a cell
was first seen; survival_curves is the estimate of the report.
"""


def write_prism(run: FinishedRun, movies: list[str], folder: Path) -> list[Path]:
    """Survival, time courses, and cells and movies by group."""
    groups = groups_of(run, movies)
    tables = {"groups": groups}
    by_movie = dict(zip(groups["movie"], groups["group"], strict=True))
    tables |= _survival(run, movies, by_movie)
    tables |= _time_courses(run, movies)
    for what, values in _cells(run, movies).items():
        tables[f"cells/{what}"] = columns_of(_pooled(values, by_movie))
        means = {movie: pd.Series([v.mean()]) for movie, v in values.items()}
        tables[f"movies/{what}"] = columns_of(_pooled(means, by_movie))
    # File by file: the folder may be the user's own and hold other things.
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False))
    write_text(folder / "READ_ME.txt", _READ_ME)
    return [folder / f"{name}.csv" for name in tables]


def groups_of(run: FinishedRun, movies: list[str]) -> pd.DataFrame:
    """The group of each movie: the column that the run compared, else the movie."""
    conditions = run.load("conditions").set_index("movie")
    killing = run.record["parameters"].get("killing", {})
    column = killing.get("survival", {}).get("group_by")
    known = conditions.get(column)
    group = [str(m if known is None or pd.isna(known[m]) else known[m]) for m in movies]
    return pd.DataFrame({"movie": movies, "group": group})


def _pooled(
    values: dict[str, pd.Series], by_movie: dict[str, str]
) -> dict[str, pd.Series]:
    """Values of the movies of each group, below each other."""
    parts: dict[str, list[pd.Series]] = {}
    for movie, column in values.items():
        parts.setdefault(by_movie[movie], []).append(column)
    return {group: pd.concat(some) for group, some in parts.items()}


def _survival(
    run: FinishedRun, movies: list[str], by_movie: dict[str, str]
) -> dict[str, pd.DataFrame]:
    tables: dict[str, pd.DataFrame] = {}
    if not run.has("survival"):
        return tables
    curves = run.load("survival")
    for role in run.layout.targets:
        name = f"{role}.deaths@movie"
        deaths = {movie: run.load(name, movie) for movie in movies}
        tables[f"survival_cells_{role}"] = survival_cells(deaths, by_movie)
        level = curves.loc[curves["role"] == role, "group"]
        shown = [g for g in dict.fromkeys(by_movie.values()) if g in set(level)]
        tables[f"survival_curves_{role}"] = survival_curves(curves, role, shown)
    return tables


def _time_courses(run: FinishedRun, movies: list[str]) -> dict[str, pd.DataFrame]:
    tables = {}
    for role in run.layout.roles:
        counts = {m: run.load(f"{role}.frame_counts", m) for m in movies}
        tables[f"over_time/{role}_cells"] = over_time(counts, "n_cells")
    for effector, target in run.layout.pairs:
        pair = f"{effector}_{target}"
        rates = {m: run.load(f"{pair}.contact_rates", m) for m in movies}
        for column in _RATE:
            tables[f"over_time/{pair}_{column}"] = over_time(rates, column)
    return tables


def _cells(run: FinishedRun, movies: list[str]) -> dict[str, dict[str, pd.Series]]:
    """Values of the cells of each movie by what was measured."""
    found: dict[str, dict[str, pd.Series]] = {}

    def collect(prefix: str, name: str, columns: tuple[str, ...]) -> None:
        for movie in movies:
            table = run.load(name, movie)
            for column in columns:
                values = table[column].astype("float64")
                found.setdefault(f"{prefix}_{column}", {})[movie] = values

    for role in run.layout.roles:
        collect(role, f"{role}.track_summary", _TRACK)
    for effector, target in run.layout.pairs:
        pair = f"{effector}_{target}"
        collect(pair, f"{pair}.contact_episodes", ("dwell_min",))
    if run.has("survival") and run.layout.effectors:
        for target in run.layout.targets:
            collect(f"killers_of_{target}", f"{target}.killers@movie", _KILLER)
    return found
