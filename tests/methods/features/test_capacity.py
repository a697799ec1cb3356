"""Killing capacity and viability after contact, on movies counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from scipy.stats import chi2

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import (
    ATTRIBUTION,
    DEATHS,
    DELAYED_VIABILITY,
    EPISODES,
    KILLING_CAPACITY,
)
from cyto_kedro.methods.features.capacity import (
    CapacityOptions,
    delayed_viability,
    killing_capacity,
)
from tables import filled, tracks_table

# 12 frames of 10 min: each stands for 10 min, a bin of an hour for 6 of them.
CALIBRATION = Calibration.regular((12, 50, 50), frame_interval_min=10.0)


def deaths_of(fates, entry=0, last=11, role="cancer"):
    """Rows (track, frame of death or None); reason follows."""
    frame = pd.array([f for _, f in fates], dtype="Int64")
    table = {
        "track_id": [t for t, _ in fates],
        "entry_frame": entry,
        "exit_frame": last,
        "death_frame": frame,
    }
    table = filled(DEATHS, pd.DataFrame(table).to_dict("series"))
    dead = table["death_frame"].notna()
    return DEATHS.conform(
        table.assign(
            role=role,
            entry_min=table["entry_frame"] * 10.0,
            exit_min=table["exit_frame"] * 10.0,
            death_time_min=table["death_frame"].astype("Float64") * 10.0,
            censored=~dead,
            reason=np.where(dead, "died", "end_of_movie"),
        )
    )


def credits_of(rows):
    """Rows (target track, death frame, effector track, shared credit)."""
    columns = ["target_track_id", "death_frame", "effector_track_id", "credit_shared"]
    table = pd.DataFrame(rows, columns=columns).astype({"effector_track_id": "Int64"})
    table["credit_hazard"] = table["credit_shared"] / 2
    return filled(ATTRIBUTION, table.to_dict("series"))


def effectors(*tracks):
    """TRACKS of effectors: (track, first frame, last frame)."""
    rows = [(f, t) for t, first, last in tracks for f in range(first, last + 1)]
    frame, track = np.array(rows or np.empty((0, 2), int)).T
    return tracks_table(frame, track, frame, frame)


def capacity(deaths, credits, tracks, own_deaths=None, **options):
    if own_deaths is None:
        ids = sorted(set(tracks["track_id"]))
        own_deaths = deaths_of([(t, None) for t in ids], role="tcell")
    table = killing_capacity(
        deaths,
        credits,
        {"tcell": tracks},
        {"tcell": own_deaths},
        CALIBRATION,
        "cancer",
        CapacityOptions(**options),
    )
    return KILLING_CAPACITY.validate(table)


NOBODY = credits_of([])


def test_deaths_make_it_positive_and_more_deaths_larger():
    deaths = deaths_of([(1, 2), (2, 7), (3, 8), (4, None)])
    credits = credits_of([(1, 2, 1, 1.0), (2, 7, 1, 0.25), (2, 7, 2, 0.75)])
    table = capacity(deaths, credits, effectors((1, 0, 11), (2, 0, 11)))
    assert table["n_deaths"].tolist() == [1, 2]
    assert table["effector_hours"].tolist() == pytest.approx([2, 2])
    assert table["deaths_per_effector_hour"].tolist() == pytest.approx([0.5, 1.0])
    assert table["kills_shared_per_effector_hour"].tolist() == pytest.approx([0.5, 0.5])
    assert table["kills_hazard"].tolist() == pytest.approx([0.5, 0.5])
    # Targets at risk up to and with the frame of their death.
    assert table["target_hours"].tolist() == pytest.approx(
        [(3 + 6 + 6 + 6) / 6, (2 + 3 + 6) / 6]
    )


def test_the_interval_is_the_exact_poisson_one():
    deaths = deaths_of([(1, 2), (2, 3), (3, 4)])
    (row, quiet) = capacity(deaths, NOBODY, effectors((1, 0, 11))).itertuples()
    assert row.ci_low == pytest.approx(chi2.ppf(0.025, 6) / 2)
    assert row.ci_high == pytest.approx(chi2.ppf(0.975, 8) / 2)
    assert (quiet.deaths_per_effector_hour, quiet.ci_low) == (0, 0)
    assert quiet.ci_high == pytest.approx(-np.log(0.025))


def test_only_living_effectors_in_view_count():
    tracks = effectors((1, 0, 11), (2, 6, 11), (3, 0, 11), (4, 0, 11))
    own = deaths_of([(1, None), (2, None), (3, 2), (4, 0)], role="tcell")
    own.loc[own["track_id"] == 4, "reason"] = "dead_at_entry"
    table = capacity(deaths_of([(9, 3)]), NOBODY, tracks, own)
    assert table["effector_hours"].tolist() == pytest.approx([1 + 0.5, 1 + 1])
    assert table["n_effectors"].tolist() == pytest.approx([1.5, 2])


def test_without_effectors_there_is_no_rate_per_effector():
    table = capacity(deaths_of([(1, 2)]), NOBODY, effectors())
    assert table["deaths_per_effector_hour"].isna().all()
    assert table["deaths_per_target_hour"].notna().any()
    assert table["effector_hours"].tolist() == [0, 0]


def test_dead_at_entry_is_neither_a_death_nor_at_risk():
    deaths = deaths_of([(1, 0), (2, None)])
    deaths.loc[deaths["track_id"] == 1, "reason"] = "dead_at_entry"
    table = capacity(deaths, NOBODY, effectors((1, 0, 11)))
    assert table["n_deaths"].sum() == 0
    assert table["target_hours"].tolist() == pytest.approx([1, 1])


def test_a_movie_of_one_frame_has_no_hours():
    table = killing_capacity(
        deaths_of([(1, None)], last=0),
        NOBODY,
        {"tcell": effectors((1, 0, 0))},
        {"tcell": deaths_of([(1, None)], last=0)},
        Calibration.regular((1, 9, 9)),
        "cancer",
        CapacityOptions(),
    )
    assert len(KILLING_CAPACITY.validate(table)) == 0


def contacts(*rows):
    """EPISODES: (target track, first frame)."""
    table = pd.DataFrame(rows, columns=["target_track_id", "first_frame"])
    table = table.assign(
        start_min=table["first_frame"] * 10.0, effector_track_id=1, episode=1
    )
    return filled(EPISODES, table.to_dict("series"))


def viability(deaths, *episodes):
    tables = {f"role{k}": table for k, table in enumerate(episodes)}
    table = delayed_viability(deaths, tables, "cancer", 0.95)
    return DELAYED_VIABILITY.validate(table).set_index("group")


def test_time_runs_from_the_first_contact_with_anybody():
    deaths = deaths_of([(1, 6), (2, 10), (3, None), (4, 5)])
    table = viability(deaths, contacts((1, 4), (2, 6), (3, 7)), contacts((2, 2)))
    after = table.loc["contacted"]
    assert after["delay_min"].tolist() == [0, 20, 40, 80]
    assert after["n_at_risk"].tolist() == [3, 3, 2, 1]
    assert after["alive"].tolist() == pytest.approx([1, 2 / 3, 2 / 3, 0])
    before = table.loc["uncontacted"]
    # 1, 2, 3 are untouched for 40, 20, 70 min; 4 dies at 50 min.
    assert before["n_at_risk"].tolist() == [4, 4, 3, 2, 1]
    assert before["delay_min"].tolist() == [0, 20, 40, 50, 70]
    assert before["alive"].tolist() == pytest.approx([1, 1, 1, 0.5, 0.5])


def test_a_contact_at_or_after_the_death_is_none():
    deaths = deaths_of([(1, 4), (2, 4)])
    table = viability(deaths, contacts((1, 4), (2, 9)))
    assert table.loc[["contacted"], "n_at_risk"].tolist() == [0]
    assert np.isnan(table.loc["contacted", "alive"])
    assert table.loc["uncontacted", "n_deaths"].tolist() == [0, 2]


def test_curves_equal_lifelines():
    rng = np.random.default_rng(2)
    death = [int(f) if f < 12 else None for f in rng.integers(1, 20, 60)]
    deaths = deaths_of(list(enumerate(death, start=1)))
    touched = {t: int(f) for t, f in enumerate(rng.integers(0, 16, 60), 1) if f < 12}
    table = viability(deaths, contacts(*touched.items()))
    times, events = [], []
    for track, frame in enumerate(death, start=1):
        end = 11 if frame is None else frame
        if touched.get(track, 99) < end:
            times.append((end - touched[track]) * 10.0)
            events.append(frame is not None)
    fitter = KaplanMeierFitter().fit(times, events)
    want = fitter.survival_function_at_times(table.loc["contacted", "delay_min"])
    assert table.loc["contacted", "alive"].to_numpy() == pytest.approx(want.to_numpy())


def test_no_targets_at_all():
    table = viability(deaths_of([]), contacts())
    assert table["n_at_risk"].tolist() == [0, 0] and table["alive"].isna().all()
