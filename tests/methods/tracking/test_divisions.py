"""What is a division and what only looks like one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.tracking import TRACKERS, LapOptions
from cyto_kedro.simulation import SimulationParams, simulate
from cyto_kedro.simulation.params import TargetParams

N_FRAMES = 24
AREA, HALF = 300.0, 150.0


def cell(frames, y, x, area=AREA):
    """Points (frame, y, x, area) of one cell that stays in place."""
    return [(t, y, x, area) for t in frames]


@pytest.fixture
def tracked(make, field):
    """Tracks of the given cells among still neighbours; `mass` is the cell."""

    def track(*cells, **options):
        rng = np.random.default_rng(0)
        others = [
            cell(range(N_FRAMES), 100.0 + 60 * i, 100.0 + 60 * j)
            for i, j in np.ndindex(5, 5)
            if (i, j) != (2, 2)
        ]
        rows = [(*p, k + 1.0) for k, one in enumerate([*cells, *others]) for p in one]
        frame, y, x, area, number = np.array(rows).T
        y, x = (axis + rng.normal(0, 0.3, len(axis)) for axis in (y, x))
        table = make(frame.astype(int), y, x, mass=number, area_um2=area)
        return TRACKERS["lap"].track(table, field, LapOptions(**options))

    return track


def kin(tracks: pd.DataFrame) -> list[tuple[float, float]]:
    """(mother, daughter) as cells, by first row of the daughter."""
    last = tracks.sort_values("frame").groupby("track_id")["mass"].last()
    born = tracks.sort_values("frame").drop_duplicates("track_id")
    born = born.dropna(subset="parent_track_id")
    mothers = born["parent_track_id"].map(last)
    return sorted(zip(mothers, born["mass"], strict=True))


def test_daughters_on_either_side(tracked):
    mother = cell(range(12), 220.0, 220.0)
    one = cell(range(12, N_FRAMES), 213.0, 220.0, HALF)
    two = cell(range(12, N_FRAMES), 227.0, 220.0, HALF)
    assert kin(tracked(mother, one, two)) == [(1, 2), (1, 3)]


def test_a_daughter_that_is_missed_at_first(tracked):
    """The mother is the whole cell two frames before, not the other daughter."""
    mother = cell(range(12), 220.0, 220.0)
    one = cell(range(12, N_FRAMES), 213.0, 220.0, HALF)
    two = cell(range(13, N_FRAMES), 227.0, 220.0, HALF)
    tracks = tracked(mother, one, two)
    assert kin(tracks) == [(1, 2), (1, 3)]
    assert tracks.loc[tracks["mass"] == 1, "frame"].max() == 11


def test_a_cell_that_turns_up_beside_another_is_no_daughter(tracked):
    stays = cell(range(N_FRAMES), 220.0, 220.0, HALF)
    comes = cell(range(12, N_FRAMES), 228.0, 220.0, HALF)
    assert kin(tracked(stays, comes)) == []
    assert kin(tracked(stays, comes, division=None)) != []


def test_a_small_piece_beside_a_large_one_is_no_sister(tracked):
    whole = cell(range(12), 220.0, 220.0)
    most = cell(range(12, N_FRAMES), 216.0, 220.0, 250.0)
    piece = cell(range(12, N_FRAMES), 225.0, 220.0, 50.0)
    assert kin(tracked(whole, most, piece)) == []
    alike = {"min_sister_area_ratio": 0.1}
    assert kin(tracked(whole, most, piece, division=alike)) == [(1, 2), (1, 3)]


@pytest.mark.parametrize("frames, divides", [(2, False), (4, True)])
def test_a_daughter_lasts(tracked, frames, divides):
    mother = cell(range(12), 220.0, 220.0)
    one = cell(range(12, N_FRAMES), 213.0, 220.0, HALF)
    two = cell(range(12, 12 + frames), 227.0, 220.0, HALF)
    tracks = tracked(mother, one, two)
    assert (kin(tracks) != []) == divides
    if not divides:
        same = tracks.loc[tracks["mass"].isin([1, 2]), "track_id"]
        assert same.nunique() == 1, "the mother goes on in the one that lasts"


def test_a_short_piece_that_took_the_link_gives_it_back(tracked):
    """The nearer half is gone after two frames: the other one is the cell."""
    mother = cell(range(12), 220.0, 220.0)
    brief = cell(range(12, 14), 214.5, 220.0, HALF)
    stays = cell(range(12, N_FRAMES), 227.5, 220.0, HALF)
    tracks = tracked(mother, brief, stays)
    assert kin(tracks) == []
    assert tracks.loc[tracks["mass"].isin([1, 3]), "track_id"].nunique() == 1


@pytest.mark.parametrize("apart, divides", [(6, False), (11, True)])
def test_a_mask_in_two_pieces_becomes_one_again(tracked, apart, divides):
    again = 8 + apart
    whole = cell(range(8), 220.0, 220.0) + cell(range(again, N_FRAMES), 220.0, 220.0)
    one = cell(range(8, again), 214.0, 220.0, HALF)
    two = cell(range(8, again), 226.0, 220.0, HALF)
    assert (kin(tracked(whole, one, two)) != []) == divides


def test_divisions_of_a_simulated_movie(make):
    """True masks, many divisions: who divides and into whom."""
    target = TargetParams(division_per_hour=0.6, bystander_death_per_hour=0.0)
    params = SimulationParams(seed=5, n_frames=40, n_effectors=0, target=target)
    movie = simulate(params)
    seen = movie.tracks[movie.tracks["role"] == movie.target]
    known = {"mass": seen["cell_id"].to_numpy(dtype=float)}
    # Places lie in the sample, as after registration.
    table = make(seen["frame"], seen["y_um"], seen["x_um"], **known)
    field = Calibration.regular(
        movie.shape, params.pixel_size_um, params.frame_interval_min
    )
    found = set(kin(TRACKERS["lap"].track(table, field, LapOptions())))
    true = {
        (row.parent_id, daughter)
        for row in movie.divisions.itertuples()
        for daughter in (row.daughter_a_id, row.daughter_b_id)
    }
    assert len(true) >= 10
    assert len(found & true) / len(found) >= 0.95
    assert len(found & true) / len(true) >= 0.8
