"""All cells of a movie in one order, found again by role, frame and label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.errors import InputError
from cyto_kedro.methods.cells import MovieCells
from tables import tracks_table

keys = st.tuples(
    st.sampled_from(["a", "b"]), st.integers(0, 5), st.integers(1, 2**32 - 1)
)


def cells_of(rows):
    tables = {}
    for role in ("a", "b"):
        own = [(frame, label) for r, frame, label in rows if r == role]
        frame, label = np.array(own, np.int64).reshape(-1, 2).T
        zero, track = np.zeros(len(own)), np.arange(1, len(own) + 1)
        tables[role] = tracks_table(frame, track, zero, zero, label=label)
    return MovieCells.of(tables)


@settings(max_examples=25, deadline=None)
@given(st.lists(keys, unique=True, max_size=20), st.lists(keys, max_size=10))
def test_a_cell_is_found_by_its_key_and_only_then(rows, others):
    cells = cells_of(rows)
    place = list(zip(cells.frame, cells.role, cells.label, strict=True))
    assert place == sorted(place)
    for role, frame, label in rows + others:
        (at,) = cells.find(role, np.array([frame]), np.array([label]))
        if (role, frame, label) in rows:
            assert place[at] == (frame, cells.roles.index(role), label)
        else:
            assert at == -1


def test_two_rows_for_one_mask_are_refused():
    cells = cells_of([("a", 0, 3), ("a", 0, 3)])
    with pytest.raises(InputError, match="Label 3 occurs twice"):
        cells.find("a", np.array([0]), np.array([3]))
