"""First, last and repeated contacts; contacts over time; the nearest target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import CONTACT_RATES, CONTACTS, EPISODES, NEAREST
from cyto_kedro.methods.contacts import contact_episodes, contact_rates
from cyto_kedro.methods.contacts.nearest import nearest_in_frame, nearest_targets

N = 20
CLOCK = Calibration.regular((N, 100, 200), pixel_size_um=2.0, frame_interval_min=3.0)


def _contacts(spans: list[tuple[int, int, int, int]], target="cancer") -> pd.DataFrame:
    """(effector, target, first, last) frames in contact."""
    rows = [(f, a, b) for a, b, first, last in spans for f in range(first, last + 1)]
    if not rows:
        return CONTACTS.empty()
    frame, a, b = (list(column) for column in zip(*rows, strict=True))
    table = pd.DataFrame(
        {
            "frame": frame,
            "time_min": CLOCK.times_min[frame],
            "effector": "tcell",
            "target": target,
            "effector_label": a,
            "target_label": b,
            "effector_track_id": a,
            "target_track_id": b,
            "distance_um": 1.0,
            "centroid_distance_um": 9.0,
            "boundary_um": 1.0,
            "overlap_px": 0,
            "in_contact": True,
        }
    )
    return CONTACTS.validate(CONTACTS.conform(table))


def _tracks(ids: list[int], last: int = N - 1) -> pd.DataFrame:
    frames = np.tile(np.arange(last + 1), len(ids))
    return pd.DataFrame({"track_id": np.repeat(ids, last + 1), "frame": frames})


def _episodes(contacts, a, b, **more) -> pd.DataFrame:
    found = contact_episodes(
        contacts, a, b, CLOCK, max_gap_frames=0, min_frames=1, **more
    )
    return EPISODES.validate(found)


def test_contacts_are_numbered_in_the_life_of_both_cells():
    spans = [(1, 7, 2, 3), (1, 8, 5, 6), (1, 7, 9, 12), (2, 7, 4, 4)]
    table = _episodes(_contacts(spans), _tracks([1, 2]), _tracks([7, 8]))
    keyed = table.set_index(["effector_track_id", "target_track_id", "episode"])
    assert keyed["effector_contact"].to_dict() == {
        (1, 7, 1): 1,
        (1, 7, 2): 3,
        (1, 8, 1): 2,
        (2, 7, 1): 1,
    }
    assert keyed["target_contact"].to_dict() == {
        (1, 7, 1): 1,
        (1, 7, 2): 3,
        (1, 8, 1): 1,
        (2, 7, 1): 2,
    }
    assert keyed["last_of_effector"].tolist() == [False, True, False, True]
    assert keyed["last_of_target"].tolist() == [False, True, True, False]
    assert keyed.loc[(1, 7, 2), "since_last_min"] == (9 - 3) * 3.0
    assert keyed["since_last_min"].isna().sum() == 3


def test_within_one_type_a_cell_has_one_list_of_contacts():
    spans = [(1, 2, 2, 3), (2, 3, 5, 6), (1, 3, 9, 10)]
    contacts = _contacts(spans, target="tcell")
    table = _episodes(contacts, _tracks([1, 2, 3]), _tracks([1, 2, 3]))
    numbers = table[["effector_contact", "target_contact"]].to_numpy().tolist()
    assert numbers == [[1, 1], [2, 2], [2, 1]]  # pairs (1, 2), (1, 3), (2, 3)


def test_pairs_listed_beyond_the_leave_distance_do_not_prolong_a_contact():
    contacts = _contacts([(1, 7, 3, 10)])
    frame = contacts["frame"]
    contacts["in_contact"] = frame <= 5
    contacts["distance_um"] = np.where(frame <= 5, 1.0, np.where(frame <= 7, 1.8, 2.5))
    near = _episodes(contacts, _tracks([1]), _tracks([7]), leave_um=2.0)
    assert near["last_frame"].tolist() == [7]
    alone = contacts[contacts["distance_um"] <= 2.0]
    pd.testing.assert_frame_equal(near, _episodes(alone, _tracks([1]), _tracks([7])))


def test_rates_count_cells_pairs_and_beginnings():
    spans = [(1, 7, 0, 3), (1, 8, 2, 2), (2, 7, 2, 5)]
    contacts = _contacts(spans)
    a, b = _tracks([1, 2, 3, 4], 9), _tracks([7, 8])
    table = contact_rates(
        contacts, _episodes(contacts, a, b), a, b, CLOCK, effector="a", target="b"
    )
    table = CONTACT_RATES.validate(table)
    assert len(table) == N
    two = table.loc[2]
    assert two[["n_effectors", "n_targets", "n_contacts"]].tolist() == [4, 2, 3]
    assert two["n_begun"] == 2  # that of frame 0 was under way
    assert table["n_begun"].sum() == 2
    assert two["effectors_in_contact"] == 0.5 and two["targets_in_contact"] == 1
    assert two["contacts_per_effector"] == 0.75
    assert two["contacts_per_mm2"] == pytest.approx(3 / (0.2 * 0.4))
    assert two["begun_per_effector_hour"] == pytest.approx(2 / (4 * 3 / 60))
    assert np.isnan(table.loc[15, "effectors_in_contact"])  # no effectors any more
    assert table.loc[15, "targets_in_contact"] == 0


def test_without_cells_rates_are_zero_counts_and_undefined_shares():
    none = _tracks([])
    table = contact_rates(
        CONTACTS.empty(),
        EPISODES.empty(),
        none,
        none,
        CLOCK,
        effector="a",
        target="b",
    )
    assert (CONTACT_RATES.validate(table)["n_contacts"] == 0).all()
    assert table["contacts_per_target"].isna().all()
    assert (table["contacts_per_mm2"] == 0).all()


@st.composite
def _masks(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    planes = []
    for most in (draw(st.integers(0, 5)), draw(st.integers(0, 4))):
        plane = np.zeros((24, 30), np.uint32)
        for label in random.permutation(9)[:most] + 1:
            y, x = random.integers(0, 20), random.integers(0, 26)
            h, w = random.integers(1, 9, 2)
            plane[y : y + h, x : x + w] = label
        planes.append(plane)
    return planes


@settings(max_examples=60, deadline=None)
@given(_masks(), st.sampled_from([(1.0, 1.0), (2.0, 0.5)]))
def test_the_nearest_target_is_that_of_a_distance_map(masks, spacing):
    effectors, targets = masks
    ids, partner, distance = nearest_in_frame(effectors, targets, spacing)
    assert ids.tolist() == np.unique(effectors[effectors > 0]).tolist()
    if not targets.any():
        assert np.isnan(distance).all() and (partner == 0).all()
        return
    maps = {
        label: distance_transform_edt(targets != label, sampling=spacing)
        for label in np.unique(targets[targets > 0])
    }
    for label, found, length in zip(ids, partner, distance, strict=True):
        true = {k: plane[effectors == label].min() for k, plane in maps.items()}
        assert length == pytest.approx(min(true.values()))
        assert true[found] == pytest.approx(length)


def test_the_table_names_tracks_and_keeps_frames_without_targets():
    labels = np.zeros((2, 100, 200), np.uint32)
    targets = labels.copy()
    labels[:, 10:12, 10:12] = 4
    targets[0, 10:12, 20:22] = 9
    clock = Calibration.regular((2, 100, 200), 2.0, 3.0)
    mine = pd.DataFrame({"frame": [0, 1], "label": 4, "track_id": 1})
    theirs = pd.DataFrame({"frame": [0], "label": [9], "track_id": [3]})
    table = nearest_targets(
        labels, targets, mine, theirs, clock, effector="a", target="b"
    )
    table = NEAREST.validate(table)
    assert table["distance_um"].tolist()[0] == 18.0
    assert table["target_track_id"].tolist() == [3, pd.NA]
    assert np.isnan(table["distance_um"].tolist()[1])
