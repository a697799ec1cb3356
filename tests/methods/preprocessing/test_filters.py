"""Background and denoise: contracts of the registries, and what each should do."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from cyto_kedro.methods.preprocessing.background import BACKGROUNDS
from cyto_kedro.methods.preprocessing.denoise import (
    DENOISERS,
    MedianDenoise,
    noise_level,
)

NEEDED = {"constant": {"value": 100.0}}
DTYPES = [np.uint8, np.uint16, np.int32, np.float32, np.float64]


def background_of(name, **options):
    method = BACKGROUNDS[name]
    chosen = method.options(**(NEEDED.get(name, {}) | options))
    return lambda plane: method.estimate(plane, chosen)


def denoiser(name, **options):
    method = DENOISERS[name]
    chosen = method.options(**options)
    return lambda plane: method.apply(plane, chosen)


SLOW = {"ants"}  # importing it takes seconds


def marked(names):
    slow = pytest.mark.slow
    return [pytest.param(n, marks=slow) if n in SLOW else n for n in sorted(names)]


CHOICES = [(BACKGROUNDS, background_of), (DENOISERS, denoiser)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", marked({*BACKGROUNDS, *DENOISERS}))
@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (33, 40)])
def test_every_method_keeps_the_shape_and_the_input(name, shape, dtype):
    choices = [choose for kind, choose in CHOICES if name in kind]
    for choose in choices:
        function = choose(name)
        plane = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
        before = plane.copy()
        found = np.asarray(function(plane))
        assert np.broadcast_shapes(found.shape, shape) == shape
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(plane, before)
        np.testing.assert_array_equal(np.asarray(function(plane)), found)


@pytest.mark.parametrize("name", ["percentile", "gaussian", "tophat", "rolling_ball"])
def test_an_empty_field_is_all_background(name):
    plane = np.full((80, 90), 137, np.uint16)
    residue = plane - background_of(name)(plane)
    np.testing.assert_allclose(residue, 0, atol=1e-3)


@pytest.mark.parametrize("name", ["tophat", "rolling_ball", "gaussian"])
def test_cells_are_kept_and_shading_goes(name, make_spots):
    rng = np.random.default_rng(1)
    places = rng.uniform(15, 285, (12, 2))
    cells = make_spots((300, 300), places, [4] * 12, [400] * 12, offset=0)
    rows, columns = np.mgrid[:300, :300] / 300
    shade = 500 + 300 * np.sin(1.5 * rows) * np.cos(1.5 * columns)
    noisy = cells + shade + rng.normal(0, 5, cells.shape)
    found = noisy - background_of(name)(noisy)
    empty = cells < 1
    assert np.abs(np.median(found[empty])) < 20
    assert found[empty].std() < 0.15 * shade.std() + 15
    ratio = found[cells > 200].sum() / cells[cells > 200].sum()
    assert 0.85 < ratio < 1.1


def test_the_percentile_background_is_the_percentile():
    plane = np.random.default_rng(0).integers(0, 4000, (30, 31)).astype(np.uint16)
    found = background_of("percentile", percent=20)(plane)
    assert float(found[0, 0]) == pytest.approx(np.percentile(plane, 20), abs=1e-9)


@pytest.mark.parametrize("name", marked(set(DENOISERS) - {"none"}))
def test_denoising_brings_the_image_closer_to_the_truth(name, make_spots):
    rng = np.random.default_rng(2)
    places = rng.uniform(0, 96, (15, 2))
    clean = make_spots((96, 96), places, [5] * 15, [200] * 15)
    noisy = clean + rng.normal(0, 15, clean.shape)
    found = denoiser(name)(noisy)
    # ANTs compares patches of 3 x 3 px only, unless told otherwise.
    left = 0.75 if name == "ants" else 0.6
    assert np.std(found - clean) < left * np.std(noisy - clean)
    assert found.mean() == pytest.approx(clean.mean(), rel=0.02)


@pytest.mark.slow
def test_ants_keeps_the_mean_whatever_the_gain_and_the_offset(make_spots):
    rng = np.random.default_rng(2)
    places = rng.uniform(0, 96, (15, 2))
    clean = make_spots((96, 96), places, [5] * 15, [200] * 15, offset=0)
    noisy = clean + rng.normal(0, 15, clean.shape)
    found = denoiser("ants")(noisy)
    assert abs(found.mean() - noisy.mean()) < 0.05 * 15
    brighter = denoiser("ants")(10_000 + 3 * noisy)
    np.testing.assert_allclose((brighter - 10_000) / 3, found, atol=0.05)


@pytest.mark.slow
def test_wider_patches_let_ants_remove_more_noise(make_spots):
    rng = np.random.default_rng(4)
    clean = make_spots((96, 96), [[48, 48]], [10], [100])
    noisy = clean + rng.normal(0, 15, clean.shape)
    narrow, wide = (denoiser("ants", patch_px=p)(noisy) for p in (1, 2))
    assert np.std(wide - clean) < 0.9 * np.std(narrow - clean)


def test_the_median_removes_a_hot_pixel():
    plane = np.full((9, 9), 50, np.uint16)
    plane[4, 4] = 65535
    assert (denoiser("median")(plane) == 50).all()


def test_an_even_median_is_refused():
    with pytest.raises(ValidationError, match="odd"):
        MedianDenoise(size_px=4)


@pytest.mark.parametrize("sigma", [3.0, 20.0])
def test_the_noise_level_is_that_of_the_noise(sigma, make_spots):
    rng = np.random.default_rng(3)
    places = rng.uniform(0, 256, (40, 2))
    clean = make_spots((256, 256), places, [5] * 40, [300] * 40)
    found = noise_level(clean + rng.normal(0, sigma, clean.shape))
    assert found == pytest.approx(sigma, rel=0.05)
