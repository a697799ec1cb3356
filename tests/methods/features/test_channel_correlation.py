"""Correlation of channels against planted bleed-through and numpy."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.schemas import CHANNEL_CORRELATION, DRIFT
from cyto_kedro.methods.features.channel_correlation import channel_correlation
from cyto_kedro.simulation.movie import simulate
from cyto_kedro.simulation.params import (
    OpticsParams,
    SimulationParams,
    TargetParams,
)
from tables import filled

SHAPE = (3, 40, 50)


def whole_frames(shape=SHAPE, **valid):
    given = {"valid_y0": 0, "valid_y1": shape[1], "valid_x0": 0, "valid_x1": shape[2]}
    columns = {"frame": np.arange(shape[0])} | given | valid
    return filled(DRIFT, pd.DataFrame(columns).to_dict("series"))


def correlated(images, labels=None, drift=None):
    drift = whole_frames() if drift is None else drift
    times = np.arange(len(drift)) * 2.0
    table = channel_correlation(images, labels or {}, drift, times)
    return CHANNEL_CORRELATION.validate(table).set_index(
        ["frame", "channel_a", "channel_b", "region"]
    )


@pytest.fixture
def movie():
    rng = np.random.default_rng(0)
    cells = rng.gamma(2, 100, SHAPE) + 50_000
    masks = np.zeros(SHAPE, np.uint32)
    masks[:, 10:20, 10:30] = 7
    leak = 0.25 * cells + rng.normal(0, 1, SHAPE)
    other = rng.normal(200, 5, SHAPE)
    other[:, 10:20, 10:30] = 3 * cells[:, 10:20, 10:30]
    return {"cells": cells, "death": leak, "other": other}, {"tcell": masks}


def test_bleed_through_shows_as_correlation_and_slope(movie):
    table = correlated(*movie)
    assert len(table) == 3 * 3 * 2, "frames, pairs, regions"
    leak = table.loc[(1, "cells", "death", "image")]
    assert leak["pearson"] > 0.99 and leak["slope"] == pytest.approx(0.25, abs=0.001)
    inside = table.loc[(1, "cells", "other", "tcell")]
    assert inside["pearson"] == pytest.approx(1) and inside["slope"] == pytest.approx(3)
    assert inside["n_px"] == 200
    assert table.loc[(1, "cells", "other", "image"), "pearson"] < 0.5


def test_values_equal_numpy_for_lazy_integers_too(movie):
    images, labels = movie
    lazy = {
        name: da.from_array(image.astype(np.uint16), chunks=(1, 40, 50))
        for name, image in images.items()
    }
    table = correlated(lazy, {r: da.from_array(m) for r, m in labels.items()})
    a, b = (
        lazy[name][2].compute().ravel().astype(float) for name in ("cells", "death")
    )
    row = table.loc[(2, "cells", "death", "image")]
    assert row["pearson"] == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-9)
    assert row["slope"] == pytest.approx(np.polyfit(a, b, 1)[0], rel=1e-9)


def test_the_margin_that_registration_left_is_not_looked_at(movie):
    images, labels = movie
    broken = {name: image.copy() for name, image in images.items()}
    for image in broken.values():
        image[:, :8] = 0
    cut = whole_frames(valid_y0=8)
    clean = {name: image[:, 8:] for name, image in images.items()}
    masks = {role: mask[:, 8:] for role, mask in labels.items()}
    found = correlated(broken, labels, cut)
    want = correlated(clean, masks, whole_frames((3, 32, 50)))
    pd.testing.assert_frame_equal(found, want)


def test_undefined_is_not_zero():
    flat = {"a": np.ones(SHAPE), "b": np.random.default_rng(0).random(SHAPE)}
    masks = {"tcell": np.zeros(SHAPE, np.uint32)}
    masks["tcell"][:, 3, 3] = 1
    masks["cancer"] = np.zeros(SHAPE, np.uint32)
    table = correlated(flat, masks)
    assert table["pearson"].isna().all()
    assert table.xs("cancer", level="region")["n_px"].tolist() == [0] * 3
    assert len(correlated({"a": flat["a"]})) == 0, "one channel has no pair"


@pytest.mark.parametrize("leakage", [0.0, 0.1])
def test_leakage_of_a_simulated_movie_is_read_off_the_slope(leakage):
    """Nobody is dead, the field is evenly lit: the death channel is leakage alone."""
    params = SimulationParams(
        n_frames=2, height_px=250, width_px=250, n_effectors=3, n_targets=12, seed=4,
        optics=OpticsParams(leakage=leakage, vignetting=0.0),
        target=TargetParams(n_dead_at_start=0, bystander_death_per_hour=0.0),
    )  # fmt: skip
    movie = simulate(params)
    names = ("cancer", "death")
    images = {
        name: np.stack([movie.frame(name, t) for t in range(2)]) for name in names
    }
    masks = {"cancer": np.stack([movie.mask("cancer", t) for t in range(2)])}
    table = correlated(images, masks, whole_frames((2, 250, 250)))
    found = table.xs("image", level="region")
    assert found["slope"].to_numpy() == pytest.approx(leakage, abs=0.01)
    assert (found["pearson"] > 0.5).all() == (leakage > 0)
