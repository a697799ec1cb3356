"""What preprocessing measured: light, drift, deformation, intensity range."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import FRAME, NAME, TIME, count, number
from cyto_kedro.core.table import Col, TableSpec

FRAME_STATS = TableSpec(
    "frame_stats",
    {
        "channel": NAME,
        "frame": FRAME,
        "time_min": TIME,
        "minimum": number("intensity", "smallest pixel"),
        "p01": number("intensity", "1st percentile"),
        "median": number("intensity", "median"),
        "mean": number("intensity", "mean"),
        "p99": number("intensity", "99th percentile"),
        "maximum": number("intensity", "largest pixel"),
        "saturated_fraction": number("", "pixels at the dtype's maximum", 0),
        "focus": number("", "variance of the Laplacian / mean squared", 0),
    },
    unique=("channel", "frame"),
)
# A frame's content at p = (y, x) lies on the reference at c + A (p - c) + (dy, dx) with
# c the centre of the image and A the linear part; tables without A mean A = 1.
DRIFT = TableSpec(
    "drift",
    {
        "frame": FRAME,
        "dy_px": number("px", "row shift of the centre onto the reference"),
        "dx_px": number("px", "column shift of the centre onto the reference"),
        "valid_y0": count("first row with data after the frame was moved"),
        "valid_y1": count("one past the last row with data"),
        "valid_x0": count("first column with data"),
        "valid_x1": count("one past the last column with data"),
        "quality": number("", "correlation after registration, in [-1, 1]"),
    },
    {
        "^linear_yy$": number("", "A: rows per row, about the centre; 1 = unchanged"),
        "^linear_yx$": number("", "A: rows per column; -sin of a rotation's angle"),
        "^linear_xy$": number("", "A: columns per row; sin of a rotation's angle"),
        "^linear_xx$": number("", "A: columns per column; 1 = unchanged"),
    },
    unique=("frame",),
)
DEFORMATION = TableSpec(
    "deformation",
    {
        "frame": FRAME,
        "y_px": number("px", "row of a node of the control grid on the reference"),
        "x_px": number("px", "column of the node"),
        "dy_px": number("px", "row displacement there, on top of the drift"),
        "dx_px": number("px", "column displacement there"),
    },
    unique=("frame", "y_px", "x_px"),
)
RESIDUAL_MOTION = TableSpec(
    "residual_motion",
    {
        "frame": FRAME,
        "reference_frame": Col(
            "Int64", "frame", "frame that it was compared with; null = none", True
        ),
        "reliable_fraction": Col(
            "float64", "", "part of the image whose motion is believed", ge=0, le=1
        ),
        "common_dy_px": number("px", "rows that the registration missed (median)"),
        "common_dx_px": number("px", "columns that the registration missed"),
        "rms_px": number("px", "rms of the local displacement beyond the common", 0),
        "p95_px": number("px", "95th percentile of the same", 0),
        "coherence": number(
            "", "share of it that neighbours or one affine motion foretell"
        ),
        "verdict": Col(
            "object", "", "aligned, shifted, deformed, own_motion or unknown"
        ),
        "transform_needed": Col(
            "object",
            "",
            "least transform that would take the rest out: none, translation, rigid, "
            "affine, deformable or unknown",
        ),
    },
    unique=("frame",),
)
INTENSITY_RANGE = TableSpec(
    "intensity_range",
    {
        "step": Col("int64", "", "position of the preprocessing step, from 0", ge=0),
        "lp": Col("float64", "%", "lower percentile", ge=0, le=100),
        "up": Col("float64", "%", "upper percentile", ge=0, le=100),
        "low": number("intensity", "lower percentile's value over the movie"),
        "high": number("intensity", "upper percentile's value over the movie"),
    },
    unique=("step",),
)
