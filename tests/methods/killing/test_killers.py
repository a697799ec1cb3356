"""The achievements of each effector."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.schemas import KILLERS, TRACKS
from cyto_kedro.methods.killing.killers import killer_table
from cyto_kedro.methods.killing.touches import gather_touches
from methods.killing.cases import (
    CALIBRATION,
    cell,
    credited,
    died,
    touching,
    track_rows,
)


def _killers(deaths, contacts, tracks, serial_kills=2):
    touches = gather_touches(contacts)
    credits = credited(deaths, contacts, 60.0)
    return KILLERS.validate(
        killer_table(credits, touches, tracks, CALIBRATION, serial_kills)
    )


def _tracks(*lengths: tuple[int, int]) -> pd.DataFrame:
    rows = []
    for number, (first, last) in enumerate(lengths, start=1):
        rows += cell(number, np.zeros(last - first + 1), first)
    return track_rows(rows)


def test_kills_rates_and_the_first_kill_of_each_effector():
    contacts = touching(
        [
            *[(f, 1, 1, 0.0) for f in range(20, 24)],
            *[(f, 1, 2, 0.0) for f in range(22, 31)],
            (50, 2, 3, 0.0),
        ]
    )
    deaths = died({1: 25, 2: 30, 4: 40})
    table = _killers(
        deaths, {"tcell": contacts}, {"tcell": _tracks((12, 59), (0, 59), (5, 5))}
    ).set_index("effector_track_id")
    killer, idle, passer = (table.loc[i] for i in (1, 2, 3))
    assert killer["kills_nearest"] == 2 and killer["kills_shared"] == 2
    assert killer["serial"] and not idle["serial"]
    # Frames 22 and 23 touch two targets but are four and nine frames, eleven in all.
    assert killer["contact_min"] == 11 * 5
    assert killer["observed_min"] == 48 * 5
    assert killer["kills_per_hour"] == pytest.approx(2 / 4)
    assert killer["kills_per_contact_hour"] == pytest.approx(2 / (55 / 60))
    assert killer["first_kill_min"] == (25 - 12) * 5
    assert idle["kills_nearest"] == 0 and idle["kills_per_contact_hour"] == 0
    assert np.isnan(idle["first_kill_min"])
    assert passer["contact_min"] == 0 and np.isnan(passer["kills_per_contact_hour"])


def test_all_credit_of_attributed_deaths_reaches_the_killers():
    random = np.random.default_rng(4)
    rows = {
        (int(f), int(a), int(b))
        for f, a, b in random.integers([0, 1, 1], [60, 6, 9], size=(200, 3))
    }
    contacts = touching([(*row, float(random.uniform(0, 2))) for row in sorted(rows)])
    deaths = died({j: int(random.integers(5, 60)) for j in range(1, 9)})
    credits = credited(deaths, {"tcell": contacts}, 60.0)
    table = _killers(deaths, {"tcell": contacts}, {"tcell": _tracks(*[(0, 59)] * 5)})
    attributed = credits.loc[credits["n_candidates"] > 0, "target_track_id"].nunique()
    assert table["kills_shared"].sum() == pytest.approx(attributed)
    assert table["kills_nearest"].sum() == attributed
    # The hit model keeps a share for deaths without a culprit.
    kept = credits.drop_duplicates("target_track_id")["background_probability"].sum()
    assert table["kills_hazard"].sum() == pytest.approx(8 - kept)


def test_roles_keep_their_own_kills():
    contacts = {
        "nk": touching([(20, 1, 1, 0.0)], "nk"),
        "tcell": touching([(30, 1, 2, 0.0)], "tcell"),
    }
    tracks = {"nk": _tracks((0, 59)), "tcell": _tracks((0, 59), (0, 59))}
    table = _killers(died({1: 20, 2: 30, 3: 50}), contacts, tracks)
    kills = table.set_index(["effector", "effector_track_id"])["kills_nearest"]
    assert kills.to_dict() == {("nk", 1): 1, ("tcell", 1): 1, ("tcell", 2): 0}


def test_without_effectors_in_view_the_table_is_typed_and_empty():
    table = _killers(died({1: 9}), {"tcell": touching([])}, {"tcell": TRACKS.empty()})
    pd.testing.assert_frame_equal(table, KILLERS.empty())
