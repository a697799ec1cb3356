"""TrackMate files: what it says comes in, what we write is what it writes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.schemas import EXCHANGED_TRACKS, TRACKS
from cyto_kedro.datasets import TrackMateDataset
from tables import tracks_table

CASES = [
    "without_gap_closing",
    "with_gap_closing",
    "with_splitting",
    "with_merging",
    "with_splitting_merging",
]


@pytest.fixture
def calibrated(tmp_path):
    """Write a calibration; returns keyword arguments of the dataset."""

    def make(shape=(50, 128, 128), pixel_size_um=1.0, interval=1.0):
        known = Calibration.regular(shape, pixel_size_um, interval)
        path = tmp_path / "calibration.json"
        path.write_text(known.model_dump_json())
        return {"filepath": tmp_path / "out.xml", "calibration": path}

    return make


def document(
    spots, edges, *, units="micron", times="min", shown=(0,), image="", frames=9
):
    """A file as a person would write it; spots are (id, frame, x, y)."""
    body = "".join(
        f'<SpotsInFrame frame="{f}">'
        + "".join(
            f'<Spot ID="{i}" name="a&amp;b" POSITION_X="{x}" POSITION_Y="{y}" '
            f'POSITION_Z="0.0" POSITION_T="{f * 2.0}" RADIUS="3.0" QUALITY="7.5" '
            f'VISIBILITY="{more[0] if more else 1}" FRAME="{f}"/>'
            for i, g, x, y, *more in spots
            if g == f
        )
        + "</SpotsInFrame>"
        for f in range(frames)
    )
    tracks = "".join(
        f'<Track TRACK_ID="{k}" name="t">'
        + "".join(
            f'<Edge SPOT_SOURCE_ID="{a}" SPOT_TARGET_ID="{b}" LINK_COST="4.0"/>'
            for a, b in own
        )
        + "</Track>"
        for k, own in enumerate(edges)
    )
    visible = "".join(f'<TrackID TRACK_ID="{k}"/>' for k in shown)
    return (
        f'<TrackMate version="7.1"><Model spatialunits="{units}" timeunits="{times}">'
        f"<AllSpots>{body}</AllSpots><AllTracks>{tracks}</AllTracks>"
        f"<FilteredTracks>{visible}</FilteredTracks></Model><Settings>"
        f'<ImageData filename="m.tif" folder="/x" pixelwidth="0.5" pixelheight="0.5" '
        f'timeinterval="2.0" {image}/></Settings></TrackMate>'
    )


def load(tmp_path, text, **options):
    (tmp_path / "in.xml").write_text(text)
    return TrackMateDataset(tmp_path / "in.xml", **options).load()


LINE = [(0, 0, 1.0, 2.0), (5, 1, 4.0, 6.0), (9, 4, 4.0, 7.0)]


def links(table):
    """All links of a table, as pairs of (frame, label)."""
    point = {r.Index: (r.frame, r.label) for r in table.itertuples()}
    found = set()
    for _, own in table.sort_values("frame").groupby("track_id"):
        rows = list(own.index)
        found |= {(point[a], point[b]) for a, b in pairwise(rows)}
        other = table[table["parent_track_id"] == own["track_id"].iloc[0]]
        for _, child in other.groupby("track_id"):
            found.add((point[rows[-1]], point[child["frame"].idxmin()]))
        if (
            "merged_into_track_id" in table
            and own["merged_into_track_id"].notna().all()
        ):
            into = table[table["track_id"] == own["merged_into_track_id"].iloc[0]]
            found.add((point[rows[-1]], point[into["frame"].idxmin()]))
    return found


def spot_links(table):
    """All links as pairs of TrackMate's spot ids."""
    spot = {(r.frame, r.label): r.source_id for r in table.itertuples()}
    return {(spot[a], spot[b]) for a, b in links(table)}


@pytest.mark.real_data
@pytest.mark.parametrize("case", CASES)
def test_trackmates_own_results_come_in_whole(real_data, case):
    stem = f"{real_data}/trackmate_reference/trackmate_tracks_{case}"
    table = TrackMateDataset(f"{stem}.xml", pixel_size_um=0.5).load()
    EXCHANGED_TRACKS.validate(table)
    edges = pd.read_csv(f"{stem}_edges.csv", index_col=0)
    spots = pd.read_csv(f"{stem}_spots.csv", index_col=0).set_index("id")
    ours = table.set_index("source_id").loc[spots.index]
    assert len(table) == len(spots)
    np.testing.assert_array_equal(ours["frame"], spots["frame"])
    np.testing.assert_allclose(ours["x_um"], spots["position_x"] / 2)
    np.testing.assert_allclose(ours["y_um"], spots["position_y"] / 2)
    # The file's interval is one second.
    np.testing.assert_allclose(ours["time_min"], spots["frame"] / 60)
    theirs = set(zip(edges["spot_source_id"], edges["spot_target_id"], strict=True))
    assert spot_links(table) == theirs
    graph = nx.Graph(spot_links(table))
    groups = {frozenset(c) for c in nx.connected_components(graph)}
    assert groups == {
        frozenset(own["spot_source_id"]) | frozenset(own["spot_target_id"])
        for _, own in edges.groupby("track_id")
    }


@pytest.mark.real_data
@pytest.mark.parametrize("case", CASES)
def test_our_export_says_what_trackmates_file_says(real_data, calibrated, case):
    path = real_data / "trackmate_reference" / f"trackmate_tracks_{case}.xml"
    table = TrackMateDataset(path, pixel_size_um=1.0).load()
    ours = TrackMateDataset(**calibrated(interval=1 / 60))
    ours.save(table)
    again = ours.load()
    pd.testing.assert_frame_equal(again, table, rtol=1e-12)
    new, old = ElementTree.parse(ours.path), ElementTree.parse(path)
    # Their time is in seconds: ours, in minutes, is 60 times smaller.
    scale = {"EDGE_TIME": 60, "VELOCITY": 1 / 60}
    mine = {key(e): e.attrib for e in new.iter("Edge")}
    theirs = {key(e): e.attrib for e in old.iter("Edge")}
    assert mine.keys() == theirs.keys()
    into = Counter(target for _, target in mine)
    for edge, said in mine.items():
        for name, value in said.items():
            # The cost of a link into a merge is the one thing that a table drops.
            if name != "LINK_COST" or into[edge[1]] == 1:
                expected = float(theirs[edge][name])
                assert float(value) * scale.get(name, 1) == pytest.approx(expected)
    assert track_features(new, 60) == track_features(old, 1)


def key(edge):
    return edge.get("SPOT_SOURCE_ID"), edge.get("SPOT_TARGET_ID")


def track_features(document, per_unit):
    names = ["NUMBER_SPOTS", "NUMBER_GAPS", "LONGEST_GAP"]
    names += ["NUMBER_SPLITS", "NUMBER_MERGES", "NUMBER_COMPLEX"]
    times = ["TRACK_DURATION", "TRACK_START", "TRACK_STOP"]
    return sorted(
        [float(track.get(name)) for name in names]
        + [round(float(track.get(name)) * per_unit, 6) for name in times]
        for track in document.iter("Track")
    )


@pytest.mark.real_data
def test_our_elements_and_attributes_are_trackmates(real_data, calibrated):
    path = real_data / "trackmate_reference" / f"trackmate_tracks_{CASES[-1]}.xml"
    ours = TrackMateDataset(**calibrated(interval=1 / 60))
    ours.save(TrackMateDataset(path, pixel_size_um=1.0).load())
    new, old = (ElementTree.parse(p).getroot() for p in (ours.path, path))
    mine, theirs = schema(new), schema(old)
    assert mine.keys() <= theirs.keys()
    own = {"TrackMate/Model/AllSpots/SpotsInFrame/Spot": {"CYTO_LABEL"}}
    for place, names in mine.items():
        assert names <= theirs[place] | own.get(place, set()), place
    # What is not written: settings of steps that TrackMate did not run.
    missing = {place.split("/")[-1] for place in theirs.keys() - mine.keys()}
    assert missing == {
        *("Linking", "GapClosing", "TrackSplitting", "TrackMerging"),
        *("FeaturePenalties", "Analyzer"),
    }
    # Children come in TrackMate's order.
    for place in (".", "Model", "Settings"):
        order = [child.tag for child in old.find(place)]
        assert [child.tag for child in new.find(place)] == order
    declared = {f.get("feature"): dict(f.attrib) for f in old.iter("Feature")}
    for feature in new.iter("Feature"):
        if feature.get("feature") not in ("CYTO_LABEL", "MANUAL_COLOR"):
            assert dict(feature.attrib) == declared[feature.get("feature")]


def schema(root):
    """Attribute names by the path of the element."""
    found = {}
    todo = [(root.tag, root)]
    while todo:
        place, element = todo.pop()
        found.setdefault(place, set()).update(element.attrib)
        todo += [(f"{place}/{child.tag}", child) for child in element]
    return found


def test_every_attribute_that_we_write_is_declared(calibrated):
    # TrackMate cannot save a file again that holds undeclared features.
    dataset = TrackMateDataset(**calibrated((9, 64, 64)))
    dataset.save(lineage())
    root = ElementTree.parse(dataset.path).getroot()
    kinds = {"Spot": "SpotFeatures", "Edge": "EdgeFeatures", "Track": "TrackFeatures"}
    for tag, kind in kinds.items():
        declared = {f.get("feature") for f in root.find(f".//{kind}")}
        written = {name for element in root.iter(tag) for name in element.attrib}
        assert written - {"ID", "name"} == declared


def lineage():
    """Track 1 (a gap at frame 2) divides into 3 and 4; track 2 is one point."""
    frame = [0, 1, 3, 4, 5, 4, 5, 0]
    track = [1, 1, 1, 3, 3, 4, 4, 2]
    y = [0.0, 3.0, 3.0, 2.0, 1.0, 4.0, 5.0, 40.0]
    x = [0.0, 4.0, 4.5, 5.0, 6.0, 5.0, 6.5, 50.0]
    parent = pd.array([None] * 3 + [1] * 4 + [None], dtype="Int64")
    table = tracks_table(
        frame, track, y, x, 2.0, parent_track_id=parent, area_um2=np.pi * 4.0
    )
    # Any label that a mask may have.
    return table.assign(label=table["label"] * 1000 + 7)


def test_our_tracks_come_back(calibrated):
    table = lineage()
    TRACKS.validate(table)
    dataset = TrackMateDataset(**calibrated((9, 64, 64), 0.65, 2.0))
    dataset.save(table)
    again = dataset.load()
    EXCHANGED_TRACKS.validate(again)
    columns = ["frame", "label", "time_min", "y_um", "x_um", "track_id"]
    columns += ["parent_track_id"]
    sort = ["frame", "label"]
    pd.testing.assert_frame_equal(
        again[columns], table.sort_values(sort, ignore_index=True)[columns]
    )
    np.testing.assert_allclose(again["radius_um"], 2.0)
    assert again["quality"].isna().all() and again["link_cost"].isna().all()
    assert links(again) == links(table)
    third = again[(again["track_id"] == 1) & (again["frame"] == 3)].iloc[0]
    assert (third.gap_frames, third.link_distance_um) == (1, 0.5)


def test_a_movie_without_cells_is_a_file(calibrated):
    dataset = TrackMateDataset(**calibrated((3, 8, 8)))
    dataset.save(TRACKS.empty())
    again = dataset.load()
    EXCHANGED_TRACKS.validate(again)
    assert again.empty


def test_units_are_converted(tmp_path):
    text = document(LINE, [[(0, 5), (5, 9)]], units="\u00b5m", times="sec")
    table = load(tmp_path, text)
    assert table["x_um"].tolist() == [1.0, 4.0, 4.0]
    np.testing.assert_allclose(table["time_min"], np.array([0.0, 2.0, 8.0]) / 60)
    assert table["gap_frames"].tolist() == [0, 0, 2]
    np.testing.assert_allclose(table["link_distance_um"], [np.nan, 5.0, 1.0])
    assert table["source_id"].tolist() == [0, 5, 9]
    # One pixel is 0.5 of the file's units: 0.65 um per 0.5.
    text = document(LINE, [[(0, 5), (5, 9)]], units="pixel", times="frame")
    table = load(tmp_path, text, pixel_size_um=0.65, frame_interval_min=3.0)
    np.testing.assert_allclose(table["x_um"], [1.3, 5.2, 5.2])
    np.testing.assert_allclose(table["time_min"], [0.0, 3.0, 12.0])
    np.testing.assert_allclose(table["radius_um"], 3.9)


def test_what_the_file_does_not_say_is_asked_for(tmp_path):
    text = document(LINE, [[(0, 5)]], units="pixel")
    with pytest.raises(DatasetError, match="pixel_size_um"):
        load(tmp_path, text)
    text = document(LINE, [[(0, 5)]], times="frame")
    with pytest.raises(DatasetError, match="frame_interval_min"):
        load(tmp_path, text)
    with pytest.raises(DatasetError, match=r"0\.5 micron"):
        load(tmp_path, document(LINE, [[(0, 5)]]), pixel_size_um=0.65)


def test_merges_are_kept_or_cut(tmp_path):
    # 0-1 and 2-3 merge at 4, which goes on to 5; 3 is nearer.
    spots = [(0, 0, 0, 0), (1, 1, 0, 0), (2, 0, 0, 9), (3, 1, 0, 9)]
    spots += [(4, 2, 0, 8), (5, 3, 0, 8)]
    text = document(spots, [[(0, 1), (2, 3), (4, 3), (1, 4), (4, 5)]])
    kept = load(tmp_path, text).set_index("source_id")
    assert kept["track_id"].to_dict() == {0: 1, 1: 1, 2: 2, 3: 2, 4: 3, 5: 3}
    assert kept["merged_into_track_id"].dropna().to_dict() == dict.fromkeys(range(4), 3)
    assert kept["parent_track_id"].isna().all()
    cut = load(tmp_path, text, merges="cut").set_index("source_id")
    assert cut["track_id"].to_dict() == {0: 1, 1: 1, 2: 2, 3: 2, 4: 2, 5: 2}
    assert cut["merged_into_track_id"].isna().all()


def test_what_trackmate_hides_stays_out(tmp_path):
    spots = [*LINE, (20, 0, 50, 50), (21, 1, 50, 50), (30, 2, 9, 9, 0), (31, 2, 8, 8)]
    text = document(spots, [[(0, 5), (5, 9)], [(20, 21)]], shown=(0,))
    assert set(load(tmp_path, text)["source_id"]) == {0, 5, 9, 31}
    assert len(load(tmp_path, text, hidden=True)) == len(spots)


def test_spots_added_in_trackmate_get_a_free_label(calibrated):
    dataset = TrackMateDataset(**calibrated((9, 64, 64)))
    dataset.save(lineage())
    tree = ElementTree.parse(dataset.path)
    frame = tree.find(".//SpotsInFrame[@frame='4']")
    for number, label in ((900, None), (901, "1007")):
        new = ElementTree.SubElement(frame, "Spot", frame[0].attrib)
        new.set("ID", str(number))
        del new.attrib["CYTO_LABEL"]
        if label:
            new.set("CYTO_LABEL", label)
    tree.write(dataset.path)
    again = dataset.load()
    labels = again[again["frame"] == 4]["label"].tolist()
    assert labels == [1007, 2007, 2008, 2009]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<TrackMate><Model", "no element found|unclosed"),
        ("<Tracks/>", "not <TrackMate>"),
        ('<TrackMate version="7"/>', "there is no <AllSpots>"),
        (document(LINE, [[(0, 77)]]), "spot 77"),
        (document([*LINE, (5, 2, 0, 0)], [[]]), "spot 5 twice"),
        (document([(0, 0, "nan", 1)], [[]]), "no finite position"),
        (document([(0, 0, 1, 1), (1, 0, 2, 2)], [[(0, 1)]]), "of one frame"),
        (document([(0, 0, "x", 1)], [[]]), "could not convert"),
    ],
)
def test_bad_files_say_why(tmp_path, text, why):
    with pytest.raises(DatasetError, match=why) as e:
        load(tmp_path, text)
    assert isinstance(e.value.__cause__, InputError)


def test_two_merges_from_one_cell_need_a_cut(tmp_path):
    spots = [(k, k // 2, k % 2, 0) for k in range(4)]
    text = document(spots, [[(0, 2), (0, 3), (1, 2), (1, 3)]])
    with pytest.raises(DatasetError, match="two merges at once"):
        load(tmp_path, text)
    assert len(load(tmp_path, text, merges="cut")) == 4


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda t: t.drop(columns="track_id"), "lacks track_id"),
        (lambda t: t.assign(x_um=np.nan), "no finite position"),
        (lambda t: t.assign(label=1), "repeat"),
        (lambda t: t[t["track_id"] != 1], "parent of track 3 but is not in"),
        (lambda t: t.assign(time_min=0.0), "time_min does not increase"),
        (lambda t: t.assign(frame=t["frame"] + 7), "the movie has 9 frames"),
        (
            lambda t: t.assign(
                parent_track_id=t["track_id"].map({3: 4}).astype("Int64")
            ),
            "track 4 does not end before track 3",
        ),
        (lambda t: [1], "Expected a table"),
    ],
)
def test_tables_that_are_no_tracks_are_refused(calibrated, change, why):
    dataset = TrackMateDataset(**calibrated((9, 64, 64)))
    with pytest.raises(DatasetError, match=why) as e:
        dataset.save(change(lineage()))
    assert isinstance(e.value.__cause__, InputError)
    assert not dataset.exists()


def test_bad_options(tmp_path):
    with pytest.raises(ConfigError, match=r"\.xml"):
        TrackMateDataset(tmp_path / "t.csv")
    with pytest.raises(ConfigError, match="positive"):
        TrackMateDataset(tmp_path / "t.xml", pixel_size_um=0.0)
    with pytest.raises(DatasetError, match="size of the movie"):
        TrackMateDataset(tmp_path / "t.xml").save(TRACKS.empty())


def test_the_image_is_named(calibrated):
    options = calibrated((9, 48, 64), 0.5, 2.0)
    dataset = TrackMateDataset(**options, image="/raw/w1/cells & dye.tif")
    dataset.save(lineage())
    said = ElementTree.parse(dataset.path).find(".//ImageData").attrib
    assert (said["folder"], said["filename"]) == ("/raw/w1", "cells & dye.tif")
    assert (said["width"], said["height"], said["nframes"]) == ("64", "48", "9")
    assert (said["pixelwidth"], said["timeinterval"]) == ("0.5", "2.0")
