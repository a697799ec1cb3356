"""Gradients along tracks: lines keep their slope up to both ends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.schemas import FEATURES
from cyto_kedro.methods.features.gradients import Gradient, gradient_table, slopes
from tables import tracks_table


def gradient(table, window=5, column="mean_death", name="cancer.tracks"):
    source = {"table": name, "column": column}
    wanted = Gradient(feature="rise", source=source, window_frames=window)
    return FEATURES.validate(gradient_table({"cancer.tracks": table}, wanted))


def track(values, frame=None, interval=2.0):
    frame = np.arange(len(values)) if frame is None else np.asarray(frame)
    n = len(values)
    table = tracks_table(frame, [1] * n, [0] * n, [0] * n, interval)
    return table.assign(mean_death=np.asarray(values, float))


@given(
    seen=st.lists(st.booleans(), min_size=3, max_size=25),
    slope=st.floats(-20, 20),
    window=st.integers(3, 9),
)
@settings(max_examples=40, deadline=None)
def test_a_line_has_its_slope_wherever_it_is_known(seen, slope, window):
    frame = np.flatnonzero([True, *seen])
    table = gradient(track(slope * 2.0 * frame + 7, frame), window)
    rate = table["value"].to_numpy()
    lonely = [np.sum(np.abs(frame - f) <= window // 2) == 1 for f in frame]
    np.testing.assert_array_equal(np.isnan(rate), lonely)
    known = rate[~np.isnan(rate)]
    assert known == pytest.approx(np.full(len(known), slope), abs=1e-9)


def test_windows_are_fits_of_numpy_by_real_times():
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.uniform(1, 5, 30))
    values = rng.normal(0, 1, 30)
    values[[3, 12]] = np.nan
    ids = np.repeat([4, 9], 15)
    frame = np.tile(np.arange(15), 2)
    got = slopes(ids, frame, time, values, 2)
    for k in range(30):
        rows = (ids == ids[k]) & (np.abs(frame - frame[k]) <= 2) & ~np.isnan(values)
        if np.isnan(values[k]):
            assert np.isnan(got[k]), "unknown stays unknown"
        else:
            assert got[k] == pytest.approx(np.polyfit(time[rows], values[rows], 1)[0])


def test_a_constant_does_not_change_and_row_order_does_not_matter():
    assert (gradient(track([5.0] * 6))["value"] == 0).all(), "up to both ends"
    table = track([0.0, 1.0, 4.0, 9.0])
    shuffled = table.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(gradient(table), gradient(shuffled))


def test_keys_are_kept_and_tables_without_points_are_refused():
    table = gradient(track([1.0, 2.0]))
    assert table["label"].tolist() == [1, 1] and set(table["role"]) == {"cancer"}
    assert len(gradient(track([]))) == 0
    with pytest.raises(ConfigError, match="no points of tracks"):
        gradient(track([1.0, 2.0]).drop(columns="frame"))
    with pytest.raises(ConfigError, match="no table 'cancer"):
        gradient(track([1.0]), name="cancer.signal")
