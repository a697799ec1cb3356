"""How cells move."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import (
    FRAME,
    LABEL,
    NAME,
    TIME,
    TRACK,
    count,
    number,
)
from cyto_kedro.core.table import Col, TableSpec

KINEMATICS = TableSpec(
    "kinematics",
    {
        "track_id": TRACK,
        "frame": FRAME,
        "label": LABEL,
        "time_min": TIME,
        "dt_min": number("min", "time since the previous point", 0),
        "vel_y_um_per_min": number("um/min", "row velocity from the previous point"),
        "vel_x_um_per_min": number("um/min", "column velocity"),
        "speed_um_per_min": number("um/min", "step speed; NaN at start and gaps", 0),
        "turning_angle_deg": number("deg", "angle between steps, in [0, 180]", 0),
        "path_um": number("um", "path length so far", 0),
        "net_displacement_um": number("um", "distance from the first point", 0),
    },
    unique=("track_id", "frame"),
)
TRACK_SUMMARY = TableSpec(
    "track_summary",
    {
        "track_id": TRACK,
        "parent_track_id": Col("Int64", "", "track that divided into this one", True),
        "n_points": Col("int64", "", "detections in the track", ge=1),
        "first_frame": FRAME,
        "last_frame": FRAME,
        "duration_min": number("min", "time from first to last point", 0),
        "n_gaps": count("places where frames were skipped"),
        "n_daughters": count("tracks that name this one as parent"),
        "path_um": number("um", "path length", 0),
        "net_displacement_um": number("um", "distance from first to last point", 0),
        "straightness": number("", "net displacement / path length, in [0, 1]", 0),
        "outreach": number("", "largest distance from start / path length", 0),
        "mean_speed_um_per_min": number("um/min", "mean step speed", 0),
        "median_speed_um_per_min": number("um/min", "median step speed", 0),
        "max_speed_um_per_min": number("um/min", "fastest step", 0),
        "arrest_coefficient": number("", "share of steps below the arrest speed", 0),
        "mean_turning_angle_deg": number("deg", "mean turning angle", 0),
        "mean_link_confidence": number("", "mean link confidence", 0),
        "track_confidence": number(
            "", "least link margin, in [0, 1]; 0 = an ambiguous link", 0
        ),
        "mean_area_um2": number("um2", "mean area", 0),
    },
    unique=("track_id",),
)
MSD = TableSpec(
    "msd",
    {
        "lag_frames": Col("int64", "frame", "lag", ge=1),
        "lag_min": number("min", "lag", 0),
        "msd_um2": number("um2", "mean squared displacement over real pairs", 0),
        "ci_low_um2": number("um2", "bootstrap 2.5 % bound over tracks", 0),
        "ci_high_um2": number("um2", "bootstrap 97.5 % bound over tracks", 0),
        "n_pairs": count("pairs of points"),
        "n_tracks": count("tracks"),
    },
    unique=("lag_frames",),
)
PERSISTENCE = TableSpec(
    "persistence",
    {
        "lag_frames": Col("int64", "frame", "frames between two steps", ge=1),
        "lag_min": number("min", "lag", 0),
        "autocorrelation": number(
            "", "mean cosine of the angle between steps that far apart, in [-1, 1]"
        ),
        "ci_low": number("", "bootstrap 2.5 % bound over tracks"),
        "ci_high": number("", "bootstrap 97.5 % bound over tracks"),
        "fitted": number("", "the exponential that was fitted; NaN if not used"),
        "n_pairs": count("pairs of steps"),
        "n_tracks": count("tracks"),
    },
    unique=("lag_frames",),
)
MOTION_FIT = TableSpec(
    "motion_fit",
    {
        "n_tracks": count("tracks with a step"),
        "n_steps": count("steps between neighbouring frames"),
        "mean_speed_um_per_min": number("um/min", "mean of all steps", 0),
        "msd_diffusion": number("um2/min^alpha", "D of MSD = 2 d D t^alpha", 0),
        "msd_exponent": number("", "alpha: 1 random walk, 2 straight, < 1 confined"),
        "msd_lags": count("lags that this was fitted on"),
        "persistence_min": number("min", "time to forget the direction", 0),
        "persistence_low_min": number("min", "bootstrap 2.5 % bound over tracks", 0),
        "persistence_high_min": number("min", "bootstrap 97.5 % bound", 0),
        "persistence_amplitude": number("", "autocorrelation extrapolated to lag 0"),
        "persistence_lags": count("lags that this was fitted on"),
        "persistence_verdict": Col(
            "object",
            "",
            "fitted, none (no memory from one step to the next), longer_than_seen or "
            "too_few_lags",
        ),
    },
)
CONTACT_MOTION = TableSpec(
    "contact_motion",
    {
        "effector": NAME,
        "target": NAME,
        "effector_track_id": TRACK,
        "state": Col("object", "", "before, during, after a contact, or free"),
        "n_steps": Col("int64", "", "steps in this state", ge=1),
        "time_min": number("min", "time that these steps took", 0),
        "mean_speed_um_per_min": number("um/min", "mean step speed", 0),
        "median_speed_um_per_min": number("um/min", "median step speed", 0),
        "arrest_coefficient": number("", "share of steps below the arrest speed", 0),
        "mean_turning_angle_deg": number(
            "deg", "mean angle between two steps of this state", 0
        ),
        "straightness": number(
            "", "net / path over the stretches in this state, weighted by path", 0
        ),
    },
    unique=("effector", "target", "effector_track_id", "state"),
)
