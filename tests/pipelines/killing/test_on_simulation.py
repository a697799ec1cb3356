"""Deaths and culprits of simulated movies, from true masks and rendered images.

Segmentation and tracking are left out, so that a failure here is one of this pipeline.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import TRACKS
from cyto_kedro.pipelines.killing.nodes import attribute_kills, viability
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.simulation.movie import SimulatedMovie, simulate
from cyto_kedro.simulation.params import SimulationParams
from methods.killing.cases import touching, track_rows


def _tracks(movie: SimulatedMovie) -> pd.DataFrame:
    """The targets as a perfect segmentation and tracking would give them."""
    truth, rows = movie.tracks, []
    pixel = movie.params.pixel_size_um
    for t in range(movie.shape[0]):
        mask, image = movie.mask(movie.target, t), movie.frame("death", t)
        here = truth[(truth["role"] == movie.target) & (truth["frame"] == t)]
        means = ndimage.mean(image.astype(float), mask, here["cell_id"])
        background = float(np.median(image[mask == 0]))
        for cell, mean in zip(here.itertuples(), means, strict=True):
            rows.append(
                {
                    "track_id": cell.cell_id,
                    "label": cell.cell_id,
                    "frame": t,
                    "time_min": cell.time_min,
                    "y_um": max(cell.y_px * pixel, 0.0),
                    "x_um": max(cell.x_px * pixel, 0.0),
                    "touches_border": cell.touches_border,
                    "parent_track_id": cell.parent_id,
                    "mean_death": mean,
                    "background_death": background,
                }
            )
    return track_rows(rows)


@cache
def _analysed(
    n_effectors: int, seed: int = 32
) -> tuple[SimulatedMovie, Calibration, pd.DataFrame]:
    params = SimulationParams(n_effectors=n_effectors, seed=seed)
    movie = simulate(params)
    clock = Calibration.regular(
        movie.shape, params.pixel_size_um, params.frame_interval_min
    )
    _, deaths, _ = viability(
        _tracks(movie),
        clock,
        KillingParams(),
        role="cancer",
        effector=False,
        death_channel="death",
        live_channel="cancer",
    )
    return movie, clock, deaths


@pytest.mark.parametrize("n_effectors", [26, 0])
def test_simulated_deaths_are_found_within_a_frame_and_no_others(n_effectors):
    movie, _, deaths = _analysed(n_effectors)
    truth = movie.deaths.set_index("target_id")["death_frame"]
    found = deaths.set_index("track_id")["death_frame"].dropna()
    assert sorted(found.index) == sorted(truth.index)
    assert (found - truth).abs().max() <= 1


def _credited(seed: int) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Credits of one movie's planted kills, which are right, and kills not seen."""
    movie, clock, deaths = _analysed(26, seed)
    rows = movie.contacts[["frame", "effector_id", "target_id"]].assign(distance=0.0)
    contacts = touching(list(rows.itertuples(index=False)), calibration=clock)
    effectors = movie.tracks[movie.tracks["role"] == movie.effector]
    tracks = effectors[["cell_id", "frame", "time_min"]]
    tracks = tracks.assign(track_id=tracks["cell_id"], label=tracks.pop("cell_id"))
    credit, _, _ = attribute_kills(
        deaths,
        clock,
        KillingParams(),
        TRACKS.empty(),
        contacts,
        track_rows(tracks.to_dict("records")),
        effectors=("tcell",),
        target="cancer",
    )
    killer = movie.deaths.dropna(subset="effector_id").set_index("target_id")
    killer = killer["effector_id"]
    named = credit[credit["effector"].notna()]
    named = named[named["target_track_id"].isin(killer.index)]
    true = killer.loc[named["target_track_id"]].to_numpy()
    right = (named["effector_track_id"].to_numpy() == true).astype(float)
    missed = len(killer) - named["target_track_id"].nunique()
    return named.assign(movie=seed), right, missed


def test_credit_finds_killers_more_often_than_blaming_every_toucher():
    # One movie has a dozen kills: too few to tell the rules apart.
    movies = [_credited(seed) for seed in range(32, 38)]
    credits, rights, missed = zip(*movies, strict=True)
    assert missed[0] == 0 and sum(missed) <= 1
    right = np.concatenate(rights)
    killed = sum(part["target_track_id"].nunique() for part in credits)
    assert killed > 60
    # Full credit to every toucher is right for about one in two that it blames.
    every_toucher = right.mean()
    table, accuracy = pd.concat(credits), {}
    for rule in ("nearest", "shared", "hazard"):
        accuracy[rule] = (table[f"credit_{rule}"] * right).sum() / killed
        assert accuracy[rule] > 0.6
        assert accuracy[rule] > 1.15 * every_toucher
    # What the hit model leaves to nobody counts against it here.
    assert accuracy["hazard"] > accuracy["shared"] + 0.02
    likeliest = table.groupby(["movie", "target_track_id"])["credit_hazard"]
    named = (likeliest.transform("max") == table["credit_hazard"]).to_numpy()
    assert (named * right).sum() / killed > 0.75
