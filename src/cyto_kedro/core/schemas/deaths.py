"""Who died, on what evidence, and what people say of it."""

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

VIABILITY = TableSpec(
    "viability",
    {
        "track_id": TRACK,
        "frame": FRAME,
        "label": LABEL,
        "time_min": TIME,
        "death_signal": number("intensity", "death marker above background, or CDI"),
        "alive_probability": Col(
            "float64", "", "probability to be alive", True, ge=0, le=1
        ),
        "alive": Col("boolean", "", "alive by the death event of the track", True),
    },
    unique=("track_id", "frame"),
)
DEATHS = TableSpec(
    "deaths",
    {
        "role": Col("object", "", "role of the cell"),
        "track_id": TRACK,
        "entry_frame": FRAME,
        "exit_frame": FRAME,
        "entry_min": TIME,
        "exit_min": TIME,
        "death_frame": Col("Int64", "frame", "frame of death, null if none", True),
        "death_time_min": number("min", "time of death, NaN if none", 0),
        "censored": flag("no death was seen"),
        "reason": Col(
            "object",
            "",
            "died, dead_at_entry, end_of_movie, left_field, divided or lost",
        ),
        "peak_signal": number("intensity", "largest death signal of the track"),
        "threshold": number("intensity", "threshold that the signal was held to"),
    },
    unique=("role", "track_id"),
)
DEATH_EVIDENCE = TableSpec(
    "death_evidence",
    {
        "role": NAME,
        "track_id": TRACK,
        "death_frame": FRAME,
        "death_time_min": TIME,
        "onset_min": number("min", "fitted time of 10 % of the marker's rise"),
        "onset_low_min": number("min", "lower bound of its interval"),
        "onset_high_min": number("min", "upper bound of its interval"),
        "rise_min": number("min", "fitted time from 10 % to 90 %", 0),
        "baseline": number("intensity", "fitted level before the rise"),
        "plateau": number("intensity", "fitted level after it"),
        "fit_r2": number("", "share of the variance that the rise explains"),
        "n_points": count("points around the death that were fitted"),
        "live_ratio": number("", "live signal after / before, rel. to the living"),
        "live_lost": Col("boolean", "", "second vote: live signal was lost", True),
        "track_confidence": number(
            "", "least link margin of the track up to its death, in [0, 1]", 0
        ),
    },
    unique=("role", "track_id"),
)
CONTROL_THRESHOLD = TableSpec(
    "control_threshold",
    {
        "role": NAME,
        "movie": NAME,
        "control": flag("the sheet says that this movie has no effectors"),
        "n_cells": count("tracked cells that were not dead at entry"),
        "n_control_cells": count("cells of control movies that were pooled"),
        "threshold": number("intensity", "threshold that was used"),
        "control_threshold": number("intensity", "what the controls suggest"),
        "n_deaths": count("deaths at the threshold that was used"),
        "n_below": count("of these, peak signal below the suggestion"),
        "n_above": count("living cells whose peak reaches it, at most so many deaths"),
    },
    unique=("role", "movie"),
)
# The check by eye: what is asked (`called` is kept from the person), and the outcome.
REVIEW = TableSpec(
    "review",
    {
        "event_id": NAME,
        "movie": NAME,
        "kind": Col("object", "", "death, kill, division or contact"),
        "question": Col("object", "", "what the person is asked"),
        "role": NAME,
        "track_id": TRACK,
        "other_role": Col(
            "object", "", "role of a kill's candidate, of the touched cell", True
        ),
        "other_track_id": Col("Int64", "", "the candidate, the touched cell", True),
        "frame": FRAME,
        "time_min": TIME,
        "called": flag("the analysis says yes"),
    },
    unique=("event_id",),
)
AGREEMENT = TableSpec(
    "agreement",
    {
        "kind": Col("object", "", "death, kill, division, contact or all"),
        "n": count("events that were judged"),
        "n_unclear": count("events that were left open"),
        "called_confirmed": count("called by the analysis, yes by the person"),
        "called_rejected": count("called by the analysis, no by the person"),
        "not_called_found": count("drawn at random, yes by the person"),
        "not_called_confirmed": count("drawn at random, no by the person"),
        "agreement": number("", "share of equal verdicts", 0),
        "kappa": number("", "Cohen's kappa on the sheet"),
        "kappa_low": number("", "lower 95 % bound"),
        "kappa_high": number("", "upper 95 % bound"),
        "precision": number("", "share of the called that are confirmed", 0),
        "precision_low": number("", "lower 95 % bound (Wilson)", 0),
        "precision_high": number("", "upper 95 % bound", 0),
        "missed": number("", "share of the others that are events too", 0),
        "missed_low": number("", "lower 95 % bound (Wilson)", 0),
        "missed_high": number("", "upper 95 % bound", 0),
    },
    unique=("kind",),
)
