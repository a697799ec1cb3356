"""The cells of an experiment and the groups in which they are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cyto_kedro.methods.killing.bands import Band
from cyto_kedro.methods.killing.death import DEAD_AT_ENTRY
from cyto_kedro.methods.killing.survival import Curve, Subjects, kaplan_meier

_TRUE = {"1", "1.0", "true", "yes", "y", "t"}


@dataclass(frozen=True)
class Design:
    """How the movies of an experiment are compared."""

    group_by: str | None  # column of the sheet that names the condition
    control_column: str | None  # column that flags effector-free movies
    stratify_by: str | None  # column of the replicate, such as the donor
    confidence: float
    horizon_min: float | None
    n_bootstrap: int
    n_permutations: int
    seed: int
    well_column: str | None = "well"
    donor_column: str | None = "donor"
    et_column: str | None = "effector_to_target"
    reference: str | None = None  # condition that the others are compared with
    competing: tuple[str, ...] = ("left_field",)  # reasons beside death
    band: Band = "equal_precision"
    unit: Literal["auto", "well", "donor"] = "auto"
    credit: Literal["nearest", "shared", "hazard"] = "hazard"
    correct_over: Literal["all", "outcome"] = "all"
    outcomes: tuple[str, ...] | None = None  # those that are compared


@dataclass(frozen=True)
class Group:
    """One stratum of the survival table."""

    name: str
    level: str  # "movie" or the grouping column
    rows: np.ndarray  # its cells
    movies: tuple[str, ...]
    curve: Curve


def pool_cells(
    deaths: Mapping[str, pd.DataFrame], conditions: pd.DataFrame
) -> pd.DataFrame:
    """All cells with the columns of their movie's row in the sheet."""
    filled = [t.assign(movie=movie) for movie, t in deaths.items() if len(t)]
    if not filled:
        sample = next(iter(deaths.values()), None)
        columns = [] if sample is None else list(sample.columns)
        empty = pd.DataFrame(columns=[*columns, "movie", "reason", "peak_signal"])
        filled = [empty.loc[:, ~empty.columns.duplicated()]]
    cells = pd.concat(filled, ignore_index=True)
    sheet = conditions.astype({"movie": str}).drop(columns="dataset", errors="ignore")
    # A condition may be called like a column of ours: it must not replace it.
    sheet = sheet.rename(columns=lambda c: c if c == "movie" else f"sheet:{c}")
    return cells.merge(sheet, on="movie", how="left")


def as_subjects(cells: pd.DataFrame) -> Subjects:
    """Time under observation of each cell, until death or the last sight."""
    if cells.empty:
        return Subjects(np.empty(0), np.empty(0), np.empty(0, dtype=bool))
    died = ~cells["censored"].to_numpy(bool)
    last = np.where(died, cells["death_time_min"], cells["exit_min"])
    entry = cells["entry_min"].to_numpy(np.float64)
    return Subjects(entry, last.astype(np.float64), died)


def sheet_column(cells: pd.DataFrame, name: str | None) -> pd.Series | None:
    """The sheet's column for each cell, None if there is no such column."""
    key = f"sheet:{name}"
    return cells[key] if name is not None and key in cells.columns else None


def controls(cells: pd.DataFrame, column: str | None) -> np.ndarray:
    """Whether each cell comes from a movie that is flagged as a control."""
    flag = sheet_column(cells, column)
    if flag is None:
        return np.zeros(len(cells), dtype=bool)
    return flag.astype(str).str.strip().str.lower().isin(_TRUE).to_numpy()


@dataclass(frozen=True)
class Population:
    """The cells of one role in all movies, and their time under observation.

    Attributes:
        cells: Rows of DEATHS with ``movie`` and the sheet's columns.
        subjects: The same cells in the same order.
        at_risk: (N,) whether the cell was alive and measured when it came into view.
    """

    cells: pd.DataFrame
    subjects: Subjects
    at_risk: np.ndarray


def gather_population(
    deaths: Mapping[str, pd.DataFrame], conditions: pd.DataFrame
) -> Population:
    """Cells that were dead at entry, or never measured, are not at risk."""
    cells = pool_cells(deaths, conditions)
    watched = (cells["reason"] != DEAD_AT_ENTRY) & cells["peak_signal"].notna()
    subjects = as_subjects(cells)
    at_risk = watched.to_numpy(bool) & (subjects.exit > subjects.entry)
    return Population(cells, subjects, at_risk)


def common_horizon(groups: list[Group], design: Design) -> float:
    """The given end time, or the last one that every group reaches."""
    if design.horizon_min is not None:
        return design.horizon_min
    ends = [float(g.curve.time[-1]) for g in groups if len(g.curve.time)]
    return min(ends, default=float("nan"))


def make_groups(
    cells: pd.DataFrame, subjects: Subjects, at_risk: np.ndarray, design: Design
) -> list[Group]:
    """Every movie, then every value of the grouping column, in order of appearance."""
    movies = list(dict.fromkeys(cells["movie"]))
    chosen = [("movie", m, (cells["movie"] == m).to_numpy()) for m in movies]
    by = sheet_column(cells, design.group_by)
    if by is not None:
        for value in dict.fromkeys(by.dropna()):
            name = str(value)
            # A condition may be called like a movie: the rows must stay apart.
            name = f"{design.group_by}={name}" if name in movies else name
            chosen.append((str(design.group_by), name, (by == value).to_numpy()))
    groups = []
    for level, name, rows in chosen:
        own = rows & at_risk
        curve = kaplan_meier(subjects[own], design.confidence)
        members = tuple(dict.fromkeys(cells.loc[rows, "movie"]))
        groups.append(Group(name, level, rows, members, curve))
    return groups
