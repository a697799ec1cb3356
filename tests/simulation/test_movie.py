"""What a simulated movie promises: it repeats, and its truth is true."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.simulation import (
    SimulationParams,
    camera,
    simulate,
    truth,
    truth_hits,
)

TABLES = {
    "tracks": truth.TRACKS,
    "contacts": truth.CONTACTS,
    "deaths": truth.DEATHS,
    "hits": truth_hits.HITS,
    "effectors": truth_hits.EFFECTORS,
    "divisions": truth.DIVISIONS,
    "drift": truth.DRIFT,
}


def digest(movie, frames):
    seen = hashlib.sha256()
    for channel in movie.images:
        for t in frames:
            seen.update(movie.frame(channel, t).tobytes())
    for role in movie.roles:
        seen.update(movie.mask(role, frames[-1]).tobytes())
    return seen.hexdigest()


def cells(movie, role):
    return movie.tracks[movie.tracks["role"] == role]


# -- repeatable -----------------------------------------------------------------------


def test_the_same_parameters_give_the_same_movie(movie, small_params):
    again = simulate(small_params)
    assert digest(again, [0, 20, 35]) == digest(movie, [0, 20, 35])
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(movie, name))


def test_frames_do_not_depend_on_the_order_in_which_they_are_asked_for(movie):
    late, early = movie.frame("cancer", 30), movie.frame("cancer", 2)
    assert (movie.frame("cancer", 30) == late).all()
    assert (movie.images["cancer"](2) == early).all()


def test_another_seed_gives_another_movie(movie, small_params):
    other = simulate(small_params.model_copy(update={"seed": 6}))
    assert digest(other, [0]) != digest(movie, [0])


def test_noise_is_independent_between_frames_and_channels(small_params):
    empty = simulate(small_params.model_copy(update={"n_targets": 0, "n_effectors": 0}))
    light = empty.params.optics.background_photons * camera.illumination(
        empty.shape[1:], empty.params.optics.vignetting
    )
    wanted = [("death", 0), ("death", 1), ("tcell", 0)]
    noise = [(empty.frame(*one) - 100.0 - light).ravel() for one in wanted]
    mixed = np.corrcoef(noise)[np.triu_indices(3, 1)]
    assert np.abs(mixed).max() < 0.02  # 4 standard errors of 55,000 pixels


def test_lazy_stacks_hold_the_same_frames(movie):
    stack, labels = movie.stack("death"), movie.label_stack("cancer")
    assert stack.shape == labels.shape == movie.shape
    assert stack.dtype == np.uint16 and labels.dtype == np.uint32
    assert (stack[7].compute() == movie.frame("death", 7)).all()
    assert (labels[7].compute() == movie.mask("cancer", 7)).all()


# -- the truth is consistent ----------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_tables_follow_their_contract(movie, name):
    table = getattr(movie, name)
    assert len(table)
    TABLES[name].validate(table)


@pytest.mark.parametrize("role", ["tcell", "cancer"])
def test_tracks_and_masks_hold_the_same_cells(movie, role):
    rows = cells(movie, role)
    for frame, group in rows.groupby("frame"):
        labels = movie.mask(role, frame)
        ids, area = np.unique(labels[labels > 0], return_counts=True)
        group = group.sort_values("cell_id")
        assert group["cell_id"].tolist() == ids.tolist()
        assert group["area_px"].tolist() == area.tolist()


@pytest.mark.parametrize(("role", "most"), [("tcell", 0.35), ("cancer", 0.3)])
def test_positions_are_the_centroids_of_whole_masks(movie, role, most):
    rows = cells(movie, role)
    for frame in (0, 17, 35):
        group = rows[(rows["frame"] == frame) & ~rows["touches_border"]]
        labels = movie.mask(role, frame)
        found = ndimage.center_of_mass(labels > 0, labels, group["cell_id"])
        error = np.hypot(*(np.array(found) - group[["y_px", "x_px"]].to_numpy()).T)
        assert np.median(error) < 0.1
        # Where two cells overlap, one mask is cut.
        assert np.quantile(error, 0.9) < most


def test_drift_joins_sample_and_image_positions(movie):
    rows = movie.tracks.merge(movie.drift, on="frame")
    for axis in "yx":
        stage = rows[f"{axis}_um"] / movie.params.pixel_size_um
        assert np.allclose(stage + rows[f"d{axis}_px"], rows[f"{axis}_px"])
    assert (movie.drift.loc[0, ["dy_px", "dx_px"]] == 0).all()


def test_the_drift_is_smooth_but_for_one_jump(movie):
    step = np.hypot(*movie.drift[["dy_px", "dx_px"]].diff().iloc[1:].to_numpy().T)
    jump = movie.params.stage.jump_um / movie.params.pixel_size_um
    assert step.max() > 0.8 * jump
    assert np.sort(step)[-2] < 0.3 * jump
    assert (movie.drift["dy_px"].iloc[1:] % 1 != 0).all()


def test_contacts_are_what_a_distance_transform_finds(movie):
    for frame in range(0, 36, 5):
        effectors, targets = movie.mask("tcell", frame), movie.mask("cancer", frame)
        expected = set()
        for target in np.unique(targets[targets > 0]):
            away = ndimage.distance_transform_edt(targets != target)
            near = np.unique(effectors[(away <= np.sqrt(2) + 1e-9) & (effectors > 0)])
            expected |= {(int(e), int(target)) for e in near}
        rows = movie.contacts[movie.contacts["frame"] == frame]
        assert set(zip(rows["effector_id"], rows["target_id"], strict=True)) == expected
        for row in rows.itertuples():
            shared = (effectors == row.effector_id) & (targets == row.target_id)
            assert shared.sum() == row.overlap_px
    assert movie.contacts["overlap_px"].gt(0).any()


def test_a_killer_touched_its_victim_within_the_lytic_delay(movie):
    killed = movie.deaths[movie.deaths["cause"] == "killed"]
    assert len(killed) >= 4
    interval = movie.params.frame_interval_min
    for death in killed.itertuples():
        delay = death.death_min - death.hit_min
        assert 0 < delay <= movie.params.killing.max_lytic_delay_min
        rows = movie.contacts[
            (movie.contacts["effector_id"] == death.effector_id)
            & (movie.contacts["target_id"] == death.target_id)
        ]
        assert (rows["time_min"] - death.hit_min).abs().min() <= 2 * interval
        assert death.death_frame == np.ceil(death.death_min / interval)


def test_who_is_dead_stays_dead_and_nobody_else_is(movie):
    rows = cells(movie, "cancer")
    died = movie.deaths.set_index("target_id")["death_frame"]
    for cell_id, track in rows.groupby("cell_id"):
        first = died.get(cell_id)
        if first is not None:
            assert (track["alive"] == (track["frame"] < first)).all()
    first_rows = rows[rows["frame"] == 0]
    assert (~first_rows["alive"]).sum() == movie.params.target.n_dead_at_start
    assert cells(movie, "tcell")["alive"].all()


def test_bystanders_have_no_killer(small_params):
    natural = small_params.model_copy(
        update={
            "target": small_params.target.model_copy(
                update={"bystander_death_per_hour": 0.5}
            )
        }
    )
    deaths = simulate(natural).deaths
    bystander = deaths["cause"] == "bystander"
    assert bystander.any()
    assert (deaths["effector_id"].isna() == bystander).all()
    assert (deaths["hit_min"].isna() == bystander).all()


def test_daughters_follow_their_mother(movie):
    rows = cells(movie, "cancer")
    span = rows.groupby("cell_id")["frame"].agg(["min", "max"])
    for row in movie.divisions.itertuples():
        mother = span.loc[row.parent_id]
        assert mother["max"] == row.frame - 1
        for daughter in (row.daughter_a_id, row.daughter_b_id):
            assert span.loc[daughter, "min"] == row.frame
            assert (
                rows.loc[rows["cell_id"] == daughter, "parent_id"] == row.parent_id
            ).all()
        ends = rows.set_index(["cell_id", "frame"])[["y_um", "x_um"]]
        born = ends.loc[
            [(row.daughter_a_id, row.frame), (row.daughter_b_id, row.frame)]
        ]
        away = born.mean() - ends.loc[(row.parent_id, row.frame - 1)]
        assert np.hypot(*away) < 5


def test_without_effectors_nobody_is_killed(small_params):
    control = simulate(small_params.model_copy(update={"n_effectors": 0}))
    assert set(control.tracks["role"]) == {"cancer"}
    assert control.contacts.empty
    assert not (control.deaths["cause"] == "killed").any()
    assert control.mask("tcell", 3).max() == 0
    # The channel then holds background and noise only.
    plane = control.frame("tcell", 0).astype(float)
    smooth = ndimage.uniform_filter(plane, 9)
    assert smooth.max() < 100 + 1.1 * control.params.optics.background_photons


@pytest.mark.parametrize(
    "change", [{"n_frames": 1}, {"n_targets": 0}, {"n_targets": 0, "n_effectors": 0}]
)
def test_next_to_nothing_is_a_movie_too(small_params, change):
    values = small_params.model_dump() | {"n_frames": 2} | change
    movie = simulate(SimulationParams.model_validate(values))
    assert movie.frame("death", 0).shape == movie.shape[1:]
    for name, spec in TABLES.items():
        spec.validate(getattr(movie, name))


def test_too_many_cells_are_refused(small_params):
    crowded = small_params.model_copy(update={"n_targets": 400})
    with pytest.raises(ConfigError, match="do not fit"):
        simulate(crowded)


def test_unknown_channel_and_frame(movie):
    with pytest.raises(KeyError):
        movie.frame("dapi", 0)
    with pytest.raises(IndexError):
        movie.frame("cancer", 999)


def test_the_example_has_every_kind_of_event():
    """The default movie, which the documentation and the end-to-end tests describe."""
    movie = simulate()
    killed = movie.deaths[movie.deaths["cause"] == "killed"]
    assert 8 <= len(killed) <= 14
    assert (movie.deaths["cause"] == "bystander").sum() >= 1
    assert killed["effector_id"].value_counts().max() >= 2  # a serial killer
    assert 2 <= len(movie.divisions) <= 4
    assert movie.tracks["dimmed"].any()
    per_frame = movie.tracks.groupby(["role", "frame"]).size()
    assert per_frame["cancer"].between(25, 36).all()
    assert per_frame["tcell"].between(20, 32).all()
    moved = movie.drift[["dy_px", "dx_px"]].abs().max().max()
    assert 3 < moved < 15
