"""Small tables that follow the contracts, for tests of every room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.core.table import TableSpec


def filled(spec: TableSpec, columns: dict[str, Any]) -> pd.DataFrame:
    """A table of ``spec`` with the given columns and harmless values elsewhere."""
    table = pd.DataFrame(columns)
    for name, col in spec.columns.items():
        if name not in table:
            blank = {"float64": np.nan, "Int64": pd.NA, "boolean": pd.NA, "object": "x"}
            table[name] = blank.get(col.dtype, int(col.ge or 0))
    return spec.conform(table)


def tracks_table(
    frame: Any,
    track_id: Any,
    y_um: Any,
    x_um: Any,
    interval_min: float = 1.0,
    **columns: Any,
) -> pd.DataFrame:
    """A TRACKS table; labels number the cells within each frame, in row order."""
    table = pd.DataFrame({"frame": frame, "track_id": track_id})
    table["y_um"], table["x_um"] = np.asarray(y_um, float), np.asarray(x_um, float)
    table["label"] = table.groupby("frame").cumcount() + 1
    table["time_min"] = table["frame"] * interval_min
    return filled(TRACKS, table.assign(**columns).to_dict("series"))
