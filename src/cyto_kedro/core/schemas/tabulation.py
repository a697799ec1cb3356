"""One row per cell and frame."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import FRAME, LABEL, TIME, count, flag, number
from cyto_kedro.core.table import Col, TableSpec

# pyCyto's 27 tabulation columns in its order, then ours. `i` counts rows (y), `j`
# counts columns (x). The bare x/y, bbox_[xy]*, size, feret and perimeter are physical.
PYCYTO_COLUMNS: dict[str, Col] = {
    "label": LABEL,
    "y": number("um", "centroid row"),
    "x": number("um", "centroid column"),
    "bbox_xstart": number("um", "centre of the bounding box's first column"),
    "bbox_ystart": number("um", "centre of the bounding box's first row"),
    "bbox_xsize": number("um", "width of the bounding box", 0),
    "bbox_ysize": number("um", "height of the bounding box", 0),
    "i": number("px", "centroid row"),
    "j": number("px", "centroid column"),
    "bbox_istart": Col("int64", "px", "first row of the bounding box", ge=0),
    "bbox_jstart": Col("int64", "px", "first column of the bounding box", ge=0),
    "bbox_isize": Col("int64", "px", "rows of the bounding box", ge=1),
    "bbox_jsize": Col("int64", "px", "columns of the bounding box", ge=1),
    "size": number("um2", "area", 0),
    "elongation": number("", "sqrt(largest / smallest principal moment)", 0),
    "flatness": number("", "equals elongation in 2D (ITK's definition)", 0),
    "roundness": number("", "perimeter of the equal-area disc / perimeter", 0),
    "feret_diameter": number("um", "largest distance of two pixel centres", 0),
    "feret_radius": number("um", "half the Feret diameter", 0),
    "perimeter": number("um", "Crofton estimate over 8-direction intercepts", 0),
    "mass": number("intensity", "sum of the role's first channel inside the mask"),
    "mean": number("intensity", "mean of the role's first channel"),
    "median": number("intensity", "exact median of the role's first channel"),
    "sd": number(
        "intensity",
        "standard deviation (n - 1) of the role's first channel; NaN for one pixel",
        0,
    ),
    "frame": FRAME,
    "channel": Col("object", "", "role that the cell belongs to"),
    "alive": Col("boolean", "", "alive in this frame; unknown here", nullable=True),
}
OWN_COLUMNS: dict[str, Col] = {
    "time_min": TIME,
    "y_um": number("um", "centroid row", 0),
    "x_um": number("um", "centroid column", 0),
    "area_px": Col("int64", "px", "pixels of the mask", ge=1),
    "area_um2": number("um2", "area", 0),
    "touches_border": flag(
        "mask touches the edge of the image, or of what registration left of it"
    ),
    "in_valid_region": flag("mask lies in pixels that registration left valid"),
}
CHANNEL_PATTERNS: dict[str, Col] = {
    r"^mean_.+$": number("intensity", "mean of this channel inside the mask"),
    r"^median_.+$": number("intensity", "median of this channel inside the mask"),
    r"^sd_.+$": number("intensity", "standard deviation of this channel", 0),
    r"^background_.+$": number(
        "intensity", "median of this channel outside all masks of the role"
    ),
}
DETECTIONS = TableSpec(
    "detections",
    PYCYTO_COLUMNS | OWN_COLUMNS,
    CHANNEL_PATTERNS,
    unique=("frame", "label"),
)
FRAME_COUNTS = TableSpec(
    "frame_counts",
    {
        "frame": FRAME,
        "time_min": TIME,
        "n_cells": count("cells in this frame (0 is kept)"),
        "covered_fraction": number("", "part of the image covered by masks", 0),
    },
    {r"^background_.+$": CHANNEL_PATTERNS[r"^background_.+$"]},
    unique=("frame",),
)
