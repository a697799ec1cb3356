"""Density maps against kernels summed one by one, and against what must be kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gaussian_kde, norm

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import DENSITY
from cyto_kedro.methods.spatial.density import DensityOptions, density_map
from tables import tracks_table


def calibration(height=400, width=600, n_frames=1, pixel=1.0):
    return Calibration.regular((n_frames, height, width), pixel, 2.0)


def mapped(tracks, where, **options):
    chosen = {"windows": 1, "grid_um": 10.0} | options
    return DENSITY.validate(density_map(tracks, where, DensityOptions(**chosen)))


def cells(y, x, frame=0, track=None):
    track = np.arange(1, len(y) + 1) if track is None else track
    return tracks_table(np.broadcast_to(frame, len(y)), track, y, x)


def test_one_cell_is_its_kernel_and_the_images_behind_the_edges():
    """Placed on a grid point near a corner; the mirrors are summed in closed form."""
    y, x, sigma = 25.0, 585.0, 30.0
    table = mapped(cells([y], [x]), calibration(), bandwidth_um=sigma)

    def folded(at, own, size):
        images = [2 * k * size + s * own for k in (-1, 0, 1) for s in (-1, 1)]
        return sum(norm.pdf(at, image, sigma) for image in images)

    want = folded(table["y_um"], y, 400) * folded(table["x_um"], x, 600) * 1e6
    # A bin holds the kernel's mean, which differs by h^2 / (24 sigma^2) per axis.
    off = np.abs(table["cells_per_mm2"] - want).max()
    assert off < 2 * 100 / (24 * 900) * want.max()


def test_inside_the_field_it_agrees_with_scipys_estimate():
    rng = np.random.default_rng(0)
    y, x = rng.normal(200, 30, 300), rng.normal(300, 45, 300)
    table = mapped(cells(y, x), calibration(), grid_um=4.0)
    kde = gaussian_kde([y / y.std(), x / x.std()])  # no correlation, to speak of
    scaled = [table["y_um"] / y.std(), table["x_um"] / x.std()]
    want = kde(scaled) / (y.std() * x.std()) * len(y) * 1e6
    top = want.max()
    off = np.abs(table["cells_per_mm2"].to_numpy() - want).max()
    assert off < 0.03 * top
    assert table["bandwidth_y_um"].iloc[0] == pytest.approx(y.std() * 300 ** (-1 / 6))


@given(
    n=st.integers(1, 40), seed=st.integers(0, 999), sigma=st.floats(0.1, 5000),
    grid=st.floats(5, 90),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_no_cell_is_lost_or_made(n, seed, sigma, grid):
    rng = np.random.default_rng(seed)
    where = calibration(140, 90, pixel=2.0)
    tracks = cells(rng.uniform(0, 280, n), rng.uniform(0, 180, n))
    table = mapped(tracks, where, bandwidth_um=sigma, grid_um=grid)
    area_mm2 = 280 * 180 * 1e-6
    assert table["cells_per_mm2"].mean() * area_mm2 == pytest.approx(n)
    assert (table["cells_per_mm2"] >= 0).all()
    assert table["relative"].mean() == pytest.approx(1)


def test_windows_are_means_over_their_frames():
    where = calibration(n_frames=4)
    first = cells([50.0] * 2, [50.0] * 2, [0, 1], [1, 1])
    later = cells([350.0] * 2, [550.0] * 2, [2, 3], [2, 2])
    tracks = pd.concat([first, later], ignore_index=True)
    table = mapped(tracks, where, windows=2, bandwidth_um=20.0)
    assert table.groupby("window")["end_min"].first().tolist() == [2, 6]
    peak = table.loc[table.groupby("window")["cells_per_mm2"].idxmax()]
    assert peak["y_um"].tolist() == pytest.approx([50, 350], abs=5)
    assert peak["x_um"].tolist() == pytest.approx([50, 550], abs=5)
    area = 0.4 * 0.6
    means = table.groupby("window")["cells_per_mm2"].mean() * area
    assert means.tolist() == pytest.approx([1, 1]), "one cell in each frame"


def test_units_of_length_do_not_matter_to_where_the_cells_are():
    rng = np.random.default_rng(1)
    y, x = rng.uniform(0, 400, 30), rng.uniform(0, 600, 30)
    fine = mapped(cells(y, x), calibration())
    large = mapped(cells(3 * y, 3 * x), calibration(pixel=3.0), grid_um=30.0)
    np.testing.assert_allclose(large["relative"], fine["relative"], rtol=1e-9)


def test_short_movies_empty_tables_and_a_single_place():
    where = calibration(n_frames=2)
    assert len(mapped(cells([], []), where)) == 0
    assert mapped(cells([5.0], [5.0]), where, windows=9)["window"].nunique() == 2
    still = mapped(cells([205.0], [305.0]), where)
    assert still["cells_per_mm2"].max() > 0, "no spread, no blur"
    lost = cells([np.nan], [5.0])
    assert len(mapped(lost, where)) == 0
