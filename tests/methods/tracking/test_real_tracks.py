"""Tracking against TrackMate's own edges and hand-corrected tracks."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.tracking import LapOptions
from cyto_kedro.methods.tracking.costs import Costs
from cyto_kedro.methods.tracking.lap import find_links
from cyto_kedro.methods.tracking.points import read_points

pytestmark = pytest.mark.real_data
PIXEL_UM = 1 / 1.5779


def edges(table: pd.DataFrame, field: Calibration, options: LapOptions) -> set:
    """Links as pairs of row positions of the table."""
    points = read_points(table)
    costs = Costs.of(table, points, options)
    links, _ = find_links(points, field, options, costs)
    return set(zip(points.row[links.source], points.row[links.target], strict=True))


@pytest.mark.parametrize(
    "gap, split, merge",
    [
        (None, None, None),
        (15.0, None, None),
        (15.0, 15.0, None),
        (15.0, None, 15.0),
        (15.0, 15.0, 15.0),
    ],
)
def test_trackmate_parity(gap, split, merge, make, field, trackmate):
    case = {
        (False, False, False): "without_gap_closing",
        (True, False, False): "with_gap_closing",
        (True, True, False): "with_splitting",
        (True, False, True): "with_merging",
        (True, True, True): "with_splitting_merging",
    }[bool(gap), bool(split), bool(merge)]
    root = ET.parse(trackmate / f"trackmate_tracks_{case}.xml").getroot()
    spots = [
        (s.get("ID"), float(s.get("FRAME")), s.get("POSITION_Y"), s.get("POSITION_X"))
        for s in root.iter("Spot")
    ]
    name = [spot[0] for spot in spots]
    frame, y, x = np.array([spot[1:] for spot in spots], dtype=float).T
    when = dict(zip(name, frame, strict=True))
    truth = {
        tuple(sorted((e.get("SPOT_SOURCE_ID"), e.get("SPOT_TARGET_ID")), key=when.get))
        for e in root.iter("Edge")
    }
    options = LapOptions(
        linking_max_distance_um=15.0,
        gap_closing_max_distance_um=gap,
        max_gap_frames=1,
        splitting_max_distance_um=split,
        merging_max_distance_um=merge,
        motion="none",
        field_edge=False,
        join_single_detections=False,
        division=None,
    )
    found = edges(make(frame.astype(int), y, x), field, options)
    assert {(name[i], name[j]) for i, j in found} == truth


@pytest.mark.parametrize("step, goal", [(1, 0.99), (3, 0.97), (5, 0.90), (7, 0.75)])
def test_every_kth_frame(step, goal, make, real_data):
    """Connection Jaccard over all true links, divisions included."""
    folder = real_data / "tracking_tables" / f"sparse{step}"
    cells = pd.read_csv(folder / "regionprops.csv", index_col=0).dropna(subset="track")
    cells = cells.sort_values(["track", "frame"], ignore_index=True)
    where = {key: i for i, key in enumerate(zip(cells.track, cells.frame, strict=True))}
    same = np.flatnonzero(np.diff(cells["track"]) == 0)
    truth = {(int(i), int(i) + 1) for i in same}
    for track, first, _, parent in np.loadtxt(folder / "man_track.txt", dtype=int):
        if parent and (track, first) in where:
            truth.add((where[parent, first - 1], where[track, first]))
    table = make(
        cells["frame"], cells["centroid-0"] * PIXEL_UM, cells["centroid-1"] * PIXEL_UM
    )
    shape = (int(cells["frame"].max()) + 1, 1024, 1024)
    found = edges(table, Calibration.regular(shape, PIXEL_UM), LapOptions())
    assert len(found & truth) / len(found | truth) >= goal


def btrack_truth(folder, step):
    """Every ``step``-th frame of btrack's points, and pairs of rows that are linked."""
    points = pd.read_csv(folder / "btrack_points.csv")
    tracks = json.loads((folder / "btrack_ground_truth.json").read_text("utf-8"))
    kept = [[i for i in rows if points["t"][i] % step == 0] for rows in tracks.values()]
    truth = {pair for rows in kept for pair in pairwise(rows)}
    # The file has no parents; where two tracks begin, one ends in the frame before.
    end = {points["t"][rows[-1]]: k for k, rows in enumerate(tracks.values())}
    for k, rows in enumerate(tracks.values()):
        before = points["t"][rows[0]] - 1
        if before in end:
            truth.add((kept[end[before]][-1], kept[k][0]))
    return points, sorted(i for rows in kept for i in rows), truth


@pytest.mark.parametrize("step, goal", [(1, 0.999), (10, 0.95)])
def test_btrack_points(step, goal, make, real_data):
    """Precision, recall and Jaccard of the links, three divisions included."""
    points, rows, truth = btrack_truth(real_data / "tracking_tables", step)
    assert len(points) == 1399
    assert len(truth) == len(rows) - 1, "one family: every point but one has one before"
    part = points.iloc[rows]
    table = make(part["t"] // step, part["y"], part["x"])
    field = Calibration.regular((500 // step, 1200, 1600))
    found = {(rows[i], rows[j]) for i, j in edges(table, field, LapOptions())}
    hits = len(found & truth)
    assert hits / len(found) >= goal
    assert hits / len(truth) >= goal
    assert hits / len(found | truth) >= goal
