"""All movies' results with the columns of the experiment sheet."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pandas as pd

from cyto_kedro.core.schemas import EXPERIMENT_RESULT
from cyto_kedro.methods.results.dictionary import dictionary_rows

logger = logging.getLogger(__name__)

_KEYS = ("dataset", "movie")


def experiment_table(
    results: Mapping[str, pd.DataFrame],
    cells: Mapping[str, pd.DataFrame],
    conditions: pd.DataFrame,
) -> pd.DataFrame:
    """Table EXPERIMENT_RESULT: the movies below each other, in sheet order.

    Movies without results (they failed, or were not asked for) are absent.

    Args:
        results: RESULT by movie.
        cells: CELLS by movie, row by row the same cells.
        conditions: One row per movie: dataset, movie and condition columns. A condition
            with the name of a result column becomes ``condition_<name>``.
    """
    sheet = _without_clashes(conditions)
    parts = []
    for position, movie in enumerate(sheet["movie"]):
        if movie not in results or movie not in cells or results[movie].empty:
            continue
        joined = results[movie].merge(
            cells[movie][["Id", "role", "label", "time_min"]], on="Id", validate="1:1"
        )
        row = sheet.iloc[[position] * len(joined)].reset_index(drop=True)
        parts.append(pd.concat([row, joined], axis=1))
    if not parts:
        extra = sheet.iloc[:0].drop(columns=list(_KEYS))
        return pd.concat([EXPERIMENT_RESULT.empty(), extra], axis=1)
    return EXPERIMENT_RESULT.conform(pd.concat(parts, ignore_index=True))


def dictionary_table(conditions: pd.DataFrame) -> pd.DataFrame:
    """Every column that a run writes: table, file, dtype, unit, nullable, meaning.

    Args:
        conditions: The sheet, whose condition columns end the experiment table.
    """
    sheet = _without_clashes(conditions).drop(columns=list(_KEYS))
    dtypes = {str(name): str(dtype) for name, dtype in sheet.dtypes.items()}
    return pd.DataFrame(dictionary_rows(dtypes))


def _without_clashes(conditions: pd.DataFrame) -> pd.DataFrame:
    clashes = [
        name
        for name in conditions.columns
        if name in EXPERIMENT_RESULT.columns and name not in _KEYS
    ]
    if clashes:
        logger.warning(
            "Columns of the experiment sheet have names of result columns and become "
            "condition_<name>: %s",
            ", ".join(clashes),
        )
    return conditions.rename(columns={name: f"condition_{name}" for name in clashes})
