"""Persistence and motion around contacts of simulated cells, whose rules are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import EPISODES
from cyto_kedro.methods.kinematics.contact_motion import (
    ContactMotionOptions,
    contact_motion,
)
from cyto_kedro.methods.kinematics.persistence import (
    PersistenceOptions,
    directional_persistence,
)
from cyto_kedro.methods.kinematics.points import sort_points
from cyto_kedro.simulation.movie import simulate
from cyto_kedro.simulation.params import EffectorParams, SimulationParams
from tables import filled

FRAMES = 60


def tracks_of(movie):
    return movie.tracks.rename(columns={"cell_id": "track_id"})


@pytest.mark.parametrize("memory", [4.0, 10.0])
def test_the_persistence_of_lonely_t_cells_is_that_of_the_simulation(memory):
    params = SimulationParams(
        n_frames=FRAMES, height_px=900, width_px=900, n_effectors=60, n_targets=0,
        seed=3, effector=EffectorParams(persistence_min=memory),
    )  # fmt: skip
    tracks = tracks_of(simulate(params))
    inside = tracks[~tracks["touches_border"]]
    times = np.arange(FRAMES) * params.frame_interval_min
    options = PersistenceOptions(bootstraps=200)
    _, fit = directional_persistence(sort_points(inside, times), times, options)
    assert fit.low_min < memory < fit.high_min
    assert fit.time_min == pytest.approx(memory, rel=0.15)


def test_t_cells_are_arrested_in_contact_and_only_there():
    params = SimulationParams(
        n_frames=FRAMES, height_px=500, width_px=500, n_effectors=25, n_targets=25,
        seed=3,
    )  # fmt: skip
    movie = simulate(params)
    tracks = tracks_of(movie)
    pair = ["effector_id", "target_id"]
    touching = movie.contacts.sort_values([*pair, "frame"])
    visit = (touching.groupby(pair)["frame"].diff() != 1).cumsum()
    seen = touching.groupby(visit).agg(
        effector_track_id=("effector_id", "first"),
        first_frame=("frame", "first"),
        last_frame=("frame", "last"),
    )
    episodes = filled(EPISODES, seen.assign(episode=1).to_dict("series"))
    found = contact_motion(
        tracks[tracks["role"] == "tcell"],
        episodes,
        Calibration.regular((FRAMES, 500, 500), params.pixel_size_um, 2.0),
        ContactMotionOptions(),
        2.0,
        effector="tcell",
        target="cancer",
    )
    speed = found.pivot_table(
        "mean_speed_um_per_min", "effector_track_id", "state"
    ).dropna()
    assert len(speed) > 5
    slower = speed["during"] < speed["free"]
    assert slower.mean() > 0.85, "within each cell, but for one that slips by"
    free = speed["free"].mean()
    assert speed["during"].mean() < 0.5 * free
    assert speed[["before", "after"]].mean().to_numpy() == pytest.approx(free, rel=0.2)
    pd.testing.assert_index_equal(
        found["state"].value_counts().index.sort_values(),
        pd.Index(["after", "before", "during", "free"], name="state"),
    )
