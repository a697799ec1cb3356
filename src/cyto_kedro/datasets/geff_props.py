"""The columns of a table of tracks as properties of a geff's nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import CHANNEL_PATTERNS, EXCHANGED_TRACKS, TRACKS

_UNITS = {"px": "pixel", "px2": "pixel2", "um": "micrometer", "um2": "micrometer2"}
_UNITS |= {"min": "minute", "frame": "frame"}
# Our positions in um are what the axes are called after; pyCyto's y and x are the same.
_AXIS_OF = {"frame": "t", "y_um": "y", "x_um": "x"}
_LEFT_OUT = ("y", "x")


def node_props(table: pd.DataFrame) -> tuple[dict[str, Any], dict[str, str]]:
    """Values and missing flags of every numeric column that is not all unknown.

    Args:
        table: Checked table of tracks.

    Returns:
        The properties by name, and the column that each comes from. ``radius_um`` is
        derived from the area where the table has none.
    """
    if "radius_um" not in table:
        area = table.get("area_um2", pd.Series(np.nan, table.index))
        table = table.assign(radius_um=np.sqrt(area.astype(np.float64) / np.pi))
    props: dict[str, Any] = {}
    renamed: dict[str, str] = {}
    for column in table.columns:
        if column in _LEFT_OUT or not pd.api.types.is_numeric_dtype(table[column]):
            continue
        if column not in _AXIS_OF and len(table) and table[column].isna().all():
            continue
        name = _AXIS_OF.get(column, column)
        props[name], renamed[name] = _prop(table[column]), column
    return props, renamed


def _prop(column: pd.Series) -> dict[str, Any]:
    missing = column.isna().to_numpy()
    blank = 0 if pd.api.types.is_integer_dtype(column) else np.nan
    if pd.api.types.is_bool_dtype(column):
        values = column.fillna(False).to_numpy(dtype=bool)
    elif pd.api.types.is_integer_dtype(column):
        values = column.fillna(blank).to_numpy(dtype=np.int64)
    else:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return {"values": values, "missing": missing if missing.any() else None}


def props_metadata(props: dict[str, Any], renamed: dict[str, str]) -> dict[str, Any]:
    """Unit and meaning of each property, from the contracts of the tables."""
    from geff_spec import PropMetadata

    known = EXCHANGED_TRACKS.columns | TRACKS.columns
    found = {}
    for name, prop in props.items():
        col = known.get(renamed[name]) or next(
            (
                c
                for p, c in CHANNEL_PATTERNS.items()
                if renamed[name].startswith(p[1:5])
            ),
            None,
        )
        unit = _UNITS.get(col.unit, col.unit) if col else None
        found[name] = PropMetadata(
            identifier=name,
            dtype=prop["values"].dtype.name,
            unit=unit or None,
            description=col.about if col else None,
        )
    return found
