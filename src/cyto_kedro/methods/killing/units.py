"""What the experiment sheet says of each movie: well, donor, condition, control."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.controls import is_true


@dataclass(frozen=True)
class MovieGroup:
    """Movies that are looked at together; names as in the table SURVIVAL."""

    name: str
    level: str  # "movie" or the grouping column
    movies: tuple[str, ...]


def sheet_units(conditions: pd.DataFrame, design: Design) -> pd.DataFrame:
    """One row per movie, indexed by it: group, donor, well, control, et.

    ``group``, ``donor`` are null where the sheet says nothing. A well is named within
    its dataset, donor and condition, since each plate has an A1; a movie without one
    is its own well. ``et`` is NaN without a number in the sheet.
    """
    sheet = conditions.assign(movie=conditions["movie"].astype(str))

    def text(column: str | None) -> pd.Series:
        if column is None or column not in sheet:
            return pd.Series([None] * len(sheet), index=sheet.index, dtype=object)
        said = sheet[column]
        return said.astype(str).where(said.notna(), None).astype(object)

    group, donor, well = (
        text(c) for c in (design.group_by, design.donor_column, design.well_column)
    )
    flagged = text(design.control_column)
    ratio = pd.to_numeric(text(design.et_column), errors="coerce").astype("float64")
    parts = [text("dataset"), donor, group, well]
    joined = [
        "/".join(str(v) for v in row if v is not None)
        for row in zip(*parts, strict=True)
    ]
    named = np.where(well.notna(), joined, sheet["movie"])
    table = pd.DataFrame(
        {
            "movie": sheet["movie"],
            "group": group,
            "donor": donor,
            "well": named,
            "control": is_true(flagged),
            "et": ratio,
        }
    )
    return table.set_index("movie")


def movie_groups(
    units: pd.DataFrame, movies: Collection[str], design: Design
) -> list[MovieGroup]:
    """Every movie, then every value of the grouping column, in order of appearance."""
    present = [m for m in dict.fromkeys(movies) if m in units.index]
    groups = [MovieGroup(m, "movie", (m,)) for m in present]
    own = units.loc[present, "group"]
    for value in dict.fromkeys(own.dropna()):
        # A condition may be called like a movie: the rows must stay apart.
        name = f"{design.group_by}={value}" if value in movies else value
        members = tuple(own.index[own == value])
        groups.append(MovieGroup(name, str(design.group_by), members))
    return groups


def clusters(units: pd.DataFrame, movies: Collection[str]) -> tuple[np.ndarray, ...]:
    """Well number of each movie, and the stratum in which each well is resampled.

    That is its donor; but where a donor gave a single well, donors are what varies,
    and all wells make one stratum.
    """
    own = units.loc[list(movies)]
    well, names = pd.factorize(own["well"])
    donor = pd.factorize(own["donor"].fillna(""))[0]
    stratum = donor[np.unique(well, return_index=True)[1]] if len(names) else donor
    sizes = np.bincount(stratum)
    return well, np.zeros_like(stratum) if (sizes < 2).any() else stratum
