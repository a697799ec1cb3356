"""Intensities, background, flags and the shape of the tables."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import regionprops_table

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.core.schemas import DETECTIONS, FRAME_COUNTS, PYCYTO_COLUMNS
from cyto_kedro.methods.tabulation import tabulate_movie


def no_drift(labels: np.ndarray) -> pd.DataFrame:
    frames, height, width = labels.shape
    return pd.DataFrame(
        {
            "frame": np.arange(frames),
            "valid_y0": 0,
            "valid_y1": height,
            "valid_x0": 0,
            "valid_x1": width,
        }
    )


def tabulate(labels: np.ndarray, images: dict, drift=None, **options):  # type: ignore[no-untyped-def]
    calibration = options.pop("calibration", None) or Calibration.regular(labels.shape)
    drift = no_drift(labels) if drift is None else drift
    own = next(iter(images))
    return tabulate_movie(
        labels, images, calibration, drift, role="tcell", own_channel=own, **options
    )


def movie(dtype: str = "uint16", seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.zeros((3, 40, 50), np.uint32)
    for frame in (0, 2):  # frame 1 holds no cell
        for k in range(9):
            y, x = rng.integers(0, (34, 44))
            labels[frame, y : y + 6, x : x + rng.integers(1, 7)] = 2**32 - 1 - 100 * k
    image = rng.gamma(2.0, 40.0, labels.shape)
    return labels, image.astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "int32", "float32", "f8"])
def test_intensities_equal_numpy(dtype: str) -> None:
    labels, image = movie(dtype)
    table, _ = tabulate(labels, {"a": image, "b": image[::-1]})
    for row in table.itertuples():
        mask = labels[row.frame] == row.label
        for channel, stack in (("a", image), ("b", image[::-1])):
            values = stack[row.frame][mask].astype(np.float64)
            outside = stack[row.frame][labels[row.frame] == 0].astype(np.float64)
            assert getattr(row, f"mean_{channel}") == pytest.approx(values.mean())
            assert getattr(row, f"median_{channel}") == np.median(values)
            assert getattr(row, f"sd_{channel}") == pytest.approx(values.std(ddof=1))
            assert getattr(row, f"background_{channel}") == np.median(outside)
        assert row.mass == pytest.approx(image[row.frame][mask].sum(dtype=float))
        assert (row.mean, row.median) == (row.mean_a, row.median_a)
        assert row.channel == "tcell"


def test_tables_follow_their_contracts_and_keep_empty_frames() -> None:
    labels, image = movie()
    table, counts = tabulate(labels, {"a": image})
    DETECTIONS.validate(table)
    FRAME_COUNTS.validate(counts)
    assert list(table.columns[: len(PYCYTO_COLUMNS)]) == list(PYCYTO_COLUMNS)
    assert len(PYCYTO_COLUMNS) == 27
    assert counts["n_cells"].tolist() == [len(np.unique(plane)) - 1 for plane in labels]
    assert counts["covered_fraction"].tolist() == pytest.approx(
        [(plane > 0).mean() for plane in labels]
    )
    assert counts.loc[1, "background_a"] == np.median(image[1])
    for frame, rows in table.groupby("frame"):
        assert rows["label"].tolist() == np.unique(labels[frame])[1:].tolist()
    assert table["alive"].isna().all()


def test_a_movie_without_cells_gives_typed_empty_detections() -> None:
    labels = np.zeros((2, 5, 6), np.uint32)
    table, counts = tabulate(labels, {"a": np.ones(labels.shape, np.uint16)})
    DETECTIONS.validate(table)
    assert len(table) == 0
    assert {"mean_a", "background_a"} <= set(table.columns)
    assert counts["n_cells"].tolist() == [0, 0]
    assert counts["background_a"].tolist() == [1.0, 1.0]


def test_one_pixel_has_no_spread_and_a_full_frame_no_background() -> None:
    labels = np.zeros((2, 1, 4), np.uint32)
    labels[0, 0, 2] = 6
    labels[1] = 3
    image = np.arange(8, dtype=np.float32).reshape(labels.shape)
    table, counts = tabulate(labels, {"a": image})
    assert np.isnan(table.loc[0, "sd"]) and table.loc[0, "mean"] == 2.0
    assert np.isnan(table.loc[1, "background_a"])
    assert counts["background_a"].tolist() == pytest.approx([1.0, np.nan], nan_ok=True)


def test_positions_are_physical_and_times_are_those_of_the_frames() -> None:
    labels = np.zeros((2, 30, 30), np.uint32)
    labels[1, 10:14, 20:26] = 8
    calibration = Calibration(
        movie="m",
        channels=("a",),
        n_frames=2,
        height_px=30,
        width_px=30,
        pixel_size_y_um=0.5,
        pixel_size_x_um=2.0,
        frame_times_min=(0.0, 7.0),
        source_frames=(0, 1),
    )
    table, _ = tabulate(labels, {"a": labels}, calibration=calibration)
    row = table.iloc[0]
    assert (row["i"], row["j"]) == (11.5, 22.5)
    assert (row["y"], row["x"]) == (row["y_um"], row["x_um"]) == (5.75, 45.0)
    assert (row["bbox_ystart"], row["bbox_xstart"]) == (5.0, 40.0)
    assert (row["bbox_ysize"], row["bbox_xsize"]) == (2.0, 12.0)
    assert row["size"] == row["area_um2"] == 24.0
    assert row["time_min"] == 7.0


def test_cells_at_the_border_and_outside_the_valid_region_are_flagged() -> None:
    labels = np.zeros((2, 20, 20), np.uint32)
    labels[:, 0:3, 5:8] = 1  # at the edge
    labels[:, 3:6, 10:14] = 2  # one row above the valid rows of frame 1
    labels[:, 10:15, 10:15] = 3
    drift = no_drift(labels)
    drift.loc[1, "valid_y0"] = 4
    image = np.zeros(labels.shape, np.uint16)
    image[1, :4] = 1000  # what registration filled in is no background
    image[1, 4:] = np.arange(20)
    table, counts = tabulate(labels, {"a": image}, drift)
    # A cell that the margin cuts is cut like one at the edge of the image.
    cut = [True, False, False, True, True, False]
    assert table["touches_border"].tolist() == cut
    assert table["in_valid_region"].tolist() == [True] * 3 + [False, False, True]
    inside = image[1, 4:][labels[1, 4:] == 0]
    assert counts.loc[1, "background_a"] == np.median(inside)


def test_small_objects_are_left_out_on_request() -> None:
    labels = np.zeros((1, 8, 8), np.uint32)
    labels[0, 0, :3] = 4
    labels[0, 3:6, 3:6] = 5
    table, counts = tabulate(labels, {"a": labels}, min_area_px=4)
    assert table["label"].tolist() == [5]
    assert counts["n_cells"].tolist() == [1]


values = hnp.arrays(
    np.float64,
    st.integers(1, 90),
    elements=st.one_of(
        st.floats(-8e307, 8e307),
        st.sampled_from([0.0, 1.0, 5e-324, 8e307, -8e307, np.inf, -np.inf]),
        st.floats(0, 1),
    ),
)


@given(values)
@settings(max_examples=150, deadline=None)
def test_the_median_is_exact_for_any_numbers(line: np.ndarray) -> None:
    from cyto_kedro.methods.tabulation import _image_kernels

    image, height = line[np.newaxis], 1
    labels = np.zeros(image.shape, np.uint32)
    got = _image_kernels.background(image, labels, 0, height, 0, len(line))
    ordered = np.sort(line)
    with np.errstate(all="ignore"):
        middle = ordered[(len(line) - 1) // 2] + ordered[len(line) // 2]
    np.testing.assert_equal(got, 0.5 * middle)


@pytest.mark.parametrize("size", [3, 300])
def test_a_nan_pixel_makes_its_cell_undefined_and_is_no_background(size: int) -> None:
    labels = np.ones((1, 2, size), np.uint32)
    labels[0, 1] = 0
    image = np.random.default_rng(0).normal(size=labels.shape)
    image[0, :, 1] = np.nan
    table, _ = tabulate(labels, {"a": image})
    assert table[["mean", "median", "sd", "mass"]].isna().all(axis=None)
    assert table.loc[0, "background_a"] == np.nanmedian(image[0, 1])


def test_relabelling_changes_labels_only() -> None:
    labels, image = movie(seed=3)
    one, _ = tabulate(labels, {"a": image})
    other, _ = tabulate(
        np.where(labels > 0, 2**32 - labels.astype(np.int64), 0), {"a": image}
    )
    back = other.assign(label=2**32 - other["label"]).sort_values(["frame", "label"])
    pd.testing.assert_frame_equal(one, back.reset_index(drop=True))


def test_results_do_not_depend_on_threads_and_inputs_stay_untouched() -> None:
    labels, image = movie(seed=4)
    kept = labels.copy(), image.copy()
    lazy = da.from_array(labels, chunks=(1, 20, 50)), {"a": da.from_array(image)}
    tables = []
    try:
        for count in (1, 3):
            set_workers(count)
            tables.append(tabulate(*lazy))
    finally:
        set_workers(None)
    pd.testing.assert_frame_equal(tables[0][0], tables[1][0])
    pd.testing.assert_frame_equal(tables[0][1], tables[1][1])
    assert (labels == kept[0]).all() and (image == kept[1]).all()


def test_inputs_that_do_not_fit_together_are_named() -> None:
    labels, image = movie()
    with pytest.raises(InputError, match="'a' has shape"):
        tabulate(labels, {"a": image[:, :-1]})
    with pytest.raises(InputError, match="drift table"):
        tabulate(labels, {"a": image}, no_drift(labels).iloc[:-1])


@pytest.mark.real_data
def test_real_nuclei_equal_scikit_image(real_data: Path) -> None:
    mask = tifffile.imread(real_data / "nuclei_still" / "mask2d.tif")
    image = tifffile.imread(real_data / "nuclei_still" / "img2d.tif")
    table, counts = tabulate(mask[np.newaxis].astype(np.uint32), {"a": image[None]})
    names = ("label", "area", "centroid", "intensity_mean", "feret_diameter_max")
    theirs = regionprops_table(mask, image, properties=names)
    assert counts["n_cells"].tolist() == [125]
    assert table["label"].tolist() == theirs["label"].tolist()
    assert table["area_px"].tolist() == theirs["area"].tolist()
    np.testing.assert_allclose(table["i"], theirs["centroid-0"], rtol=1e-12)
    np.testing.assert_allclose(table["mean"], theirs["intensity_mean"], rtol=1e-12)
    # scikit-image measures around the pixels of a filled hull: up to 2 px more.
    more = theirs["feret_diameter_max"] - table["feret_diameter"]
    assert more.between(0, 2).all()
