"""Transforms as tables: nothing is lost, and an edited one is understood or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import DEFORMATION, DRIFT
from cyto_kedro.methods.preprocessing.tables import (
    compose,
    drift_table,
    frame_transforms,
    linear_transforms,
    transform_tables,
)
from cyto_kedro.methods.preprocessing.warps import (
    Field,
    Transform,
    grid_nodes,
    valid_area,
)

SHAPE = (40, 60)
LINEAR = ["linear_yy", "linear_yx", "linear_xy", "linear_xx"]


@pytest.fixture
def transforms():
    nodes = grid_nodes(SHAPE, 20)
    values = np.random.default_rng(0).normal(0, 1, (len(nodes[0]), len(nodes[1]), 2))
    return [
        Transform(),
        Transform((1.5, -2.25)),
        Transform((0.5, 0.0), ((1.01, -0.02), (0.03, 0.99))),
        Transform((0.0, 1.0), ((1.0, -0.05), (0.05, 1.0)), Field(*nodes, values)),
    ]


def test_tables_follow_their_contracts_and_lose_nothing(transforms):
    drift, deformation = transform_tables(transforms, np.ones(4), SHAPE)
    DRIFT.validate(drift)
    DEFORMATION.validate(deformation)
    assert deformation["frame"].unique().tolist() == [3]
    shuffled = deformation.sample(frac=1, random_state=0)
    again = frame_transforms(drift.iloc[::-1], shuffled, 4)
    for before, after in zip(transforms, again, strict=True):
        np.testing.assert_allclose(
            after.sources(SHAPE), before.sources(SHAPE), atol=3e-3
        )
    valid = drift[["valid_y0", "valid_y1", "valid_x0", "valid_x1"]].to_numpy()
    assert valid.tolist() == [list(valid_area(each, SHAPE)) for each in again]


def test_a_table_without_linear_part_holds_translations():
    shifts = np.array([[0, 0], [1.25, -2]])
    old = drift_table(shifts, np.ones(2), SHAPE).drop(columns=LINEAR)
    DRIFT.validate(old)
    found = frame_transforms(old, None, 2)
    assert [each.shift for each in found] == [(0, 0), (1.25, -2)]
    assert all(each.is_shift for each in found)


def test_half_a_linear_part_is_refused():
    table = drift_table(np.zeros((2, 2)), np.ones(2), SHAPE)
    with pytest.raises(InputError, match="linear_yy, linear_yx but not all"):
        frame_transforms(table.drop(columns=LINEAR[2:]), None, 2)


@pytest.mark.parametrize("column", ["dy_px", "linear_yx"])
def test_a_missing_value_is_named(column):
    table = drift_table(np.zeros((3, 2)), np.ones(3), SHAPE)
    table.loc[1, column] = np.nan
    with pytest.raises(InputError, match="frame 1"):
        linear_transforms(table)


def test_a_matrix_that_flattens_the_image_is_refused():
    table = drift_table(np.zeros((3, 2)), np.ones(3), SHAPE)
    table.loc[2, LINEAR] = [1.0, 1.0, 1.0, 1.0]
    with pytest.raises(InputError, match="frame 2"):
        linear_transforms(table)


def test_nodes_that_are_no_grid_are_refused(transforms):
    drift, deformation = transform_tables(transforms, np.ones(4), SHAPE)
    with pytest.raises(InputError, match="frame 3"):
        frame_transforms(drift, deformation.iloc[:-1], 4)
    late = deformation.assign(frame=9)
    with pytest.raises(InputError, match="frame 9"):
        frame_transforms(drift, late, 4)


def test_composed_tables_move_points_one_after_the_other(transforms):
    ones = transforms[:3]
    others = [Transform((3.0, 1.0), ((0.98, 0.1), (-0.1, 0.98)))] * 3
    first, second = (
        transform_tables(each, np.full(3, q), SHAPE)[0]
        for each, q in ((ones, 1.0), (others, 0.5))
    )
    both = compose(first, second, SHAPE)
    assert both["quality"].tolist() == [0.5] * 3
    points = np.array([[0.0, 0.0], [39, 59], [12, 40]])
    for one, other, joined in zip(ones, others, linear_transforms(both), strict=True):
        wanted = other.forward(one.forward(points, SHAPE), SHAPE)
        np.testing.assert_allclose(joined.forward(points, SHAPE), wanted, atol=2e-3)


def test_a_movie_of_no_frames_has_empty_tables():
    drift, deformation = transform_tables([], np.empty(0), SHAPE)
    assert len(DRIFT.validate(drift)) == len(DEFORMATION.validate(deformation)) == 0
    assert frame_transforms(drift, deformation, 0) == ()
    assert isinstance(deformation, pd.DataFrame)
