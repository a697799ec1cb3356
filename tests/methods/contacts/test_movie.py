"""Contacts of a movie: joined to tracks by label, independent of threads."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.core.schemas import CONTACTS
from cyto_kedro.methods.contacts import CONTACT_RULES, EdgeRule, measure_contacts

LIMITS = CONTACT_RULES["edge"](EdgeRule(), (1.0, 1.0))


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Two effectors beside a target; labels change from frame to frame."""
    effectors, targets = np.zeros((2, 3, 20, 20), np.uint32)
    for frame, (left, right, target) in enumerate([(1, 2, 9), (2, 1, 8), (7, 3, 2)]):
        effectors[frame, 8:11, 4:7] = left
        effectors[frame, 8:11, 12:15] = right
        targets[frame, 7:12, 7:12] = target
    return effectors, targets


def tracks(*rows: tuple[int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["frame", "label", "track_id"])


def measured(effectors, targets, ids, target_ids, **names):  # type: ignore[no-untyped-def]
    roles = {"effector": "tcell", "target": "cancer"} | names
    calibration = Calibration.regular(effectors.shape, frame_interval_min=2.0)
    return measure_contacts(
        effectors, targets, ids, target_ids, calibration, LIMITS, **roles
    )


def test_tracks_are_joined_by_frame_and_label() -> None:
    # Shuffled rows, and label 1 of frame 1 belongs to no track.
    ids = tracks((2, 3, 22), (1, 2, 11), (0, 2, 22), (2, 7, 11), (0, 1, 11))
    table = measured(*scene(), ids, tracks((1, 8, 5), (0, 9, 5), (2, 2, 5)))
    CONTACTS.validate(table)
    assert table["frame"].tolist() == [0, 0, 1, 1, 2, 2]
    assert table["effector_label"].tolist() == [1, 2, 1, 2, 3, 7]
    expected = pd.array([11, 22, pd.NA, 11, 22, 11], dtype="Int64")
    pd.testing.assert_extension_array_equal(table["effector_track_id"].array, expected)
    assert (table["target_track_id"] == 5).all()
    assert table["time_min"].tolist() == [0.0, 0.0, 2.0, 2.0, 4.0, 4.0]
    assert set(table["effector"]) == {"tcell"}


def test_cells_of_one_kind_are_listed_once() -> None:
    effectors, targets = scene()
    both = np.where(targets > 0, targets + 100, effectors)
    table = measured(both, both, tracks(), tracks(), effector="nk", target="nk")
    assert len(table) == 6
    assert (table["effector_label"] < table["target_label"]).all()
    assert (table["overlap_px"] == 0).all()


def test_a_movie_without_contacts_gives_a_typed_empty_table() -> None:
    empty = np.zeros((1, 4, 4), np.uint32)
    table = measured(empty, empty, tracks(), tracks())
    CONTACTS.validate(table)
    assert table.empty


def test_threads_and_chunks_change_nothing() -> None:
    effectors, targets = scene()
    results = []
    try:
        for count, chunks in ((1, (1, 20, 20)), (3, (2, 7, 20))):
            set_workers(count)
            lazy = da.from_array(effectors, chunks=chunks)
            results.append(measured(lazy, targets, tracks(), tracks()))
    finally:
        set_workers(None)
    pd.testing.assert_frame_equal(*results)


def test_masks_of_another_movie_are_refused() -> None:
    effectors, targets = scene()
    with pytest.raises(InputError, match="masks of 'cancer'"):
        measured(effectors, targets[:2], tracks(), tracks())
