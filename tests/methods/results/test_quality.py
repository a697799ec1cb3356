"""Each warning appears for its fault, with its figure, and for nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import (
    DRIFT,
    FRAME_COUNTS,
    FRAME_STATS,
    RESIDUAL_MOTION,
    TRACK_SUMMARY,
)
from cyto_kedro.methods.results.quality import (
    QualityLimits,
    quality_warnings,
    signal_loss,
)
from tables import filled

T = 40


def stats(**columns):
    rng = np.random.default_rng(0)
    good = {
        "channel": "red",
        "frame": range(T),
        "time_min": np.arange(T) * 2.0,
        "minimum": 80.0,
        "p01": 100.0,
        "p99": 1100 + rng.normal(0, 30, T),
        "maximum": 3000.0,
        "saturated_fraction": 0.0,
        "focus": 1 + rng.normal(0, 0.05, T),
    }
    return filled(FRAME_STATS, good | columns)


def warnings_of(
    frame_stats=None,
    shift=0.0,
    n_cells=None,
    n_points=20,
    limits=None,
    spacing=0.5,
    left=(),
    turn=0.0,
):
    calibration = Calibration.regular((T, 100, 100), spacing, 2.0)
    counts = np.full(T, 30) if n_cells is None else n_cells
    drift = {"frame": range(T), "dy_px": 0.0, "dx_px": np.linspace(0, shift, T)}
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    drift |= {"linear_yy": c, "linear_yx": -s, "linear_xy": s, "linear_xx": c}
    residual = [
        {"frame": 10 * (k + 1), "verdict": verdict, "transform_needed": needed}
        for k, (verdict, needed) in enumerate(left)
    ]
    tracks = {"track_id": range(1, 11), "n_points": n_points}
    return quality_warnings(
        calibration,
        limits or QualityLimits(),
        stats() if frame_stats is None else frame_stats,
        filled(DRIFT, drift),
        filled(RESIDUAL_MOTION, residual) if left else RESIDUAL_MOTION.empty(),
        {"tcell": filled(FRAME_COUNTS, {"frame": range(T), "n_cells": counts})},
        {"tcell": filled(TRACK_SUMMARY, tracks)},
    )


def replaced(value, at, good):
    out = np.full(T, good, dtype=float)
    out[at] = value
    return out


def test_a_good_movie_has_no_warning():
    assert warnings_of() == []


faded = 100 + 1000 * np.exp(-np.arange(T) / (T - 1) * np.log(2))
FAULTS = {
    "drift": ({"shift": -50.0}, ["25.0 um", "frame 39"]),
    # 30 degrees: a corner moves by 2 sin(15) times half of the diagonal, 70 px.
    "rotation": ({"turn": 30.0}, ["up to 18.1 um"]),
    "deformation": (
        {
            "left": [
                ("aligned", "none"),
                ("deformed", "affine"),
                ("deformed", "rigid"),
                ("deformed", "affine"),
            ]
        },
        ["3 of 4 sampled", "frames 20, 30, 40", "transform: affine"],
    ),
    "not registered": (
        {"left": [("shifted", "translation")]},
        ["1 of 1 sampled", "frame 10", "registration on"],
    ),
    "bleaching": ({"frame_stats": stats(p99=faded)}, ["red", "50 %", "bleaching"]),
    "focus": (
        {"frame_stats": stats(focus=replaced(0.2, [7, 8], 1))},
        ["red", "2 of 40", "frames 7, 8", "focus"],
    ),
    "saturation": (
        {"frame_stats": stats(saturated_fraction=replaced(0.021, [3], 0))},
        ["2.1 %", "frame 3", "saturated"],
    ),
    "blank": (
        {
            "frame_stats": stats(
                maximum=replaced(80, [5], 3000), focus=replaced(0, [5], 1)
            )
        },
        ["1 of 40", "frame 5", "contrast"],
    ),
    "empty": (
        {"n_cells": replaced(0, range(10, 20), 5).astype(int)},
        ["No tcell", "10 of 40", "frames 10, 11, 12, 13, 14 and 5 more"],
    ),
    "short": ({"n_points": [2] * 7 + [30] * 3}, ["70 %", "10 tcell tracks"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_figure(fault):
    changes, words = FAULTS[fault]
    (text,) = warnings_of(**changes)
    assert [word for word in words if word not in text] == []
    assert text.endswith(".")


def test_a_limit_is_where_it_says():
    assert warnings_of(shift=19.9) == [] and len(warnings_of(shift=20.1)) == 1


def test_limits_are_the_users():
    relaxed = QualityLimits(drift_um=30, short_track_fraction=0.8)
    assert warnings_of(shift=50.0, n_points=[2] * 7 + [30] * 3, limits=relaxed) == []


def test_one_blank_frame_does_not_look_like_bleaching():
    good = stats()["p99"].to_numpy().copy()
    good[-1] = 100.0
    assert abs(signal_loss(stats(p99=good))) < 0.1


def test_loss_of_signal_is_exact_for_an_exponential_at_irregular_times():
    time = np.cumsum(np.random.default_rng(1).uniform(1, 5, T))
    p99 = 100 + 800 * np.exp(-0.003 * time)
    expected = 1 - np.exp(-0.003 * (time[-1] - time[0]))
    assert signal_loss(stats(time_min=time, p99=p99)) == pytest.approx(expected)
    many = pd.concat([stats(p99=faded)] * 30, ignore_index=True)
    many["time_min"] = np.arange(len(many)) * 1.0
    many["p99"] = 100 + 500 * np.exp(-0.001 * many["time_min"])
    assert signal_loss(many) == pytest.approx(1 - np.exp(-0.001 * (len(many) - 1)))


def test_growing_signal_is_no_bleaching():
    assert signal_loss(stats(p99=100 + 10.0 * np.arange(1, T + 1))) < 0


def test_a_black_channel_has_no_trend():
    assert np.isnan(signal_loss(stats(p99=100.0)))
    assert np.isnan(signal_loss(stats().iloc[:0]))
