"""Tables as GraphPad Prism and spreadsheets take them: a column per group or cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def columns_of(groups: Mapping[str, pd.Series | np.ndarray]) -> pd.DataFrame:
    """A column table: one column per group, its values below each other.

    Shorter columns end in blanks; undefined values are left out.

    Args:
        groups: Values by group.
    """
    known = {
        name: pd.Series(np.asarray(values, dtype=np.float64)).dropna()
        for name, values in groups.items()
    }
    filled = {name: s.reset_index(drop=True) for name, s in known.items()}
    return pd.DataFrame(filled, columns=list(groups))


def over_time(
    tables: Mapping[str, pd.DataFrame], value: str, time: str = "time_min"
) -> pd.DataFrame:
    """An XY table: one row per time, one column per table.

    Args:
        tables: Tables with one row per time, by the name of their column.
        value: Column that is shown.
        time: Column of the rows.
    """
    parts = [
        pd.Series(table[value].to_numpy(), pd.Index(table[time], name=time), name=name)
        for name, table in tables.items()
    ]
    if not parts:
        return pd.DataFrame({time: pd.Series(dtype=np.float64)})
    return pd.concat(parts, axis=1).sort_index().rename_axis(time).reset_index()


def traces(
    table: pd.DataFrame, key: str, value: str, prefix: str, time: str = "time_min"
) -> pd.DataFrame:
    """An XY table: one row per time, one column per cell.

    Args:
        table: One row per cell and time.
        key: Column that names the cell.
        value: Column that is shown.
        prefix: Stands before the cell's number in the column's name.
        time: Column of the rows.
    """
    if table.empty:
        return pd.DataFrame({time: pd.Series(dtype=np.float64)})
    wide = table.pivot(index=time, columns=key, values=value).sort_index()
    wide.columns = pd.Index([f"{prefix} {number}" for number in wide.columns])
    return wide.reset_index()


def survival_cells(
    deaths: Mapping[str, pd.DataFrame], groups: Mapping[str, str]
) -> pd.DataFrame:
    """A survival table: one row per cell, X = minutes in view, 1 = died, 0 = censored.

    Prism's survival analysis knows no delayed entry: time runs from when the cell was
    first seen. Cells that were dead then, were seen once only, or whose signal was
    never known are left out.

    Args:
        deaths: Table DEATHS by movie.
        groups: Group of each movie.
    """
    names = list(dict.fromkeys(groups[m] for m in deaths))
    rows = []
    for movie, table in deaths.items():
        watched = (table["reason"] != "dead_at_entry") & table["peak_signal"].notna()
        alive = table[watched]
        end = alive["death_time_min"].where(~alive["censored"], alive["exit_min"])
        part = pd.DataFrame({"minutes_in_view": end - alive["entry_min"]})
        part[groups[movie]] = (~alive["censored"]).astype(int)
        # Seen in one frame only: never at risk.
        rows.append(part[part["minutes_in_view"] > 0])
    if not rows:
        return pd.DataFrame(columns=["minutes_in_view"])
    table = pd.concat(rows, ignore_index=True)
    return table[["minutes_in_view", *names]].astype(dict.fromkeys(names, "Int64"))


def survival_curves(
    survival: pd.DataFrame, role: str, groups: Sequence[str]
) -> pd.DataFrame:
    """An XY table with limits: per group the estimate (%), upper and lower bound.

    Paste it into an XY table of the kind "mean with upper and lower limits". A curve
    holds its last value until the next event; beyond its data it is blank.

    Args:
        survival: Table SURVIVAL.
        role: Target role.
        groups: Strata, in order.
    """
    own = survival[(survival["role"] == role) & survival["group"].isin(list(groups))]
    times = np.unique(np.concatenate([[0.0], own["time_min"].to_numpy()]))
    columns = {"time_min": times}
    for group in groups:
        part = own[own["group"] == group].sort_values("time_min")
        at = np.searchsorted(part["time_min"].to_numpy(), times, side="right")
        beyond = times > (part["time_min"].max() if len(part) else -1)
        for name, column in (
            ("", "survival"),
            (" upper", "ci_high"),
            (" lower", "ci_low"),
        ):
            values = np.concatenate([[1.0], part[column].to_numpy(np.float64)])[at]
            columns[f"{group}{name}"] = np.where(beyond, np.nan, 100 * values)
    return pd.DataFrame(columns)
