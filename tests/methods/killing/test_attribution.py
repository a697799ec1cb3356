"""Credit for kills: against a plain loop, its sums, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION
from cyto_kedro.methods.killing.touches import frame_durations
from methods.killing.cases import CALIBRATION, DOSE, credited, died, touching

WINDOW = 60.0
CREDITS = ["credit_nearest", "credit_exclusive", "credit_shared"]


def _credit(deaths, contacts, window=WINDOW, dose=DOSE, calibration=CALIBRATION):
    tables = contacts if isinstance(contacts, dict) else {"tcell": contacts}
    return credited(deaths, tables, window, dose, calibration)


@st.composite
def _movies(draw):
    """Deaths of targets 1..n and contacts with distinct, generic distances."""
    targets = draw(st.integers(1, 5))
    deaths = {
        j: draw(st.integers(1, 59))
        for j in range(1, targets + 1)
        if draw(st.booleans())
    }
    seed = draw(st.integers(0, 2**32 - 1))
    density = draw(st.floats(0, 0.2))
    random = np.random.default_rng(seed)
    grid = [
        (int(f), int(a), int(b), float(random.uniform(0, 2)))
        for f in range(60)
        for a in range(1, 5)
        for b in range(1, targets + 1)
        if random.random() < density
    ]
    return died(deaths), grid


def _loop(deaths, rows):
    """{(target, effector): (shared, nearest, exclusive)} by the definition."""
    out = {}
    for death in deaths.itertuples():
        t0, target = death.death_time_min, death.track_id
        inside = [r for r in rows if r[2] == target and t0 - WINDOW <= 5.0 * r[0] <= t0]
        effectors = sorted({r[1] for r in inside})
        weight, last = {}, {}
        for a in effectors:
            own = [r for r in inside if r[1] == a]
            hits = sum(5.0 / 15.0 * np.exp(-(t0 - 5.0 * r[0]) / 50.0) for r in own)
            weight[a] = min(hits, 3.0) * np.exp(-min(r[3] for r in own) / 10.0)
            frame = max(r[0] for r in own)
            last[a] = (-frame, next(r[3] for r in own if r[0] == frame))
        for a in effectors:
            out[target, a] = (
                weight[a] / sum(weight.values()),
                float(a == min(effectors, key=last.__getitem__)),
                float(len(effectors) == 1),
            )
    return out


@settings(max_examples=40, deadline=None)
@given(_movies())
def test_credit_equals_the_definition_written_as_a_loop(movie):
    deaths, rows = movie
    table = _credit(deaths, touching(rows))
    named = table[table["effector"].notna()]
    expected = _loop(deaths, rows)
    keys = zip(named["target_track_id"], named["effector_track_id"], strict=True)
    assert list(keys) == sorted(expected)
    found = named[["credit_shared", "credit_nearest", "credit_exclusive"]].to_numpy()
    wanted = np.array([expected[key] for key in sorted(expected)]).reshape(-1, 3)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(_movies())
def test_the_credit_of_each_death_sums_to_one_or_is_unattributed(movie):
    deaths, rows = movie
    table = _credit(deaths, touching(rows))
    assert set(table["target_track_id"]) == set(deaths["track_id"])
    for _, part in table.groupby("target_track_id"):
        n = part["n_candidates"].iloc[0]
        if n == 0:
            assert len(part) == 1
            assert part[["effector", "effector_track_id"]].isna().all(axis=None)
            assert (part[CREDITS] == 0).all(axis=None)
            assert part["contact_min"].item() == 0
        else:
            assert len(part) == n
            assert part["credit_shared"].sum() == pytest.approx(1, abs=1e-12)
            assert part["credit_nearest"].sum() == 1
            assert part["credit_exclusive"].sum() == (1 if n == 1 else 0)


@settings(max_examples=40, deadline=None)
@given(_movies(), st.integers(0, 2**32 - 1))
def test_neither_row_order_nor_names_nor_the_movie_s_start_matter(movie, seed):
    deaths, rows = movie
    plain = _credit(deaths, touching(rows))
    random = np.random.default_rng(seed)
    shift, rename = 7, random.permutation(50) + 1
    later = Calibration.regular((67, 400, 400), 0.5, 5.0)
    moved = [(f + shift, int(rename[a]), int(rename[b]), d) for f, a, b, d in rows]
    random.shuffle(moved)
    frames = zip(deaths["track_id"], deaths["death_frame"], strict=True)
    shifted = died({int(rename[j]): f + shift for j, f in frames}, later)
    shifted = shifted.assign(entry_frame=shift, entry_min=5.0 * shift)
    shuffled = shifted.sample(frac=1, random_state=seed % 1000)
    other = _credit(shuffled, touching(moved, calibration=later), calibration=later)

    back = {int(new): old for old, new in enumerate(rename)}
    other["target_track_id"] = other["target_track_id"].map(back)
    other["effector_track_id"] = other["effector_track_id"].map(back).astype("Int64")
    keys = ["target_track_id", "effector_track_id"]
    other = other.sort_values(keys, ignore_index=True)
    plain = plain.sort_values(keys, ignore_index=True)
    same = [*keys, "n_candidates", "contact_min", "window_truncated", *CREDITS]
    pd.testing.assert_frame_equal(plain[same], other[same])


def test_full_credit_grows_with_density_and_shared_credit_does_not():
    """Every toucher counted as a killer, as in the predecessor, against the rules."""
    random = np.random.default_rng(0)
    deaths = died(dict.fromkeys(range(1, 101), 40))
    full, shared = [], []
    for n_effectors in (10, 20, 40):
        rows = [
            (int(f), a, j, float(random.uniform(0, 2)))
            for a in range(1, n_effectors + 1)
            for j in range(1, 101)
            for f in random.choice(np.arange(20, 41), random.poisson(0.5), False)
        ]
        table = _credit(deaths, touching(rows))
        full.append(table["effector"].notna().sum() / 100)
        shared.append(table["credit_shared"].sum() / 100)
    assert full[2] > 3 * full[0]
    assert shared[0] <= 1 and shared[2] == pytest.approx(1, abs=0.01)


def test_more_and_later_contact_earns_more_and_three_hits_are_enough():
    deaths = died({1: 40})
    steady = [(f, 1, 1, 0.0) for f in range(31, 41)]
    brief = [(40, 2, 1, 0.0)]
    early = [(30, 3, 1, 0.0)]
    share = _credit(deaths, touching(steady + brief + early)).set_index(
        "effector_track_id"
    )["credit_shared"]
    assert share[1] > share[2] > share[3]
    assert share[3] / share[2] == pytest.approx(np.exp(-50 / 50))
    long_memory = DOSE._replace(memory_min=1e9)
    rows = [(f, a, 1, 0.0) for a, n in ((1, 9), (2, 12)) for f in range(40 - n, 40)]
    even = _credit(deaths, touching(rows), dose=long_memory)
    # 9 and 12 frames are 3 and 4 hits of 15 min: both count as 3.
    np.testing.assert_allclose(even["credit_shared"], 0.5)
    np.testing.assert_allclose(even["contact_min"], [45, 60])


def test_a_very_old_contact_still_leaves_shares_that_sum_to_one():
    table = _credit(
        died({1: 50}),
        touching([(0, 1, 1, 0.0), (0, 2, 1, 0.0)]),
        window=1e4,
        dose=DOSE._replace(memory_min=0.1),
    )
    np.testing.assert_allclose(table["credit_shared"], 0.5)


def test_the_window_includes_its_edges_and_ends_at_death():
    rows = [(28, 1, 1, 0.0), (27, 2, 1, 0.0), (40, 3, 1, 0.0), (41, 4, 1, 0.0)]
    table = _credit(died({1: 40}), touching(rows))
    assert table["effector_track_id"].tolist() == [1, 3]
    assert table["last_contact_min"].tolist() == [140.0, 200.0]


def test_a_window_that_reaches_before_the_target_was_seen_is_flagged():
    deaths = died({1: 11, 2: 12, 3: 30})
    deaths.loc[2, ["entry_frame", "entry_min"]] = [19, 95.0]
    table = _credit(deaths, touching([])).set_index("target_track_id")
    assert table["window_truncated"].to_dict() == {1: True, 2: False, 3: True}


def test_the_last_toucher_is_the_culprit_and_ties_go_to_the_nearest():
    rows = [(38, 1, 1, 0.0), (40, 2, 1, 1.5), (40, 3, 1, 0.5)]
    table = _credit(died({1: 40}), touching(rows)).set_index("effector_track_id")
    assert table["credit_nearest"].to_dict() == {1: 0.0, 2: 0.0, 3: 1.0}
    equal = touching([(40, 5, 1, 0.5), (40, 4, 1, 0.5), (39, 5, 1, 0.5)])
    longer = _credit(died({1: 40}), equal).set_index("effector_track_id")
    assert longer.loc[5, "credit_nearest"] == 1.0


def test_candidates_of_different_roles_stay_apart_though_their_tracks_share_a_number():
    tables = {
        "nk": touching([(40, 1, 1, 1.0)], "nk"),
        "tcell": touching([(40, 1, 1, 0.0)], "tcell"),
    }
    table = _credit(died({1: 40}), tables)
    assert table["effector"].tolist() == ["nk", "tcell"]
    assert table["n_candidates"].tolist() == [2, 2]
    assert table["credit_nearest"].tolist() == [0.0, 1.0]


def test_cells_without_a_track_and_near_misses_are_no_candidates():
    contacts = touching([(40, 1, 1, 0.0), (40, 2, 1, 5.0), (39, 3, 1, np.nan)])
    contacts["effector_track_id"] = pd.array([pd.NA, 2, 3], dtype="Int64")
    contacts["in_contact"] = [True, False, True]
    table = _credit(died({1: 40}), contacts)
    assert table["effector_track_id"].tolist() == [3]
    assert table["min_distance_um"].item() == 0.0


def test_without_deaths_the_table_is_typed_and_empty():
    table = _credit(died({}), touching([(1, 1, 1, 0.0)]))
    pd.testing.assert_frame_equal(table, ATTRIBUTION.empty())


def test_frames_stand_for_the_time_half_way_to_their_neighbours():
    uneven = Calibration.regular((4, 8, 8)).model_copy(
        update={"frame_times_min": (0.0, 1.0, 3.0, 7.0)}
    )
    np.testing.assert_allclose(frame_durations(uneven), [1.0, 1.5, 3.0, 4.0])
    assert np.isnan(frame_durations(Calibration.regular((1, 8, 8)))).all()
