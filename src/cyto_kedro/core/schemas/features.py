"""Selected cells, cell features and the predecessor's measures."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import (
    FRAME,
    NAME,
    TIME,
    TRACK,
    count,
    flag,
    number,
)
from cyto_kedro.core.table import Col, TableSpec

SELECTION = TableSpec(
    "selection",
    {
        "role": NAME,
        "track_id": TRACK,
        "n_points": Col("int64", "", "points of the track", ge=1),
        "n_kept": count("points that passed all steps"),
        "selected": flag("the track passed all steps"),
        "failed_step": Col("Int64", "", "first step that it did not pass", True),
    },
    unique=("role", "track_id"),
)
SELECTION_STEPS = TableSpec(
    "selection_steps",
    {
        "role": NAME,
        "step": count("number of the step; 0 = before the first"),
        "what": Col("object", "", "the step in words"),
        "n_points": count("points left, interpolated ones included"),
        "n_interpolated": count("interpolated points among them"),
        "n_tracks": count("tracks left"),
    },
    unique=("role", "step"),
)
FEATURES = TableSpec(
    "features",
    {
        "feature": NAME,
        "role": Col("object", "", "role; null where two roles are combined", True),
        "frame": Col("Int64", "frame", "frame; null = of a whole track", True),
        "track_id": Col("Int64", "", "track; null = of a frame", True),
        "label": Col("Int64", "", "label in the mask, where known", True),
        "time_min": number("min", "time of the frame", 0),
        "value": number("", "value of the feature"),
    },
)
CHANNEL_CORRELATION = TableSpec(
    "channel_correlation",
    {
        "frame": FRAME,
        "time_min": TIME,
        "channel_a": NAME,
        "channel_b": NAME,
        "region": Col("object", "", "image, or the role whose masks are meant"),
        "n_px": count("pixels of the region"),
        "pearson": Col("float64", "", "Pearson's r", True, ge=-1, le=1),
        "slope": number("", "intensity of channel b per intensity of channel a"),
    },
    unique=("frame", "channel_a", "channel_b", "region"),
)
KILLING_CAPACITY = TableSpec(
    "killing_capacity",
    {
        "target": NAME,
        "start_min": TIME,
        "end_min": TIME,
        "n_effectors": number("", "living effectors in view, mean of the frames", 0),
        "n_targets": number("", "living targets in view, mean of the frames", 0),
        "effector_hours": number("h", "time of living effectors in view", 0),
        "target_hours": number("h", "time of living targets in view", 0),
        "n_deaths": count("deaths"),
        "kills_shared": number("", "summed shared credit", 0),
        "kills_hazard": number("", "summed credit of the hit model", 0),
        "deaths_per_effector_hour": number("1/h", "deaths / effector hours", 0),
        "ci_low": number("1/h", "lower bound of the deaths per effector hour", 0),
        "ci_high": number("1/h", "upper bound", 0),
        "kills_shared_per_effector_hour": number("1/h", "kills, shared credit", 0),
        "kills_hazard_per_effector_hour": number("1/h", "kills, hit model", 0),
        "deaths_per_target_hour": number("1/h", "deaths / target hours", 0),
    },
    unique=("target", "start_min"),
)
DELAYED_VIABILITY = TableSpec(
    "delayed_viability",
    {
        "target": NAME,
        "group": Col("object", "", "contacted, or uncontacted until censored by one"),
        "delay_min": number("min", "since the first contact; uncontacted: entry", 0),
        "n_at_risk": count("targets at risk just before"),
        "n_deaths": count("deaths at this delay"),
        "n_censored": count("censored at this delay"),
        "alive": Col("float64", "", "Kaplan-Meier estimate", True, ge=0, le=1),
        "ci_low": Col("float64", "", "lower log-log bound", True, ge=0, le=1),
        "ci_high": Col("float64", "", "upper log-log bound", True, ge=0, le=1),
    },
    unique=("target", "group", "delay_min"),
)
