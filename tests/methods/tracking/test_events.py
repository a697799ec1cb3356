"""Planted mistakes must be listed, clean tracks must not."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import SUSPICIOUS_EVENTS
from cyto_kedro.methods.tracking import suspicious_events
from tables import tracks_table

FIELD = Calibration.regular((10, 400, 400), frame_interval_min=2.0)


def tracks(*paths, parents=()):
    """TRACKS of cells given as lists of (frame, y, x), with the true link lengths."""
    rows = []
    for track, path in enumerate(paths, start=1):
        for i, (frame, y, x) in enumerate(path):
            before = path[i - 1] if i else (0, np.nan, np.nan)
            length = np.hypot(y - before[1], x - before[2])
            rows.append((frame, track, y, x, length))
    frame, track, y, x, length = (list(column) for column in zip(*rows, strict=True))
    parent = [dict(parents).get(one) for one in track]
    return tracks_table(
        frame, track, y, x, link_distance_um=length, parent_track_id=parent
    )


def line(y, x, frames=range(10), step=1.0):
    return [(t, y, x + step * t) for t in frames]


def kinds(events):
    return list(zip(events["kind"], events["frame"], events["track_id"], strict=True))


def test_clean_tracks_and_no_tracks():
    clean = tracks(line(100, 100), line(200, 200))
    for table in (clean, clean.iloc[:0]):
        events = suspicious_events(table, FIELD)
        assert len(events) == 0
        SUSPICIOUS_EVENTS.validate(events)


def test_appearing_and_vanishing_in_mid_field():
    late, early = line(200, 200, range(4, 10)), line(300, 200, range(6))
    at_edge = line(5, 200, range(3, 7))
    events = suspicious_events(tracks(line(100, 100), late, early, at_edge), FIELD)
    assert kinds(events) == [("appears", 4, 2), ("vanishes", 5, 3)]
    assert events["time_min"].tolist() == [8.0, 10.0]
    assert events["severity"].tolist() == pytest.approx([196.0, 100.0])


def test_a_division_is_not_suspicious():
    mother = line(200, 200, range(5))
    daughters = [line(y, 200, range(5, 10)) for y in (192, 208)]
    family = tracks(mother, *daughters, parents={2: 1, 3: 1}.items())
    assert len(suspicious_events(family, FIELD)) == 0


def test_jump():
    path = line(200, 100)
    path[6:] = [(t, y, x + 30.0) for t, y, x in path[6:]]
    events = suspicious_events(tracks(path, line(50, 50)), FIELD)
    assert kinds(events) == [("jump", 6, 1)]
    SUSPICIOUS_EVENTS.validate(events)
    assert events[["label", "y_um", "x_um"]].to_numpy().tolist() == [[1, 200, 136]]
    assert events["severity"].tolist() == pytest.approx([31.0])


def test_possible_identity_switch_names_both():
    """Two cells pass within their step length of each other."""
    down = [(t, 200.0 + 4.0 * (t - 4.5), 200.0) for t in range(10)]
    up = [(t, 200.0 - 4.0 * (t - 4.5), 200.5) for t in range(10)]
    events = suspicious_events(tracks(down, up, line(50, 50)), FIELD)
    assert kinds(events) == [("swap", 5, 1)]
    SUSPICIOUS_EVENTS.validate(events)
    assert events["other_track_id"].tolist() == [2]


@pytest.mark.parametrize("ratio", [1.0, 1.5, 4.0])
def test_swaps_are_those_of_all_pairs(ratio):
    """Crowded cells of very different speed, against every pair tried out."""
    rng = np.random.default_rng(5)
    start = rng.uniform(100, 160, (60, 2))
    end = start + rng.normal(0, 1, (60, 2)) * rng.choice([0.5, 4, 30], (60, 1))
    cells = [[(0, *one), (1, *two)] for one, two in zip(start, end, strict=True)]
    expected = set()
    for a in range(60):
        for b in range(a + 1, 60):
            kept = ((end[[a, b]] - start[[a, b]]) ** 2).sum()
            crossed = ((end[[b, a]] - start[[a, b]]) ** 2).sum()
            if crossed < ratio * kept:
                expected.add((a + 1, b + 1))
    field = Calibration.regular((2, 400, 400))
    events = suspicious_events(tracks(*cells), field, swap_ratio=ratio)
    swaps = events[events["kind"] == "swap"]
    found = set(zip(swaps["track_id"], swaps["other_track_id"], strict=True))
    assert len(expected) > 5
    assert found == expected


def test_one_jump_among_ten_thousand_cells():
    """The jump must not be paired with all cells, nor they with each other."""
    y, x = (grid.ravel() * 20.0 + 20.0 for grid in np.indices((100, 100)))
    n = len(y)
    moved = x + np.where(np.arange(n) == 0, 310.0, 0.1)
    table = tracks_table(
        np.repeat([0, 1], n),
        np.tile(np.arange(1, n + 1), 2),
        np.tile(y, 2),
        np.append(x, moved),
        link_distance_um=np.append(np.full(n, np.nan), moved - x),
    )
    field = Calibration.regular((2, 2100, 2100))
    tracemalloc.start()
    events = suspicious_events(table, field, swap_ratio=1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Cells at rest that see the jump at more than a right angle (Thales).
    inside = (x - 175.0) ** 2 + (y - 20.0) ** 2 < 155.0**2
    assert events["kind"].tolist() == ["jump", *["swap"] * inside.sum()]
    assert set(events["track_id"]) == {1}
    assert set(events["other_track_id"].dropna()) == set(np.flatnonzero(inside) + 1)
    assert peak < 100 * 2**20, "all pairs would be 800 MB"
