"""What was checked, in words that name the planted fault."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import DRIFT, FRAME_COUNTS, FRAME_STATS, RESIDUAL_MOTION
from cyto_kedro.methods.reporting.checks import check_movie, residual_words
from tables import filled

N = 20
MOVIE = Calibration.regular((N, 100, 200), pixel_size_um=0.5, frame_interval_min=1.0)


def drift(shift_px):
    dx = np.linspace(0, shift_px, N)
    return filled(
        DRIFT,
        {
            "frame": np.arange(N),
            "dy_px": 0.0,
            "dx_px": dx,
            "valid_y0": 0,
            "valid_y1": 100,
            "valid_x0": np.ceil(dx).astype(int),
            "valid_x1": 200,
        },
    )


def stats(factor):
    level = 100 * np.exp(np.linspace(0, np.log(factor), N))
    return filled(
        FRAME_STATS,
        {
            "channel": "red",
            "frame": np.arange(N),
            "time_min": np.arange(N) * 1.0,
            "p01": 0.0,
            "p99": level,
            "focus": 1.0,
            "saturated_fraction": 0.02,
        },
    )


def residual(verdicts):
    n = len(verdicts)
    return filled(
        RESIDUAL_MOTION,
        {
            "frame": np.arange(n),
            "reference_frame": pd.array([0] * n, "Int64"),
            "rms_px": 0.25,
            "verdict": verdicts,
        },
    )


def found(**changes):
    tables = {
        "drift": drift(0),
        "stats": stats(1.0),
        "residual": residual(["aligned"] * 3),
    } | changes
    counts = filled(
        FRAME_COUNTS, {"frame": np.arange(N), "n_cells": np.arange(N, 0, -1)}
    )
    checked = check_movie(
        MOVIE, tables["stats"], tables["drift"], tables["residual"], {"cancer": counts}
    )
    return checked.set_index("check")["finding"]


def test_drift_and_what_it_costs():
    text = found(drift=drift(20))["stage drift"]
    assert "Up to 10 µm (frame 19)" in text and "10% of the image" in text


def test_bleaching_and_saturation():
    text = found(stats=stats(0.5))["channel red"]
    assert "signal lost over the movie: 50%" in text
    assert "saturated pixels at most 2.00%" in text


def test_cells_lost_over_the_movie():
    assert found()["cancer cells in view"] == "20 at first, 1 at last, 1 to 20 between."


def test_the_verdicts_on_motion_are_said_in_words():
    text = residual_words(residual(["aligned", "aligned", "deformed"]))
    assert "Of 3 sampled frames 2 lie on their reference; 1 are deformed" in text
    assert "at most 0.25 px" in text


def test_a_single_frame_has_nothing_to_compare_with():
    table = residual(["unknown"]).assign(reference_frame=pd.array([None], "Int64"))
    assert residual_words(table) == "There is no other frame to compare with."
