"""Evidence cards: what is seen is what was measured."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import (
    ATTRIBUTION,
    DEATH_EVIDENCE,
    DEATHS,
    DRIFT,
    EPISODES,
    KILLS,
    VIABILITY,
)
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.reporting.evidence_node import draw_evidence
from cyto_kedro.pipelines.reporting.params import ReportingParams
from tables import filled, tracks_table

FRAMES, SIZE = 40, 60
MOVIE = Calibration.regular((FRAMES, SIZE, SIZE), frame_interval_min=2.0)
KINDS = {"tcell": "effector", "cancer": "target"}
SVG = "{http://www.w3.org/2000/svg}"


def movie(n_deaths=1, touched=True):
    """Targets in a row that die one after another, one effector beside the first."""
    labels = {
        role: np.zeros((FRAMES, SIZE, SIZE), np.uint32) for role in ("tcell", "cancer")
    }
    labels["cancer"][:, 20:30, 20:30] = 1
    labels["tcell"][:, 22:26, 30:34] = 1
    deaths = [20 + 2 * i for i in range(n_deaths)]
    tracks = np.arange(1, n_deaths + 1)
    frames = np.arange(FRAMES)
    cell = np.repeat(tracks, FRAMES)
    at = np.tile(frames, n_deaths)
    signal = 10.0 + 90 * (at >= np.repeat(deaths, FRAMES))
    killers = pd.array([7 if touched else None] * n_deaths, "Int64")
    return {
        "kinds": KINDS,
        "drift": filled(
            DRIFT,
            {
                "frame": frames,
                "valid_y0": 0,
                "valid_y1": SIZE,
                "valid_x0": 0,
                "valid_x1": SIZE,
            },
        ),
        "marker": labels["cancer"].astype(np.float32),
        **{f"image:{role}": stack.astype(np.float32) for role, stack in labels.items()},
        **{f"labels:{role}": stack for role, stack in labels.items()},
        "tracks:cancer": tracks_table(at, cell, 25.0, 25.0, 2.0),
        "tracks:tcell": tracks_table(frames, 7, 24.0, 32.0, 2.0),
        "viability:cancer": filled(
            VIABILITY,
            {
                "track_id": cell,
                "frame": at,
                "time_min": at * 2.0,
                "death_signal": signal,
            },
        ),
        "deaths:cancer": filled(
            DEATHS,
            {
                "track_id": tracks,
                "death_frame": pd.array(deaths, "Int64"),
                "death_time_min": [2.0 * d for d in deaths],
                "censored": False,
                "reason": "died",
                "threshold": 50.0,
            },
        ),
        "death_evidence:cancer": filled(DEATH_EVIDENCE, {"track_id": tracks}),
        "attribution:cancer": filled(
            ATTRIBUTION,
            {
                "target": "cancer",
                "target_track_id": tracks,
                "effector": "tcell" if touched else None,
                "effector_track_id": killers,
                "n_candidates": int(touched),
                "credit_hazard": 0.9 if touched else 0.0,
                "credit_shared": 1.0 if touched else 0.0,
                "credit_nearest": 1.0 if touched else 0.0,
                "background_probability": 0.1 if touched else 1.0,
            },
        ),
        "episodes:tcell_cancer": filled(
            EPISODES,
            {
                "effector": "tcell",
                "target": "cancer",
                "effector_track_id": [7],
                "target_track_id": [1],
                "start_min": [10.0],
                "end_min": [30.0],
            },
        ),
    }


def cards_of(data, **cards):
    options = ReportingParams(cards=cards)
    return draw_evidence(MOVIE, options, KillingParams(), **data)


def test_a_card_shows_the_strip_the_outlines_and_the_credits():
    cards, kills = cards_of(movie())
    KILLS.validate(kills)
    root = ET.fromstring(cards["cancer_00001"])
    assert len(root.findall(f".//{SVG}image")) == 2 * 7, "cells and marker"
    # Victim and killer, each in white and in colour, in every picture.
    assert len(root.findall(f".//{SVG}polygon")) == 2 * 7 * 4
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert "death" in texts and "-40 min" in texts and "+20 min" in texts
    assert "0.90" in texts and "0.10" in texts and "nobody" in texts
    assert root.find(f"{SVG}title").text == f"Evidence: {kills['words'][0]}"


def test_the_contact_bar_stands_where_the_contact_was():
    root = ET.fromstring(cards_of(movie())[0]["cancer_00001"])
    ticks = {
        t.text: float(t.get("x"))
        for t in root.iter(f"{SVG}text")
        if re.fullmatch(r"\d+", t.text or "") and t.get("text-anchor") == "middle"
    }
    per_min = (ticks["60"] - ticks["20"]) / 40
    bars = [r for r in root.iter(f"{SVG}rect") if r.get("fill") == "#0072B2"]
    assert len(bars) == 1
    assert float(bars[0].get("x")) == pytest.approx(ticks["20"] - 10 * per_min, abs=0.2)
    assert float(bars[0].get("width")) == pytest.approx(20 * per_min, abs=0.2)


def test_an_outline_follows_the_mask():
    root = ET.fromstring(cards_of(movie(), frames=1, size_um=20)[0]["cancer_00001"])
    victim = next(p for p in root.iter(f"{SVG}polygon") if p.get("stroke") == "#D55E00")
    points = np.array([p.split(",") for p in victim.get("points").split()], float)
    # 10 of 20 pixels; one picture alone is 200 wide.
    assert np.ptp(points, axis=0) == pytest.approx([100, 100], abs=11)


def test_a_death_without_contact_has_a_card():
    cards, kills = cards_of(movie(touched=False))
    assert "no effector in contact" in cards["cancer_00001"]
    assert kills["effector_track_id"].isna().all()


def test_many_deaths_give_some_cards_and_all_rows():
    cards, kills = cards_of(movie(9), most=3)
    assert sorted(cards) == ["cancer_00001", "cancer_00005", "cancer_00009"]
    assert len(kills) == 9 and kills["card"].notna().sum() == 3


def test_no_death_no_card():
    data = movie()
    data["deaths:cancer"] = data["deaths:cancer"].assign(reason="lost", censored=True)
    cards, kills = cards_of(data)
    assert cards == {} and kills.empty
    KILLS.validate(kills)


def test_inputs_stay_as_they_are_and_cards_are_the_same_again():
    data = movie()
    before = data["deaths:cancer"].copy()
    image = data["image:cancer"].copy()
    first, second = cards_of(data)[0], cards_of(data)[0]
    assert first == second
    pd.testing.assert_frame_equal(data["deaths:cancer"], before)
    assert (data["image:cancer"] == image).all()
