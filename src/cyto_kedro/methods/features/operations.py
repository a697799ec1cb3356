"""New features from two columns of two tables: ratio, difference, log2 ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import FEATURES

_WHERE = "features.operations"
# Of two tables of one role, the first of these that both have joins them.
_KEYS = (["track_id", "frame"], ["frame", "label"], ["track_id"], ["frame"])


class Operand(Params):
    """A column of a table."""

    table: str = Field(
        description="<role>.<table>, such as tcell.tracks or cancer.frame_counts"
    )
    column: str = Field(description="numeric column of the table")

    @property
    def role(self) -> str:
        """Role that the table belongs to."""
        return self.table.partition(".")[0]


class Operation(Params):
    """A feature made of two columns."""

    feature: str = Field(min_length=1, description="name of the new feature")
    operation: Literal["ratio", "difference", "log2_ratio"] = Field(
        description="left / right, left - right, or log2(left / right)"
    )
    left: Operand = Field(description="first column")
    right: Operand = Field(description="second column")


def _ratio(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return left / np.where(right == 0, np.nan, right)


def _log2_ratio(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    positive = (left > 0) & (right > 0)
    return np.log2(np.where(positive, left, np.nan) / np.where(positive, right, np.nan))


OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "ratio": _ratio,
    "difference": np.subtract,
    "log2_ratio": _log2_ratio,
}


def combine(
    tables: Mapping[str, pd.DataFrame], operations: Sequence[Operation]
) -> pd.DataFrame:
    """Table FEATURES: the values of every operation, one below the other.

    Tables of one role are joined by track and frame, by frame and label, by track or by
    frame, whichever is the first that both have. Tables of two roles are joined by
    frame, if one of them has one row per frame: cells of two roles are no pairs. What
    is in one table only gives no row. Undefined (a zero or negative denominator of a
    ratio, unknown values) is NaN.

    Args:
        tables: Tables by ``<role>.<table>``.
        operations: What to combine.

    Raises:
        ConfigError: A table or column does not exist, or the tables cannot be joined.
    """
    found = [_of(tables, operation) for operation in operations]
    filled = [table for table in found if len(table)]
    if not filled:
        return FEATURES.empty()
    return FEATURES.conform(pd.concat(filled, ignore_index=True))


def _of(tables: Mapping[str, pd.DataFrame], operation: Operation) -> pd.DataFrame:
    left, right = operation.left, operation.right
    sides = [operand_table(tables, operand) for operand in (left, right)]
    keys = _keys(sides, operation)
    joined = sides[0].merge(sides[1], on=keys, suffixes=("", "_right"))
    values = OPERATIONS[operation.operation](
        joined["value"].to_numpy(np.float64), joined["value_right"].to_numpy(np.float64)
    )
    table = pd.DataFrame(
        {
            "feature": operation.feature,
            "role": left.role if left.role == right.role else None,
            "value": values,
        },
        index=joined.index,
    ).astype({"role": "object"})
    for name in ("frame", "track_id", "label"):
        table[name] = _either(joined, name).astype("Int64")
    table["time_min"] = _either(joined, "time_min").astype("float64")
    order = ["frame", "track_id", "label"]
    return table.sort_values(order, ignore_index=True, kind="stable")


def _either(joined: pd.DataFrame, name: str) -> pd.Series:
    """A column of whichever side has it; of the left one if both have."""
    blank = pd.Series(pd.NA, joined.index, dtype="Int64")
    return joined.get(name, blank)


def operand_table(tables: Mapping[str, pd.DataFrame], operand: Operand) -> pd.DataFrame:
    """Keys and ``value`` of one operand.

    Raises:
        ConfigError: The table or its column does not exist.
    """
    if operand.table not in tables:
        raise ConfigError(
            f"There is no table '{operand.table}'",
            where="features",
            fix=f"name one of: {', '.join(tables)}",
        )
    table = tables[operand.table]
    if operand.column not in table or not pd.api.types.is_numeric_dtype(
        table[operand.column]
    ):
        numeric = table.select_dtypes(["number", "bool"]).columns
        raise ConfigError(
            f"'{operand.table}' has no numeric column '{operand.column}'",
            where="features",
            fix=f"name one of: {', '.join(map(str, numeric))}",
        )
    keys = [n for n in ("frame", "track_id", "label", "time_min") if n in table]
    return table[keys].assign(value=table[operand.column].astype("Float64"))


def _keys(sides: list[pd.DataFrame], operation: Operation) -> list[str]:
    same_role = operation.left.role == operation.right.role
    of_cells = [bool({"track_id", "label"} & {*side}) for side in sides]
    choices = _KEYS if same_role else () if all(of_cells) else (["frame"],)
    for keys in choices:
        if all({*keys} <= {*side} for side in sides):
            if any(not side.duplicated(keys).any() for side in sides):
                return keys
            break
    raise ConfigError(
        f"'{operation.left.table}' and '{operation.right.table}' cannot be joined: no "
        "key that both have names a row of either",
        where=f"{_WHERE}: {operation.feature}",
        fix="combine tables of one role, or with a table of one row per frame, such as "
        "frame_counts",
    )
