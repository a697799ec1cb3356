"""The second vote from the live channel, and the table of evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.schemas import DEATH_EVIDENCE, TRACKS
from cyto_kedro.methods.killing.death import find_onsets
from cyto_kedro.methods.killing.evidence import (
    death_evidence,
    live_votes,
    without_vetoed,
)
from methods.killing.cases import CALIBRATION, cell, track_rows

FRAMES = np.arange(60)
MARKER = np.where(FRAMES >= 30, 200.0, 10.0)
FADING = np.where(FRAMES >= 30, 0.35 + 0.65 * np.exp(-(FRAMES - 30) / 5), 1.0)


def _movie(live: dict[int, np.ndarray], bleach: float = 0.0, length: int = 60):
    """Cells that all turn positive in frame 30 except number 9, which lives."""
    rows = []
    for track in live:
        rows += cell(track, (MARKER if track != 9 else np.full(60, 10.0))[:length])
    tracks = track_rows(rows)
    loss = np.exp(-bleach * tracks["frame"] / 60)
    values = [
        live[track][frame]
        for track, frame in zip(tracks["track_id"], tracks["frame"], strict=True)
    ]
    ids = tracks["track_id"].to_numpy()
    signal = tracks["mean_death"].to_numpy() - tracks["background_death"].to_numpy()
    return tracks, 300.0 * np.array(values) * loss, find_onsets(ids, signal, 100.0)


@pytest.mark.parametrize("bleach", [0.0, 1.5])
def test_bleaching_is_no_loss_and_a_loss_is_seen_through_bleaching(bleach):
    live = {1: FADING, 2: np.ones(60), 9: np.ones(60)}
    tracks, signal, onsets = _movie(live, bleach)
    votes = live_votes(tracks, signal, onsets, 60.0, 0.7)
    np.testing.assert_array_equal(votes.lost, [1, 0, np.nan])
    assert votes.ratio[1] == pytest.approx(1.0)
    assert votes.ratio[0] < 0.55
    assert without_vetoed(onsets, votes).onset.tolist()[1:] == [-1, -1]
    assert without_vetoed(onsets, votes).onset[0] == onsets.onset[0]


def test_a_movie_that_ends_too_early_and_a_missing_channel_give_no_vote():
    live = {1: FADING, 9: np.ones(60)}
    tracks, signal, onsets = _movie(live, length=34)
    short = live_votes(tracks, signal, onsets, 60.0, 0.7)
    assert np.isnan(short.lost).all()
    assert (without_vetoed(onsets, short).onset == onsets.onset).all()
    assert np.isnan(live_votes(tracks, None, onsets, 60.0, 0.7).ratio).all()


def _evidence(tracks, onsets, votes) -> pd.DataFrame:
    raw = (tracks["mean_death"] - tracks["background_death"]).to_numpy(float)
    table = death_evidence(
        tracks,
        raw,
        onsets,
        votes,
        CALIBRATION,
        "cancer",
        window_min=60.0,
        shape="sigmoid",
        confidence=0.95,
    )
    return DEATH_EVIDENCE.validate(table)


def test_each_death_has_a_row_with_its_interval_and_votes():
    tracks, signal, onsets = _movie({1: FADING, 2: np.ones(60), 9: np.ones(60)})
    votes = live_votes(tracks, signal, onsets, 60.0, 0.7)
    table = _evidence(tracks, onsets, votes)
    assert table["track_id"].tolist() == [1, 2]
    assert table["live_lost"].tolist() == [True, False]
    assert (table["death_time_min"] == 150.0).all()
    assert table["onset_min"].between(145.0, 150.0).all()
    assert (table["onset_low_min"] < table["onset_min"]).all()
    assert table["plateau"].to_numpy() == pytest.approx([200.0, 200.0], rel=0.01)
    vetoed = _evidence(tracks, without_vetoed(onsets, votes), votes)
    assert vetoed["track_id"].tolist() == [1]


def test_without_cells_the_table_is_typed_and_empty():
    onsets = find_onsets(np.empty(0, int), np.empty(0), 1.0)
    votes = live_votes(TRACKS.empty(), np.empty(0), onsets, 60.0, 0.7)
    table = _evidence(
        TRACKS.empty().assign(mean_death=0.0, background_death=0.0), onsets, votes
    )
    pd.testing.assert_frame_equal(table, DEATH_EVIDENCE.empty())
