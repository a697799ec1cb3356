"""Runs and shapes against brute force, scikit-image and analytic figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import pdist
from skimage.measure import label as components
from skimage.measure import perimeter_crofton, regionprops_table

from cyto_kedro.core.errors import InputError
from cyto_kedro.methods.tabulation.objects import find_objects
from cyto_kedro.methods.tabulation.shape import shape_columns

DIRECTIONS = {0: [(0, 1), (0, -1)], 1: [(1, 0), (-1, 0)]}
DIRECTIONS[2] = [(1, 1), (-1, -1), (1, -1), (-1, 1)]
masks = hnp.arrays(
    np.uint32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([0, 0, 1, 2, 7, 2**32 - 1]),
)


def shapes(labels: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> dict:
    from cyto_kedro.methods.tabulation import _run_kernels

    found = find_objects(labels)
    feret = _run_kernels.feret(found.runs, found.first_run, *spacing)
    return shape_columns(
        found.bbox,
        found.area_px,
        found.sums,
        found.origin,
        found.crossings,
        feret,
        spacing,
    )


def disc(radius: float, spacing: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    rows, columns = (2 * int(radius / s) + 5 for s in spacing)
    y = (np.arange(rows) - rows // 2)[:, None] * spacing[0]
    x = (np.arange(columns) - columns // 2)[None, :] * spacing[1]
    return (y * y + x * x <= radius * radius).astype(np.uint32)


def blobs(seed: int, size: int = 90) -> np.ndarray:
    """Irregular touching and holed objects with sparse ids."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.normal(size=(size, size)), 2.5)
    labels = components(np.digitize(noise, [-0.06, 0.0, 0.06]), connectivity=1)
    ids = rng.choice(2**32 - 1, labels.max() + 1, replace=False).astype(np.uint32)
    ids[0] = 0
    return ids[labels]


@given(masks)
@settings(max_examples=40, deadline=None)
def test_crossings_equal_a_count_over_neighbours(labels: np.ndarray) -> None:
    found = find_objects(labels)
    padded = np.pad(labels, 1)
    for k, name in enumerate(found.ids):
        mine = padded == name
        for kind, steps in DIRECTIONS.items():
            count = sum(
                int((mine & ~np.roll(mine, step, (0, 1))).sum()) for step in steps
            )
            assert found.crossings[k, kind] == count


@given(masks, st.sampled_from([(1.0, 1.0), (0.5, 2.0)]))
@settings(max_examples=40, deadline=None)
def test_feret_is_the_largest_distance_of_two_pixels(
    labels: np.ndarray, spacing: tuple[float, float]
) -> None:
    table = shapes(labels, spacing)
    for k, name in enumerate(np.unique(labels[labels > 0])):
        points = np.argwhere(labels == name) * spacing
        longest = pdist(points).max() if len(points) > 1 else 0.0
        assert table["feret_diameter"][k] == pytest.approx(longest, rel=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_geometry_equals_scikit_image(seed: int) -> None:
    labels = blobs(seed)
    ours = shapes(labels)
    # scikit-image sizes tables by the largest label: give it dense ones.
    ids, dense = np.unique(labels, return_inverse=True)
    dense = dense.reshape(labels.shape)
    theirs = regionprops_table(
        dense, properties=("area", "bbox", "centroid", "moments_central")
    )
    assert find_objects(labels).ids.tolist() == ids[1:].tolist()
    assert ours["area_px"].tolist() == theirs["area"].tolist()
    assert ours["bbox_istart"].tolist() == theirs["bbox-0"].tolist()
    assert ours["bbox_jstart"].tolist() == theirs["bbox-1"].tolist()
    assert (ours["bbox_istart"] + ours["bbox_isize"] == theirs["bbox-2"]).all()
    assert (ours["bbox_jstart"] + ours["bbox_jsize"] == theirs["bbox-3"]).all()
    np.testing.assert_allclose(ours["i"], theirs["centroid-0"], rtol=1e-12)
    np.testing.assert_allclose(ours["j"], theirs["centroid-1"], rtol=1e-12)
    expected = []
    for k, area in enumerate(theirs["area"]):
        yy, xx, xy = (
            theirs[f"moments_central-{m}"][k] / area for m in ("2-0", "0-2", "1-1")
        )
        small, large = np.linalg.eigvalsh([[yy, xy], [xy, xx]])
        expected.append(np.sqrt(large / small) if small > 1e-9 * large else np.nan)
    np.testing.assert_allclose(ours["elongation"], expected, rtol=1e-9)


def test_perimeter_equals_the_crofton_estimate_of_scikit_image() -> None:
    labels = blobs(3)
    ours = shapes(labels)["perimeter"]
    theirs = [
        perimeter_crofton(np.pad(labels == name, 2), directions=4)
        for name in np.unique(labels)[1:]
    ]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.5), (1.0, 0.4), (0.3, 0.7)])
def test_a_disc_has_its_circumference_at_any_spacing(
    spacing: tuple[float, float],
) -> None:
    table = shapes(disc(30.0, spacing), spacing)
    assert table["perimeter"][0] == pytest.approx(2 * np.pi * 30.0, rel=0.01)
    assert table["size"][0] == pytest.approx(np.pi * 900.0, rel=0.01)
    assert table["roundness"][0] == pytest.approx(1.0, abs=0.015)
    assert table["elongation"][0] == pytest.approx(1.0, abs=0.01)
    assert table["feret_diameter"][0] == pytest.approx(60.0, abs=max(spacing))


def test_a_rectangle_has_analytic_figures() -> None:
    labels = np.zeros((12, 20), np.uint32)
    labels[3:8, 2:13] = 5  # 5 x 11 pixels
    table = shapes(labels)
    diagonal = 2 * 2 * (5 * 11 - 4 * 10)
    expected = np.pi / 4 * (2 * 5 / 2 + 2 * 11 / 2 + diagonal / (2 * np.sqrt(2)))
    assert table["perimeter"][0] == pytest.approx(expected, rel=1e-12)
    assert table["elongation"][0] == pytest.approx(np.sqrt((121 - 1) / (25 - 1)))
    assert table["feret_diameter"][0] == pytest.approx(np.hypot(4, 10))


@pytest.mark.parametrize("where", [np.s_[4:5, 4:5], np.s_[4:5, 1:8], np.s_[2:9, 3:4]])
def test_undefined_elongation_is_nan(where: tuple[slice, slice]) -> None:
    labels = np.zeros((11, 11), np.uint32)
    labels[where] = 3
    assert np.isnan(shapes(labels)["elongation"]).all()
    assert np.isnan(shapes(np.eye(9, dtype=np.uint32))["flatness"]).all()


def test_a_label_in_two_pieces_is_one_object() -> None:
    labels = np.zeros((6, 30), np.uint32)
    labels[1:3, 1:3] = labels[2:4, 25:27] = 9
    labels[1, 5:9] = 4
    table = shapes(labels)
    assert table["area_px"].tolist() == [4, 8]
    assert table["j"][1] == pytest.approx((1.5 + 25.5) / 2)


@given(masks)
@settings(max_examples=40, deadline=None)
def test_transposing_the_image_swaps_rows_and_columns(labels: np.ndarray) -> None:
    one = shapes(labels, (0.5, 2.0))
    other = shapes(np.ascontiguousarray(labels.T), (2.0, 0.5))
    for a, b in (("y", "x"), ("bbox_istart", "bbox_jstart"), ("bbox_ysize",) * 2):
        b = "bbox_xsize" if a == b else b
        np.testing.assert_allclose(one[a], other[b], rtol=1e-12)
    for name in ("perimeter", "feret_diameter", "elongation", "size"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-9)


@given(masks, st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=40, deadline=None)
def test_moving_the_cells_changes_positions_only(
    labels: np.ndarray, down: int, right: int
) -> None:
    one = shapes(np.pad(labels, 1))
    other = shapes(np.pad(labels, ((down + 1, 1), (right + 1, 1))))
    np.testing.assert_allclose(other["i"] - down, one["i"], atol=1e-9)
    np.testing.assert_allclose(other["x"] - right, one["x"], atol=1e-9)
    for name in ("perimeter", "feret_diameter", "elongation", "roundness"):
        np.testing.assert_array_equal(one[name], other[name])


def test_a_cell_far_from_the_origin_keeps_its_precision() -> None:
    near, far = np.zeros((2, 40, 9000), np.uint32)
    near[5:20, 3:24] = 1
    far[5:20, 8960:8981] = 1
    for name in ("elongation", "perimeter"):
        assert shapes(near)[name][0] == shapes(far)[name][0]


def test_what_is_no_label_image_is_refused() -> None:
    with pytest.raises(InputError, match="integers"):
        find_objects(np.zeros((3, 3), np.float32))
    with pytest.raises(InputError, match="found -1"):
        find_objects(np.full((3, 3), -1))
    with pytest.raises(InputError, match="found 0 to 4294967296"):
        find_objects(np.array([[0, 2**32]], np.uint64))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, ">u2", bool])
def test_any_integer_labels_are_read(dtype: str) -> None:
    labels = np.zeros((4, 5), dtype)
    labels[1:3, 1:4] = 1
    labels.setflags(write=False)
    assert find_objects(labels).area_px.tolist() == [6]
    assert len(find_objects(labels[:1])) == 0
