"""A sample that turns: advice, registration, ready masks and flags, end to end."""

from __future__ import annotations

import logging

import dask.array as da
import numpy as np
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.raw import RawChannel
from cyto_kedro.core.schemas import DEFORMATION, DRIFT, RESIDUAL_MOTION
from cyto_kedro.methods.preprocessing.residual_motion import ResidualMotionParams
from cyto_kedro.methods.tabulation import tabulate_movie
from cyto_kedro.pipelines.preprocessing.nodes import (
    estimate_drift,
    measure_intensity_range,
    measure_residual_motion,
    preprocess,
)
from cyto_kedro.pipelines.preprocessing.params import ChannelParams, RegistrationParams
from cyto_kedro.pipelines.segmentation.nodes import import_masks

SHAPE = (4, 256, 288)
MIDDLE = (np.array(SHAPE[1:]) - 1) / 2
DEGREES = 1.2  # per frame
CELLS = np.random.default_rng(3).uniform(-20, 300, (150, 2))


def places(t):
    angle = np.deg2rad(DEGREES * t)
    c, s = np.cos(angle), np.sin(angle)
    return (CELLS - MIDDLE) @ np.array([[c, s], [-s, c]]) + MIDDLE + [1.5 * t, -t]


def filmed(deform=0.0):
    """Images, and masks of discs; ids are the cells' over the whole movie."""
    rows, columns = np.indices(SHAPE[1:])
    images, masks = np.full(SHAPE, 100.0), np.zeros(SHAPE, np.uint32)
    for t in range(SHAPE[0]):
        wave = deform * t * np.sin(2 * np.pi * CELLS[:, ::-1] / 300)
        for cell, (y, x) in enumerate(places(t) + wave):
            squared = (rows - y) ** 2 + (columns - x) ** 2
            images[t] += 300 * np.exp(-squared / 40)
            masks[t][squared <= 36] = cell + 70_000
    images += np.random.default_rng(0).normal(0, 10, SHAPE)
    return images.astype(np.uint16), masks


@pytest.fixture(scope="module")
def film():
    return filmed()


@pytest.fixture
def calibration():
    return Calibration.regular(SHAPE, channels=("cancer",))


def raw(stack):
    lazy = da.from_array(stack, chunks=(1, -1, -1))
    return RawChannel(lazy, "cancer", channel="cancer")


def registered(movie, calibration, **method):
    options = RegistrationParams.model_validate({"method": method})
    drift, deformation = estimate_drift(calibration, options, raw(movie))
    DRIFT.validate(drift)
    DEFORMATION.validate(deformation)
    return options, drift, deformation


def left(movie, calibration, options, *tables):
    params = ResidualMotionParams(every_nth_frame=1, block_px=64)
    found = measure_residual_motion(calibration, *tables, options, params, raw(movie))
    return RESIDUAL_MOTION.validate(found)


def test_shifts_are_told_not_to_be_enough_and_the_advice_helps(
    film, calibration, caplog
):
    movie, _ = film
    shifts = registered(movie, calibration, name="phase_correlation")
    with caplog.at_level(logging.WARNING):
        found = left(movie, calibration, *shifts)
    last = found.iloc[-1]
    assert (last["verdict"], last["transform_needed"]) == ("deformed", "rigid")
    assert "{name: block_correlation, transform: rigid}" in caplog.text
    caplog.clear()
    turned = registered(movie, calibration, name="block_correlation", transform="rigid")
    with caplog.at_level(logging.WARNING):
        found = left(movie, calibration, *turned)
    assert set(found["verdict"]) == {"aligned"}
    assert found["p95_px"].max() < 0.5
    assert not caplog.records
    angle = np.rad2deg(np.arctan2(turned[1]["linear_xy"], turned[1]["linear_xx"]))
    np.testing.assert_allclose(angle, -DEGREES * np.arange(4), atol=0.05)


def test_every_channel_follows_and_margins_are_empty(film, calibration):
    movie, _ = film
    tables = registered(movie, calibration, name="block_correlation")[1:]
    params = ChannelParams()
    ranges = measure_intensity_range(raw(movie), calibration, *tables, params)
    image = preprocess(raw(movie), calibration, *tables, ranges, params)
    assert isinstance(image, da.Array) and image.dtype == np.uint16
    found = image.compute()
    y0, y1, x0, x1 = tables[0].iloc[3][["valid_y0", "valid_y1", "valid_x0", "valid_x1"]]
    inside = np.zeros(SHAPE[1:], bool)
    inside[int(y0) : int(y1), int(x0) : int(x1)] = True
    assert (found[3][inside] > 0).all() and not found[3][~inside].any()
    assert inside.mean() > 0.8
    same = np.corrcoef(found[0][inside], found[3][inside])[0, 1]
    assert same > 0.97 > np.corrcoef(movie[0][inside], movie[3][inside])[0, 1] + 0.2


@pytest.mark.parametrize("transform", ["rigid", "deformable"])
def test_ready_masks_move_along_and_cells_at_the_margin_are_flagged(transform):
    bend = 1.0 if transform == "deformable" else 0.0
    movie, masks = filmed(bend)
    calibration = Calibration.regular(SHAPE, channels=("cancer",))
    tables = registered(
        movie, calibration, name="block_correlation", transform=transform
    )[1:]
    assert len(tables[1]) > 0 or transform == "rigid"
    labels = import_masks(raw(masks), calibration, *tables)
    assert labels.dtype == np.uint32
    detections, _ = tabulate_movie(
        labels,
        {"cancer": movie},
        calibration,
        tables[0],
        role="cancer",
        own_channel="cancer",
    )
    # On registered frames a cell that stays in the sample stays in the image.
    whole = detections[detections["in_valid_region"] & (detections["area_px"] > 90)]
    moved = whole.groupby("label")[["i", "j"]].agg(np.ptp).to_numpy()
    seen = whole.groupby("label").size().to_numpy()
    assert (seen == 4).sum() > 30
    assert np.percentile(np.hypot(*moved.T), 90) < 1
    cut = detections[detections["frame"] == 3]
    y0, y1, x0, x1 = (
        int(tables[0].loc[3, name])
        for name in ("valid_y0", "valid_y1", "valid_x0", "valid_x1")
    )
    at_margin = (
        (cut["bbox_istart"] <= y0)
        | (cut["bbox_istart"] + cut["bbox_isize"] >= y1)
        | (cut["bbox_jstart"] <= x0)
        | (cut["bbox_jstart"] + cut["bbox_jsize"] >= x1)
    )
    assert at_margin.sum() > 3
    assert y0 > 0 and x0 > 0
    assert (cut["touches_border"] == at_margin).all()
