"""Motion that translations leave is measured where it can be, and named."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from cyto_kedro.core.parallel import set_workers
from cyto_kedro.core.schemas import RESIDUAL_MOTION
from cyto_kedro.methods.preprocessing.drift import PhaseCorrelation, phase_correlation
from cyto_kedro.methods.preprocessing.residual_motion import (
    ResidualMotionParams,
    local_displacements,
    residual_motion,
)
from cyto_kedro.methods.preprocessing.tables import translations
from cyto_kedro.methods.preprocessing.verdicts import (
    Limits,
    coherence,
    linear_share,
    transform_needed,
)

SIZE = 384
MEASURES = ["common_dy_px", "common_dx_px", "rms_px", "p95_px", "coherence"]


def options(**more):
    return ResidualMotionParams(**({"every_nth_frame": 1, "block_px": 64} | more))


def filmed(make_spots, *steps, noise=10.0):
    """One frame per array of places, the same cells, each frame with its own noise."""
    rng = np.random.default_rng(0)
    count = len(steps[0])
    cells = rng.uniform(3, 5, count), rng.uniform(100, 300, count)
    frames = np.stack([make_spots((SIZE, SIZE), places, *cells) for places in steps])
    return frames + rng.normal(0, noise, frames.shape)


@pytest.fixture
def places():
    return np.random.default_rng(5).uniform(-30, SIZE + 30, (500, 2))


def swell(places, height):
    """Smooth displacement, zero on average, of up to ``height`` px along rows."""
    dy = height * np.sin(2 * np.pi * places[:, 1] / SIZE)
    return places + np.stack([dy, np.zeros_like(dy)], axis=1)


def test_a_rigid_shift_leaves_nothing(make_spots, places):
    shift = np.array([7.3, -11.6])
    movie = filmed(make_spots, *(places - k * shift for k in range(3)))
    shifts = np.arange(3)[:, None] * shift
    for reference in ("first", "previous"):
        found = residual_motion(
            movie, translations(shifts), options(reference=reference)
        )
        RESIDUAL_MOTION.validate(found)
        assert found["verdict"].tolist() == ["aligned", "aligned"]
        assert found["p95_px"].max() < 0.2
        assert found[["common_dy_px", "common_dx_px"]].abs().max(axis=None) < 0.05
        assert found["reliable_fraction"].min() > 0.6


def test_a_planted_deformation_is_found_where_it_is(make_spots, places):
    movie = filmed(make_spots, places, swell(places, 6.0))
    field = local_displacements(movie[0], movie[1], (0.0, 0.0), options())
    centres = (np.arange(6) + 0.5) * 64
    wanted = -6 * np.sin(2 * np.pi * centres / SIZE)
    assert np.isfinite(field).all(axis=2).mean() > 0.8
    error = np.nanmedian(np.abs(field[..., 0] - wanted))
    assert error < 0.5
    assert np.nanmedian(np.abs(field[..., 1])) < 0.2


def test_a_planted_deformation_is_called_one(make_spots, places):
    movie = filmed(make_spots, places, swell(places, 6.0))
    found = residual_motion(movie, translations(np.zeros((2, 2))), options()).iloc[0]
    assert found["verdict"] == "deformed"
    assert found["rms_px"] == pytest.approx(6 / np.sqrt(2), rel=0.15)
    assert found["p95_px"] == pytest.approx(6, rel=0.15)
    assert found["coherence"] > 0.7


def test_a_deformation_below_the_limit_does_not_matter(make_spots, places):
    movie = filmed(make_spots, places, swell(places, 1.0))
    found = residual_motion(movie, translations(np.zeros((2, 2))), options()).iloc[0]
    assert found["verdict"] == "aligned"
    assert found["p95_px"] == pytest.approx(1, rel=0.25)


def test_a_deformation_adds_up_against_the_first_frame_only(make_spots, places):
    steps = [swell(places, height) for height in (0, 1.2, 2.4, 3.6)]
    movie = filmed(make_spots, *steps)

    def found(reference):
        return residual_motion(
            movie, translations(np.zeros((4, 2))), options(reference=reference)
        )

    assert found("first")["verdict"].tolist() == ["aligned", "deformed", "deformed"]
    assert found("first")["reference_frame"].tolist() == [0, 0, 0]
    assert set(found("previous")["verdict"]) == {"aligned"}
    assert found("previous")["reference_frame"].tolist() == [0, 1, 2]


def test_cells_that_crawl_are_no_deformation(make_spots, places):
    walked = places + np.random.default_rng(6).normal(0, 4, places.shape)
    movie = filmed(make_spots, places, walked)
    found = residual_motion(
        movie, translations(np.zeros((2, 2))), options(min_quality=0.3)
    ).iloc[0]
    assert found["p95_px"] > 2
    assert found["verdict"] == "own_motion"


def test_a_missed_translation_is_no_deformation(make_spots, places):
    movie = filmed(make_spots, places, places - [4, -3])
    found = residual_motion(movie, translations(np.zeros((2, 2))), options()).iloc[0]
    assert found["verdict"] == "shifted"
    assert found["common_dy_px"] == pytest.approx(4, abs=0.1)
    assert found["common_dx_px"] == pytest.approx(-3, abs=0.1)
    assert found["p95_px"] < 0.5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("block_px", [48, 64, 128])
def test_noise_says_nothing(seed, block_px):
    movie = np.random.default_rng(seed).normal(100, 10, (3, SIZE, SIZE))
    found = residual_motion(
        movie, translations(np.zeros((3, 2))), options(block_px=block_px)
    )
    assert found["reliable_fraction"].tolist() == [0, 0]
    assert found[MEASURES].isna().all(axis=None)
    assert set(found["verdict"]) == {"unknown"}


def test_smooth_noise_that_looks_like_texture_is_not_believed():
    from scipy import ndimage

    noise = np.random.default_rng(0).normal(0, 1, (2, SIZE, SIZE))
    movie = 100 + 50 * ndimage.gaussian_filter(noise, (0, 2, 2))
    found = residual_motion(movie, translations(np.zeros((2, 2))), options()).iloc[0]
    assert found["reliable_fraction"] < 0.1
    assert found["verdict"] == "unknown"


def test_half_an_empty_field_counts_for_half(make_spots, places):
    left = places[places[:, 1] < SIZE / 2 - 20]
    movie = filmed(make_spots, left, left)
    found = residual_motion(movie, translations(np.zeros((2, 2))), options()).iloc[0]
    assert found["reliable_fraction"] == pytest.approx(0.5, abs=0.03)
    assert found["verdict"] == "aligned"


def test_shading_that_stays_does_not_hide_motion(make_spots, places):
    movie = filmed(make_spots, places, swell(places, 6.0))
    rows = np.linspace(-1, 1, SIZE)
    movie += 800 * (1 - rows[:, None] ** 2) * (1 - rows**2) + 300 * rows
    found = residual_motion(movie, translations(np.zeros((2, 2))), options()).iloc[0]
    assert found["verdict"] == "deformed"
    assert found["p95_px"] == pytest.approx(6, rel=0.15)


@pytest.mark.parametrize("blank", [0, 1])
def test_a_blank_frame_is_skipped_and_never_the_reference(make_spots, places, blank):
    movie = filmed(make_spots, places, places, places)
    movie[blank] = 7
    found = residual_motion(movie, translations(np.zeros((3, 2))), options())
    assert found["verdict"].tolist() == ["unknown", "aligned"]
    assert np.isnan(found.loc[0, "p95_px"])
    assert found.loc[1, "reference_frame"] == 1 - blank


@pytest.mark.parametrize("shape", [(0, 64, 64), (1, 64, 64), (2, 3, 5), (2, 30, 200)])
def test_too_little_to_compare_gives_a_typed_table(shape):
    movie = np.random.default_rng(0).integers(0, 99, shape).astype(np.uint16)
    found = RESIDUAL_MOTION.validate(
        residual_motion(movie, translations(np.zeros((shape[0], 2))), options())
    )
    assert len(found) == max(0, shape[0] - 1)
    assert found[MEASURES].isna().all(axis=None)


def test_frames_are_sampled_and_threads_do_not_matter(make_drifting):
    truth = np.outer(np.arange(7), [1.3, -0.8])
    movie = make_drifting(truth, count=120)
    before = movie.copy()
    results = []
    for threads in (1, 3):
        set_workers(threads)
        results.append(
            residual_motion(movie, translations(truth), options(every_nth_frame=3))
        )
    set_workers(None)
    assert results[0]["frame"].tolist() == [3, 6]
    assert results[0].equals(results[1])
    np.testing.assert_array_equal(movie, before)


def test_coherence_of_known_fields():
    rows, columns = np.mgrid[:8, :8].astype(float)
    rotation = np.stack([columns - 3.5, 3.5 - rows], axis=2)
    assert coherence(rotation) > 0.8
    random = np.random.default_rng(0).normal(size=(40, 40, 2))
    assert coherence(random) < 0.1
    # One known block has no neighbours; nothing moves: nothing can be foretold.
    alone = np.full((5, 5, 2), np.nan)
    alone[2, 2] = 3.0
    assert np.isnan(coherence(alone))
    assert np.isnan(coherence(np.zeros((4, 4, 2))))


def moved_blocks(matrix, bend=0.0, noise=0.1):
    """Displacement of 8 x 8 blocks of 64 px about the middle of their image."""
    places = (np.indices((8, 8)).reshape(2, -1).T - 3.5) * 64
    moves = places @ (np.asarray(matrix) - np.eye(2)).T
    moves[:, 0] += bend * np.sin(places[:, 1] / 60)
    moves += np.random.default_rng(0).normal(0, noise, moves.shape)
    return moves.reshape(8, 8, 2)


@pytest.mark.parametrize(
    ("matrix", "bend", "needed"),
    [
        ([[1, 0], [0, 1]], 0.0, "translation"),
        ([[1, -0.02], [0.02, 1]], 0.0, "rigid"),
        ([[1.02, 0.02], [0.0, 0.99]], 0.0, "affine"),
        ([[1, -0.02], [0.02, 1]], 6.0, "deformable"),
    ],
)
def test_the_least_transform_that_helps_is_named(matrix, bend, needed):
    limits = Limits(block_px=64, min_reliable=0.2, limit_px=2.0)
    field = moved_blocks(matrix, bend)
    field[2, 3] = np.nan
    field[5, 1] += [9.0, -7.0]  # a block of cells that crawled
    assert transform_needed(field, limits) == needed


def test_an_affine_motion_explains_itself_and_chance_nothing():
    assert linear_share(moved_blocks([[1, -0.02], [0.02, 1]])) > 0.99
    rng = np.random.default_rng(0)
    shares = [linear_share(rng.normal(0, 3, (4, 4, 2))) for _ in range(200)]
    assert np.mean(shares) == pytest.approx(0, abs=0.05)
    assert np.isnan(linear_share(np.full((4, 4, 2), np.nan)))
    assert np.isnan(linear_share(rng.normal(0, 3, (2, 2, 2))))


@pytest.mark.real_data
def test_pc12_needs_no_deformable_registration(real_data):
    # TurboReg's rigid-body result of this movie agrees with its first frame no better
    # than its translation does (correlation .927/.920/.915/.912 in both).
    movie = tifffile.imread(real_data / "drift_pc12" / "pc12-unreg.tif")
    shifts = phase_correlation(movie, PhaseCorrelation()).shifts
    left = residual_motion(movie, translations(shifts), options(block_px=48))
    assert set(left["verdict"]) <= {"aligned", "own_motion"}
    raw = residual_motion(
        movie, translations(np.zeros_like(shifts)), options(block_px=48)
    )
    assert (raw["verdict"] == "shifted").any()
