"""The hit model: against integrals, its own truth, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import DEATHS, HIT_MODEL
from cyto_kedro.methods.killing.exposure import Delay, gather_exposure
from cyto_kedro.methods.killing.hits import DelayPrior, HitModel, fit_hits
from cyto_kedro.methods.killing.touches import gather_touches
from methods.killing.cases import CALIBRATION, credited, died, touching

MINUTE = Calibration.regular((241, 16, 16), frame_interval_min=1.0)
WINDOW = 120.0
PRIOR = DelayPrior()


def _fit(deaths, contacts, calibration=CALIBRATION, prior=PRIOR) -> HitModel:
    touches = gather_touches({"tcell": contacts})
    model = fit_hits(deaths, touches, calibration, "cancer", WINDOW, prior)
    HIT_MODEL.validate(model.table)
    return model


def _watched(died_at: dict[int, int | None], calibration=CALIBRATION) -> pd.DataFrame:
    """DEATHS of targets that died in a frame, or lived to the end (None)."""
    dead = {j: f for j, f in died_at.items() if f is not None}
    some = {j: f if f is not None else 1 for j, f in died_at.items()}
    table = died(some, calibration)
    alive = ~table["track_id"].isin(dead)
    table["death_frame"] = table["death_frame"].mask(alive)
    table["death_time_min"] = table["death_time_min"].mask(alive)
    table["censored"] = alive
    table["reason"] = table["reason"].mask(alive, "end_of_movie")
    return DEATHS.validate(table)


@pytest.mark.parametrize("shape", [1.0, 4.0])
def test_the_delay_is_a_gamma_distribution_cut_at_the_window(shape):
    delay = Delay(12.0, shape, 30.0)
    whole = stats.gamma(shape, scale=12.0 / shape)
    found = delay.integrated(np.array([-3.0, 0.0, 7.5, 30.0, 44.0]))
    expected = [
        integrate.quad(lambda u: min(whole.cdf(u) / whole.cdf(30.0), 1.0), 0, x)[0]
        for x in (0.0, 0.0, 7.5, 30.0, 44.0)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_arrivals_are_the_integral_over_hit_and_delay():
    uneven = CALIBRATION.model_copy(
        update={"frame_times_min": tuple(np.cumsum(1 + np.arange(60) % 4) * 1.5)}
    )
    times = uneven.times_min
    contacts = touching([(f, 1, 1, 0.0) for f in (10, 11, 12, 15)], calibration=uneven)
    deaths = died({1: 20}, uneven)
    exposure = gather_exposure(deaths, gather_touches({"t": contacts}), uneven)
    assert len(exposure.begin) == 2  # frames 10 to 12 are one stretch
    delay = Delay(15.0, 2.0, WINDOW)
    watched, last = exposure.arrivals(delay)
    pdf = stats.gamma(2.0, scale=7.5)
    whole = pdf.cdf(WINDOW)
    edge = (times[1:] + times[:-1]) / 2
    for row, (first, final) in enumerate([(10, 12), (15, 15)]):
        a, b = edge[first - 1], edge[final]

        # One of five steps at a time: the integrand has kinks where frames begin.
        def arrived(t, a=a, b=b):
            return integrate.quad(lambda u: pdf.cdf(t - u) / whole, a, min(b, t))[0]

        assert watched[row] == pytest.approx(arrived(times[20]), rel=1e-6)
        by_interval = arrived(times[20]) - arrived(times[19])
        assert last[row] == pytest.approx(by_interval, rel=1e-5)


def _play(seed: int, n_targets=1500, hits=0.8, background=0.1, delay=(18.0, 4.0)):
    """Deaths by the model itself, played event by event (rates per hour)."""
    random = np.random.default_rng(seed)
    rows, deaths, killer = [], {}, {}
    for j in range(1, n_targets + 1):
        death, who = random.exponential(60 / background), 0
        for i in (1, 2, 3):
            begin = int(random.integers(0, 230))
            end = min(begin + int(random.integers(2, 40)), 240)
            rows += [(f, i, j, 0.0) for f in range(begin, end + 1)]
            low, high = max(begin - 0.5, 0), min(end + 0.5, 240)
            for _ in range(random.poisson(hits / 60 * (high - low))):
                late = random.gamma(delay[1], delay[0] / delay[1])
                at = random.uniform(low, high) + late
                if at < death:
                    death, who = at, i
        frame = int(np.ceil(death))
        deaths[j] = frame if 1 <= frame <= 240 else None
        killer[j] = who
    return _watched(deaths, MINUTE), rows, pd.Series(killer)


def test_rates_delay_and_credit_of_a_played_movie_are_recovered():
    deaths, rows, killer = _play(3)
    model = _fit(deaths, touching(rows, calibration=MINUTE), MINUTE)
    fit = model.table.iloc[0]
    assert fit["hits_low"] < 0.8 < fit["hits_high"]
    assert fit["hits_high"] / fit["hits_low"] < 1.3
    assert fit["background_per_hour"] == pytest.approx(0.1, rel=0.15)
    assert fit["delay_low_min"] <= 18.0 <= fit["delay_high_min"] + 4
    assert fit["delay_cv"] == pytest.approx(0.5, abs=0.1)
    dead = deaths.loc[~deaths["censored"], "track_id"]
    killer = killer[dead]
    # A posterior is right as often as it says, here in tenths.
    credit = model.credit
    right = killer[credit["target"]].to_numpy() == credit["effector"].to_numpy()
    tenth = np.minimum((credit["credit"] * 5).astype(int), 4)
    for _, rows_ in credit.groupby(tenth):
        said, was = rows_["credit"].mean(), right[rows_.index].mean()
        assert said == pytest.approx(was, abs=4 * np.sqrt(0.25 / len(rows_)))
    assert model.background.sum() == pytest.approx((killer == 0).sum(), rel=0.15)


def test_the_interval_of_the_rate_covers_the_truth_in_small_movies():
    inside = 0
    for seed in range(30):
        deaths, rows, _ = _play(seed, n_targets=25)
        fit = _fit(deaths, touching(rows, calibration=MINUTE), MINUTE).table.iloc[0]
        inside += fit["hits_low"] <= 0.8 <= fit["hits_high"]
    assert inside >= 25  # 95 % of 30, less three standard deviations


def test_who_touched_a_delay_ago_has_more_credit_than_who_touches_at_death():
    # Targets 2 to 9 say how long it takes: contact ends 20 min before death.
    rows = [(f, j, j, 0.0) for j in range(2, 10) for f in (24, 25, 26)]
    rows += [(24, 1, 1, 0.0), (25, 1, 1, 0.0), (26, 1, 1, 0.0)]
    rows += [(29, 99, 1, 0.0), (30, 99, 1, 0.0)]
    deaths = died(dict.fromkeys(range(1, 10), 30))
    table = credited(deaths, {"tcell": touching(rows)}, WINDOW)
    one = table[table["target_track_id"] == 1].set_index("effector_track_id")
    assert one.loc[99, "credit_nearest"] == 1
    assert one.loc[1, "credit_hazard"] > 3 * one.loc[99, "credit_hazard"]


def test_survivors_of_contact_lower_the_rate_and_raise_the_background():
    rows = [(f, j, j, 0.0) for j in range(1, 6) for f in range(20, 26)]
    deaths = dict.fromkeys(range(1, 6), 28) | dict.fromkeys(range(6, 9), 30)
    few = _fit(_watched(deaths), touching(rows))
    touched = rows + [
        (f, j, j, 0.0) for j in range(10, 40) for f in range(20, 26)
    ]  # and live
    lived = deaths | dict.fromkeys(range(10, 40))
    untouched = _fit(_watched(lived), touching(rows))
    many = _fit(_watched(lived), touching(touched))
    rate = "hits_per_contact_hour"
    assert many.table[rate].item() < 0.3 * few.table[rate].item()
    assert many.background[1] > untouched.background[1]


@st.composite
def _movies(draw):
    n = draw(st.integers(1, 6))
    at = {j: draw(st.one_of(st.none(), st.integers(1, 52))) for j in range(1, n + 1)}
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.floats(0, 0.3))
    rows = [
        (f, a, b, float(random.uniform(0, 2)))
        for f in range(53)
        for a in range(1, 5)
        for b in at
        if random.random() < density
    ]
    return at, rows


@settings(max_examples=25, deadline=None)
@given(_movies(), st.integers(0, 2**31))
def test_names_row_order_and_start_do_not_matter_and_credit_sums_to_one(movie, seed):
    at, rows = movie
    plain = credited(_watched(at), {"tcell": touching(rows)}, WINDOW)
    total = plain.groupby("target_track_id")["credit_hazard"].sum()
    rest = plain.groupby("target_track_id")["background_probability"].first()
    np.testing.assert_allclose(total + rest, 1.0, atol=1e-9)
    assert (rest > 0).all() or plain.empty

    random = np.random.default_rng(seed)
    name, shift = random.permutation(50) + 1, 7
    later = Calibration.regular((67, 400, 400), 0.5, 5.0)
    moved = {int(name[j]): None if f is None else f + shift for j, f in at.items()}
    deaths = _watched(moved, later).assign(entry_frame=shift, entry_min=5.0 * shift)
    again = [(f + shift, int(name[a]), int(name[b]), d) for f, a, b, d in rows]
    random.shuffle(again)
    contacts = touching(again, calibration=later)
    shuffled = deaths.sample(frac=1, random_state=seed)
    other = credited(shuffled, {"tcell": contacts}, WINDOW, calibration=later)
    back = {int(new): old for old, new in enumerate(name)}
    for column in ("target_track_id", "effector_track_id"):
        other[column] = other[column].map(back, na_action="ignore").astype("Int64")
        plain[column] = plain[column].astype("Int64")
    keys = ["target_track_id", "effector_track_id"]
    values = [*keys, "credit_hazard", "background_probability"]
    pd.testing.assert_frame_equal(
        plain.sort_values(keys, ignore_index=True)[values],
        other.sort_values(keys, ignore_index=True)[values],
        rtol=1e-4,
        atol=1e-6,
    )


def test_minutes_or_hours_are_the_same_model():
    at = {1: 30, 2: 40, 3: None}
    rows = [(f, 1, 1, 0.0) for f in range(22, 27)]
    rows += [(f, 2, j, 0.0) for f in range(30, 35) for j in (1, 2, 3)]
    minutes = _fit(_watched(at), touching(rows))
    slow = Calibration.regular((60, 400, 400), 0.5, 50.0)
    touches = gather_touches({"tcell": touching(rows, calibration=slow)})
    scaled = DelayPrior(10 * PRIOR.median_min, PRIOR.log_sd)
    hours = fit_hits(_watched(at, slow), touches, slow, "cancer", 10 * WINDOW, scaled)
    np.testing.assert_allclose(minutes.credit["credit"], hours.credit["credit"])
    rate = "hits_per_contact_hour"
    assert minutes.table[rate].item() == pytest.approx(10 * hours.table[rate].item())


def test_nothing_to_learn_from_is_no_error():
    no_one = _fit(DEATHS.empty(), touching([])).table.iloc[0]
    assert no_one["n_deaths"] == 0 and np.isnan(no_one["hits_per_contact_hour"])
    untouched = _fit(died({1: 30}), touching([]))
    assert untouched.background.tolist() == pytest.approx([1.0])
    assert np.isnan(untouched.table["hits_per_contact_hour"].item())
    assert untouched.table["background_per_hour"].item() > 0
    entry = _watched({1: None}).assign(reason="dead_at_entry", censored=True)
    assert _fit(entry, touching([(3, 1, 1, 0.0)])).table["n_targets"].item() == 0
