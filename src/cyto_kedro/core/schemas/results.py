"""The tables that join the others."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import (
    FRAME,
    LABEL,
    NAME,
    TIME,
    TRACK,
    count,
    flag,
    number,
)
from cyto_kedro.core.table import Col, TableSpec

# pyCyto's README: one row per cell per frame, all roles of the movie together.
RESULT = TableSpec(
    "result",
    {
        "Id": Col("int64", "", "row id, unique within the movie", ge=1),
        "Track_id": Col("Int64", "", "cell over time, unique within the movie", True),
        "x": number("um", "centroid column"),
        "y": number("um", "centroid row"),
        "z": number("um", "plane; 0 in 2D"),
        "t": Col("int64", "frame", "0-based frame index", ge=0),
        "ch0_signal": number("intensity", "mean of the first channel in the mask"),
        "ch1_signal": number("intensity", "mean of the second channel in the mask"),
        "alive_probability": Col("float64", "", "NaN where not measured", True, 0, 1),
        "vel_x": number("um/min", "column velocity from the previous point"),
        "vel_y": number("um/min", "row velocity from the previous point"),
        "vel_z": number("um/min", "plane velocity; 0 in 2D, NaN where vel_x is"),
        "contact": flag("in contact with a cell of the other kind"),
        "contact_cell_id": Col("Int64", "", "Id of the nearest touching cell", True),
        "contact_count": count("cells of the other kind in contact"),
    },
    unique=("Id",),
)
CELLS = TableSpec(
    "cells",
    {
        "Id": Col("int64", "", "row of the result table", ge=1),
        "role": Col("object", "", "role of the cell"),
        "frame": FRAME,
        "time_min": TIME,
        "label": LABEL,
        "track_id": TRACK,
    },
    unique=("Id",),
)
# Condition columns of the sheet follow, whatever they are called.
EXPERIMENT_RESULT = TableSpec(
    "experiment_result",
    {"dataset": NAME, "movie": NAME, "role": NAME, "label": LABEL, "time_min": TIME}
    | RESULT.columns,
    open=True,
)
