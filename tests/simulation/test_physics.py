"""Motion, life times, optics and camera against their analytic laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import points_in_poly

from cyto_kedro.simulation import SimulationParams, camera, motion, render, simulate
from cyto_kedro.simulation.history import Snapshot
from cyto_kedro.simulation.params import OpticsParams
from cyto_kedro.simulation.population import found, new_targets
from cyto_kedro.simulation.shapes import (
    N_MODES,
    centroid_offset,
    equal_area_radius,
    relative_radius,
)

# No motion, no events, hardly any noise: only what a test asks for remains.
STILL = {
    "seed": 3,
    "n_frames": 12,
    "height_px": 160,
    "width_px": 160,
    "n_effectors": 0,
    "n_targets": 4,
    "target": {
        "diffusion_um2_per_min": 0,
        "irregularity": 0,
        "division_per_hour": 0,
        "bystander_death_per_hour": 0,
        "n_dead_at_start": 0,
    },
    "optics": {
        "target_photons": 30000,
        "background_photons": 0,
        "haze": 0,
        "vignetting": 0,
        "dim_probability": 0,
        "bleaching_per_hour": 0.5,
    },
}


@pytest.fixture(scope="module")
def still():
    return simulate(SimulationParams.model_validate(STILL))


def whole(movie):
    """Ids of the cells that are never cut by the border."""
    rows = movie.tracks
    cut = rows.loc[rows["touches_border"], "cell_id"]
    always = rows["cell_id"].value_counts().eq(movie.params.n_frames)
    return sorted(set(always.index[always]) - set(cut))


def test_the_image_moves_as_the_drift_says(still):
    cell = whole(still)[0]
    measured = []
    for t in range(still.params.n_frames):
        near = ndimage.binary_dilation(still.mask("cancer", t) == cell, iterations=5)
        light = np.where(near, still.frame("cancer", t) - 100.0, 0)
        measured.append(ndimage.center_of_mass(light))
    moved = np.array(measured) - measured[0]
    expected = still.drift[["dy_px", "dx_px"]].to_numpy()
    assert np.abs(expected).max() > 3
    assert np.abs(moved - expected).max() < 0.03


def test_live_dye_bleaches_exponentially(still):
    cell, light = whole(still)[0], []
    for t in (0, 11):
        near = ndimage.binary_dilation(still.mask("cancer", t) == cell, iterations=5)
        light.append((still.frame("cancer", t) - 100.0)[near].sum())
    assert light[1] / light[0] == pytest.approx(np.exp(-0.5 * 22 / 60), rel=0.005)


def test_dead_targets_light_up_shrink_and_fade(movie):
    rows = movie.tracks[movie.tracks["role"] == "cancer"]
    wanted = movie.deaths[movie.deaths["death_frame"] < movie.params.n_frames - 8]
    assert len(wanted) >= 3
    for death in wanted.itertuples():
        track = rows[(rows["cell_id"] == death.target_id) & ~rows["dimmed"]]
        before = track[track["frame"] < death.death_frame].iloc[-1]
        after = track[track["frame"] >= death.death_frame + 6].iloc[-1]
        dye, live = [], []
        for row in (before, after):
            inside = movie.mask("cancer", row["frame"]) == death.target_id
            dye.append(np.mean(movie.frame("death", row["frame"])[inside]))
            live.append(np.mean(movie.frame("cancer", row["frame"])[inside]))
        assert dye[0] < 175 < 250 < dye[1]
        assert live[1] < live[0]
        if not (before["touches_border"] or after["touches_border"]):
            assert after["area_px"] < 0.9 * before["area_px"]


def test_the_dye_rises_within_the_stated_time():
    params = SimulationParams.model_validate(
        STILL | {"frame_interval_min": 0.25, "n_frames": 80}
    )
    params = params.model_copy(update={"dying": params.dying})
    _, targets = found(params)
    targets.death_min[:] = 2.0
    from cyto_kedro.simulation.life import appearance

    times = np.arange(0, 20, 0.05)
    dye = np.array([appearance(targets, params, t).dye[0] for t in times])
    assert (dye[times < 2] == 0).all()
    assert (np.diff(dye) >= 0).all() and dye[-1] > 0.99
    ninety = times[np.argmax(dye >= 0.9)]
    assert ninety - 2 == pytest.approx(params.dying.dye_rise_min, abs=0.1)


# -- motion and life ------------------------------------------------------------------


def test_free_effectors_walk_as_fuerth_says():
    """MSD = 2 v^2 tau (t - tau (1 - exp(-t / tau))) (Fuerth 1920)."""
    params = SimulationParams.model_validate(
        {
            "height_px": 6000,
            "width_px": 6000,
            "n_effectors": 1200,
            "n_targets": 0,
            "effector": {"speed_cv": 0, "persistence_min": 6},
        }
    )
    cells, _ = found(params)
    random, dt = np.random.default_rng(0), 0.25
    start = cells.centre.copy()
    for _ in range(120):
        motion.walk(cells, params, dt, random)
    inside = (np.abs(start - 1950) < 1700).all(axis=1)
    moved = ((cells.centre - start)[inside] ** 2).sum(axis=1).mean()
    # The pace of each step varies log-normally around the cell's speed.
    speed, tau, t = 2.6 * np.exp(0.3**2 / 2), 6.0, 30.0
    assert moved == pytest.approx(
        2 * speed**2 * tau * (t - tau * (1 - np.exp(-t / tau))), rel=0.12
    )


def test_events_come_at_their_rates():
    params = SimulationParams.model_validate(
        {"target": {"division_per_hour": 0.3, "bystander_death_per_hour": 0.2}}
    )
    random, life = np.random.default_rng(1), np.random.default_rng(2)
    cells = new_targets(params, np.zeros((20000, 2)), 0.0, random, life)
    died = (cells.death_min < 120).mean()
    assert died == pytest.approx(1 - np.exp(-0.2 * 2), abs=0.01)
    lone = SimulationParams.model_validate(
        {"target": {"division_per_hour": 0.3, "bystander_death_per_hour": 0}}
    )
    cells = new_targets(lone, np.zeros((20000, 2)), 0.0, random, life)
    divided = (cells.divide_min < 120 + lone.target.mitosis_min).mean()
    assert divided == pytest.approx(1 - np.exp(-0.3 * 2), abs=0.01)
    assert np.isinf(cells.death_min).all()


def test_no_cell_leaps(movie):
    rows = movie.tracks.sort_values(["role", "cell_id", "frame"])
    step = rows.groupby(["role", "cell_id"])[["y_um", "x_um", "frame"]].diff()
    next_to = step["frame"] == 1
    far = np.hypot(step["y_um"], step["x_um"])[next_to]
    by_role = far.groupby(rows.loc[next_to, "role"]).max()
    assert by_role["tcell"] < 16
    assert by_role["cancer"] < 5


def test_targets_hardly_overlap(movie):
    """Pixels that a neighbour takes away from a mask, judged by the free outline."""
    lost = []
    for frame in range(0, 36, 7):
        cells = movie.cells("cancer", frame)
        rows = movie.tracks[
            (movie.tracks["role"] == "cancer")
            & (movie.tracks["frame"] == frame)
            & ~movie.tracks["touches_border"]
        ]
        at = np.searchsorted(cells.ids, rows["cell_id"])
        lobes = (np.abs(cells.modes[at]) ** 2).sum(axis=1)
        area = np.pi * cells.radius_um[at] ** 2 * (1 + lobes / 2)
        free = area / movie.params.pixel_size_um**2
        lost += list(1 - rows["area_px"] / free)
    assert np.median(lost) < 0.01
    assert max(lost) < 0.08


# -- shapes and camera ----------------------------------------------------------------


def lobed(seed):
    random = np.random.default_rng(seed)
    modes = 0.08 * (random.standard_normal((1, N_MODES, 2)) @ [1, 1j])
    return equal_area_radius(np.array([9.0]), modes), modes


@pytest.mark.parametrize("seed", range(4))
def test_masks_are_the_outline_filled(seed):
    radius, modes = lobed(seed)
    none = np.zeros(1)
    cell = Snapshot(
        np.array([7]),
        np.array([[31.3, 28.8]]),
        radius,
        modes,
        none == 0,
        none,
        none,
        none > 0,
    )
    labels = render.masks(cell, np.array([0.4, -0.7]), 0.8, (80, 80))
    angle = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    far = radius * relative_radius(modes, angle[:, None])
    centre = np.array([31.3, 28.8]) / 0.8 + [0.4, -0.7]
    arm = np.stack([np.sin(angle), np.cos(angle)], 1) * far.reshape(-1, 1) / 0.8
    pixels = np.stack(np.indices((80, 80)), -1).reshape(-1, 2)
    inside = points_in_poly(pixels, centre + arm).reshape(80, 80)
    assert (inside != (labels == 7)).sum() <= 1  # a pixel centre on the very line
    assert set(np.unique(labels)) == {0, 7}


def test_area_and_centroid_of_an_outline():
    radius, modes = lobed(11)
    angle = np.linspace(0, 2 * np.pi, 20000, endpoint=False)
    far = (radius * relative_radius(modes, angle[:, None])).ravel()
    y, x = far * np.sin(angle), far * np.cos(angle)
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = cross.sum() / 2
    assert area == pytest.approx(np.pi * 9.0**2, rel=1e-6)
    centroid = [((v + np.roll(v, -1)) * cross).sum() / (6 * area) for v in (y, x)]
    assert centroid_offset(radius, modes)[0] == pytest.approx(centroid, abs=1e-4)


@pytest.mark.parametrize("shot_noise", ["poisson", "normal"])
def test_counts_have_the_camera_s_mean_and_variance(shot_noise):
    optics = OpticsParams(shot_noise=shot_noise, read_noise=4, camera_offset=120)
    light = np.full((500, 400), 60.0, np.float32)
    counts = camera.expose(light, optics, np.random.default_rng(0))
    assert counts.dtype == np.uint16
    assert counts.mean() == pytest.approx(180, abs=0.1)
    assert counts.var() == pytest.approx(60 + 16 + 1 / 12, rel=0.02)


def test_overexposure_saturates():
    light = np.full((20, 20), 1e6, np.float32)
    counts = camera.expose(light, OpticsParams(), np.random.default_rng(0))
    assert (counts == 65535).all()


def test_the_blur_keeps_the_light():
    point = np.zeros((101, 101), np.float32)
    point[50, 50] = 1000
    seen = camera.blur(point, OpticsParams(haze=0.2, haze_um=4), 0.65)
    assert seen.sum() == pytest.approx(1000, rel=1e-3)
    assert seen.max() < 500


def test_illumination_falls_to_the_stated_share():
    light = camera.illumination((120, 90), 0.3)
    assert light.max() == pytest.approx(1, abs=1e-3)
    assert light.min() == pytest.approx(0.7, abs=1e-3)
