"""Is the cell that touched still the cell that is named?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.schemas import ATTRIBUTION
from cyto_kedro.methods.killing.identity import least_margins, with_track_confidence
from methods.killing.cases import CALIBRATION, credited, died, touching
from tables import tracks_table


def linked(margins: dict[int, dict[int, float]]) -> pd.DataFrame:
    """TRACKS with the given margin of the link into each frame, by track."""
    rows = [(f, track, m) for track, own in margins.items() for f, m in own.items()]
    frame, track, margin = map(np.array, zip(*rows, strict=True))
    return tracks_table(frame, track, frame, track, link_margin=margin)


def slowly(tracks, track_id, first, last):
    """The definition, row by row."""
    own = tracks[tracks["track_id"] == track_id]
    if own.empty:
        return np.nan
    inside = own[(own["frame"] > first) & (own["frame"] <= last)]
    return inside["link_margin"].min() if len(inside) else 1.0


def test_least_margins_equal_a_loop():
    random = np.random.default_rng(0)
    margins = {}
    for track in (2, 5, 6, 11):
        frames = np.flatnonzero(random.random(30) < 0.7)
        values = random.random(len(frames))
        values[0] = np.nan  # no link into the first point
        margins[track] = dict(zip(frames.tolist(), values, strict=True))
    tracks = linked(margins).sample(frac=1, random_state=0)
    ids = random.choice([1, 2, 5, 6, 11, 12], 300)
    first = random.integers(0, 30, 300)
    last = first + random.integers(0, 12, 300)
    found = least_margins(tracks, ids, first, last)
    wanted = [slowly(tracks, *q) for q in zip(ids, first, last, strict=True)]
    np.testing.assert_array_equal(found, wanted)


def test_no_tracks_no_margins_and_no_questions():
    nobody = np.empty(0, int)
    tracks = linked({1: {0: np.nan, 1: 0.3}})
    assert least_margins(tracks, nobody, nobody, nobody).shape == (0,)
    one, zero = np.array([1]), np.array([0])
    assert np.isnan(least_margins(tracks.iloc[:0], one, zero, one)).all()
    bare = tracks.drop(columns="link_margin")
    assert np.isnan(least_margins(bare, one, zero, one)).all(), "another program's"


@pytest.fixture
def case():
    """Target 1 dies in frame 30; effectors 7 and 8 touched it from frame 20 on."""
    deaths = died({1: 30})
    touches = [(f, 7, 1, 0.0) for f in (20, 22, 25)] + [(28, 8, 1, 0.0)]
    return credited(deaths, {"tcell": touching(touches)}, 120.0)


def confidence(case, target=None, effectors=None):
    sure = dict.fromkeys(range(60), 0.9)
    targets = linked({1: sure | (target or {})})
    tracks = linked({7: sure | (effectors or {}), 8: sure})
    table = with_track_confidence(case, CALIBRATION, targets, {"tcell": tracks})
    ATTRIBUTION.validate(table)
    return table["track_confidence"].tolist()


def test_only_the_links_that_matter_count(case):
    assert confidence(case) == [0.9, 0.9]
    # A swap of the effector between its contacts, before them and after them.
    assert confidence(case, effectors={22: 0.1}) == [0.1, 0.9]
    assert confidence(case, effectors={20: 0.1}) == [0.9, 0.9]
    assert confidence(case, effectors={26: 0.1}) == [0.9, 0.9]
    # The target must be the same up to its death, for those who touched before.
    assert confidence(case, target={24: 0.1}) == [0.1, 0.9]
    assert confidence(case, target={30: 0.0}) == [0.0, 0.0]
    assert confidence(case, target={31: 0.0}) == [0.9, 0.9], "dead by then"


def test_a_death_of_nobody_has_no_confidence():
    case = credited(died({1: 30}), {"tcell": touching([])}, 120.0)
    assert np.isnan(confidence(case)).all()
