"""Speedups, fits and verdicts against cases with a known answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyto_kedro.core.scaling import FITS, SCALING, TIMED, TRIALS, UNITS
from cyto_kedro.methods.scaling import (
    Rules,
    fit_scaling,
    judge,
    scaling_of,
    timed_trials,
)
from cyto_kedro.methods.scaling.times import most_at_a_time

HARDWARE = {"processor": "X", "cpus": 8}
# Wall seconds that the predecessor published, N = 1, 2, 4, 8.
PUBLISHED = {
    "register_denoise": (9703, 4902, 2580, 1508),
    "cellpose": (512, 313, 216, 165),
    "contact": (807, 625, 414, 400),
    "trackmate": (555, 332, 346, 313),
}
JOBS = (1, 2, 4, 8)


def timed_table(
    seconds: dict[str, dict[int, list[float]]], **changes: Any
) -> pd.DataFrame:
    """Table TIMED of trials that took the given net seconds."""
    rows = [
        dict.fromkeys(TIMED.columns, np.nan)
        | {
            "stage": stage,
            "n_jobs": n_jobs,
            "replicate": number,
            "method": "m",
            "backend": "local",
            "gpu": False,
            "device": None,
            "movies": 1,
            "total_frames": 80,
            "widest_phase": 8,
            "granted": 8,
            "outputs_expected": 3,
            "outputs_found": 3,
            "results_sha256": "same",
            "failed": 0,
            "wall_s": value + 3,
            "net_s": value,
            "at_a_time": n_jobs,
        }
        | changes
        for stage, by_jobs in seconds.items()
        for n_jobs, values in by_jobs.items()
        for number, value in enumerate(values, start=1)
    ]
    return TIMED.conform(pd.DataFrame(rows))


def verdict(timed: pd.DataFrame, references: Any = None, **rules: Any) -> Any:
    """The report on a table with one stage, `s`."""
    scaling = scaling_of(timed)
    jobs = tuple(int(n) for n in scaling["n_jobs"])
    rule = Rules(**{"expected_jobs": jobs} | rules)
    return judge(timed, scaling, references or {}, HARDWARE, rule, ["s"])


def reference(seconds: dict[str, float], **changes: Any) -> dict[str, Any]:
    stage = {"method": "m", "backend": "local", "total_frames": 80, "net_s": seconds}
    return {"ref": {"hardware": HARDWARE, "stages": {"s": stage | changes}}}


def test_the_published_trackmate_row_fails_strictly_and_is_not_judged_banded() -> None:
    seconds = {
        stage: {n: [float(s)] for n, s in zip(JOBS, row, strict=True)}
        for stage, row in PUBLISHED.items()
    }
    timed = timed_table(seconds)
    rules = Rules(expected_jobs=JOBS)
    report = judge(timed, scaling_of(timed), {}, HARDWARE, rules, PUBLISHED)
    for stage in PUBLISHED:
        check = report["stages"][stage]["checks"]["speedup"]
        assert check["strict"] == ("fail" if stage == "trackmate" else "pass")
        assert check["banded"] == "not_judged"  # no replicates, no noise band
    assert report["stages"]["trackmate"]["strict"] == "fail"
    assert report["stages"]["trackmate"]["banded"] == "not_judged"


def test_published_efficiencies_come_out() -> None:
    seconds = {s: {1: [float(r[0])], 8: [float(r[3])]} for s, r in PUBLISHED.items()}
    scaling = scaling_of(timed_table(seconds)).set_index(["stage", "n_jobs"])
    found = scaling["efficiency"].xs(8, level="n_jobs").round(2)
    assert found.to_dict() == {
        "register_denoise": 0.80,
        "cellpose": 0.39,
        "contact": 0.25,
        "trackmate": 0.22,
    }


def test_a_fall_within_the_noise_passes_banded_and_one_beyond_it_fails() -> None:
    noisy = {1: [10.0, 11.0], 2: [6.0, 6.6], 4: [6.2, 6.8]}
    check = verdict(timed_table({"s": noisy}))["stages"]["s"]["checks"]["speedup"]
    assert (check["strict"], check["banded"]) == ("fail", "pass")
    steady = {1: [10.0, 10.01], 2: [6.0, 6.01], 4: [6.5, 6.51]}
    check = verdict(timed_table({"s": steady}))["stages"]["s"]["checks"]["speedup"]
    assert (check["strict"], check["banded"]) == ("fail", "fail")
    assert check["figures"]["beyond_noise"] == [4]


def test_more_jobs_than_cores_are_not_measurable() -> None:
    timed = timed_table({"s": {1: [4.0, 4.1], 2: [2.0, 2.1], 4: [2.5, 2.4]}}, granted=2)
    scaling = scaling_of(timed)
    assert scaling["measurable"].tolist() == [True, True, False]
    assert "2 cores" in scaling["note"].iloc[2]
    check = verdict(timed)["stages"]["s"]["checks"]["speedup"]
    assert (check["strict"], check["banded"]) == ("not_judged", "not_judged")


def test_jobs_that_the_queue_kept_apart_are_not_measurable() -> None:
    timed = timed_table({"s": {1: [4.0], 2: [3.9]}}, granted=None, at_a_time=1)
    assert scaling_of(timed)["measurable"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("seconds", "strict", "banded"),
    [
        ({"1": 10.0, "2": 5.0}, "pass", "pass"),
        ({"1": 10.0, "2": 3.0}, "fail", "fail"),
        ({"1": 8.3, "2": 5.0}, "fail", "pass"),  # 21 % above: within 20 % and noise
    ],
)
def test_times_are_held_against_the_reference(
    seconds: dict[str, float], strict: str, banded: str
) -> None:
    timed = timed_table({"s": {1: [9.9, 10.2], 2: [4.95, 5.1]}})
    report = verdict(timed, reference(seconds))["stages"]["s"]
    assert report["checks"]["wall_time"]["strict"] == strict
    assert report["checks"]["wall_time"]["banded"] == banded
    assert report["banded"] == banded


def test_only_the_same_work_on_the_same_hardware_is_compared() -> None:
    timed = timed_table({"s": {1: [10.0, 10.1], 2: [5.0, 5.1]}})
    other = reference({"1": 10.0, "2": 5.0}, method="cellpose")
    assert verdict(timed, other)["verdict"] == "not_judged"
    other = reference({"1": 10.0, "2": 5.0}, device="NVIDIA A100")
    assert verdict(timed, other)["verdict"] == "not_judged"
    other = reference({"1": 10.0, "2": 5.0})
    other["ref"]["hardware"] = HARDWARE | {"cpus": 9}
    assert verdict(timed, other)["verdict"] == "not_judged"


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"outputs_found": 2}, "outputs_complete"),
        ({"failed": 1}, "outputs_complete"),
        ({"results_sha256": None}, "results_equal"),
    ],
)
def test_missing_results_fail(changes: dict[str, Any], check: str) -> None:
    timed = timed_table({"s": {1: [4.0, 4.1], 2: [2.0, 2.1]}}, **changes)
    report = verdict(timed)
    assert report["verdict"] == "fail"
    assert report["stages"]["s"]["checks"][check]["banded"] == "fail"


def test_results_that_depend_on_n_fail() -> None:
    timed = timed_table({"s": {1: [4.0], 2: [2.0]}})
    timed.loc[1, "results_sha256"] = "other"
    assert verdict(timed)["stages"]["s"]["checks"]["results_equal"]["strict"] == "fail"


def test_a_stage_that_was_not_run_fails() -> None:
    timed = timed_table({"s": {1: [4.0]}})
    rules = Rules(expected_jobs=(1,))
    report = judge(timed, scaling_of(timed), {}, HARDWARE, rules, ["s", "contact"])
    assert report["stages"]["contact"]["strict"] == "fail"


@settings(deadline=None)  # the first example also imports scipy
@given(
    serial=st.floats(0.02, 0.9),
    total=st.floats(0.5, 5000),
)
def test_amdahls_law_is_found_again(serial: float, total: float) -> None:
    seconds = {n: [total * (serial + (1 - serial) / n)] for n in JOBS}
    timed = timed_table({"s": seconds})
    fit = fit_scaling(timed, scaling_of(timed)).iloc[0]
    assert fit["serial_fraction"] == pytest.approx(serial, abs=1e-6)
    assert fit["max_speedup"] == pytest.approx(1 / serial, rel=1e-4)
    share = serial / (serial + (1 - serial) / 8)
    assert fit["scaled_speedup"] == pytest.approx(8 - 7 * share, rel=1e-6)


def test_the_interval_of_the_fit_holds_the_truth_as_often_as_it_says() -> None:
    random, hits = np.random.default_rng(3), 0
    for _ in range(150):
        seconds = {
            n: list(100 * (0.2 + 0.8 / n) * random.normal(1, 0.03, 3)) for n in JOBS
        }
        timed = timed_table({"s": seconds})
        fit = fit_scaling(timed, scaling_of(timed), 0.9).iloc[0]
        hits += fit["serial_ci_low"] <= 0.2 <= fit["serial_ci_high"]
    assert 0.82 <= hits / 150 <= 0.97


def test_too_little_is_not_fitted() -> None:
    timed = timed_table({"s": {1: [4.0, 4.1, 4.2]}})
    assert np.isnan(fit_scaling(timed, scaling_of(timed))["serial_fraction"].iloc[0])


def test_times_of_a_trial_come_from_its_units() -> None:
    unit = dict.fromkeys(UNITS.columns, np.nan) | {
        "stage": "s", "n_jobs": 2, "replicate": 1, "frames": 5, "status": "done",
    }  # fmt: skip
    first = {"phase": 0, "submitted_s": 100.0, "queue_s": 1.0, "startup_s": 2.0}
    units = [
        unit | first | {"unit": "a", "started_s": 103.0, "ended_s": 107.0},
        unit | first | {"unit": "b", "started_s": 104.0, "ended_s": 105.0},
        unit
        | {"phase": 1, "submitted_s": 107.0, "unit": "c"}
        | {"started_s": 110.0, "ended_s": 111.0},
    ]
    for row in units:
        row |= {"error": None, "movie": "m", "host": None, "job": None}
        row |= {"device": None, "cpu_s": 2.0}
    trial = timed_table({"s": {2: [1.0]}})[list(TRIALS.columns)]
    found = timed_trials(trial, UNITS.conform(pd.DataFrame(units))).iloc[0]
    assert found["wall_s"] == 11  # 100 to 111
    assert found["net_s"] == 4 + 1  # 103 to 107, 110 to 111
    assert (found["queue_s"], found["startup_s"]) == (1, 2)
    assert (found["cpu_s"], found["at_a_time"]) == (6, 2)


def test_the_queue_between_jobs_is_not_work() -> None:
    unit = dict.fromkeys(UNITS.columns, np.nan) | {
        "stage": "s", "n_jobs": 2, "replicate": 1, "frames": 5, "status": "done",
        "phase": 0, "submitted_s": 0.0, "error": None, "movie": "m", "host": None,
        "device": None,
    }  # fmt: skip
    spans = [("11", 1.0, 4.0), ("11", 4.0, 6.0), ("12", 3601.0, 3604.0)]
    units = pd.DataFrame(
        [
            unit | {"unit": str(number), "job": job, "started_s": a, "ended_s": b}
            for number, (job, a, b) in enumerate(spans)
        ]
    )
    trial = timed_table({"s": {2: [1.0]}})[list(TRIALS.columns)]
    found = timed_trials(trial, UNITS.conform(units)).iloc[0]
    assert (found["net_s"], found["wall_s"], found["at_a_time"]) == (5, 3604, 1)
    local = UNITS.conform(units.assign(job=None))
    assert timed_trials(trial, local).iloc[0]["net_s"] == 3603


def test_work_that_follows_on_is_not_side_by_side() -> None:
    started, ended = pd.Series([0.0, 1.0, 1.5]), pd.Series([1.0, 2.0, 1.8])
    assert most_at_a_time(started, ended) == 2


def test_nothing_run_gives_typed_empty_tables() -> None:
    timed = timed_trials(TRIALS.empty(), UNITS.empty())
    scaling = scaling_of(timed)
    assert TIMED.validate(timed).empty
    assert SCALING.validate(scaling).empty
    assert FITS.validate(fit_scaling(timed, scaling)).empty
