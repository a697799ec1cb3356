"""Verdicts on a benchmark: strict ones, and ones that allow for measured noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.methods.scaling.times import rows_of

PASS, FAIL, NOT_JUDGED = "pass", "fail", "not_judged"
_KINDS = ("strict", "banded")


@dataclass(frozen=True)
class Rules:
    """What is demanded.

    Args:
        cpu_tolerance: Allowed relative difference of a CPU stage from its reference.
        gpu_tolerance: The same of a GPU stage.
        confidence: Of the noise band, 0 to 1.
        expected_jobs: The Ns that were to be run.
    """

    cpu_tolerance: float = 0.2
    gpu_tolerance: float = 0.3
    confidence: float = 0.95
    expected_jobs: tuple[int, ...] = ()


def judge(
    timed: pd.DataFrame,
    scaling: pd.DataFrame,
    references: Mapping[str, Mapping[str, Any]],
    hardware: Mapping[str, Any],
    rules: Rules,
    stages: Iterable[str],
) -> dict[str, Any]:
    """The acceptance report.

    A stage passes if all of its checks pass, and fails if one fails. What cannot be
    told (no reference of this hardware, too few cores or replicates) is not judged.

    Args:
        timed: Table TIMED.
        scaling: Table SCALING.
        references: Reference runs by name, as ``reference.json`` of a run holds them.
        hardware: Hardware class of this run.
        rules: What is demanded.
        stages: Stages that must be there.
    """
    report: dict[str, Any] = {}
    for stage in stages:
        trials = timed[timed["stage"] == stage]
        rows = scaling[scaling["stage"] == stage].sort_values("n_jobs")
        checks = {
            "outputs_complete": _complete(trials, rules),
            "results_equal": _equal(trials),
            "speedup": speedup_check(rows, rules),
            "wall_time": _reference_check(trials, rows, references, hardware, rules),
        }
        verdicts = {
            kind: worst(check[kind] for check in checks.values()) for kind in _KINDS
        }
        report[stage] = verdicts | {"checks": checks}
    overall = {kind: worst(entry[kind] for entry in report.values()) for kind in _KINDS}
    return {
        "verdict": overall["banded"],
        **overall,
        "hardware": dict(hardware),
        "references": sorted(references),
        "stages": report,
    }


def worst(verdicts: Iterable[str]) -> str:
    """One failure fails all; one open question leaves the whole open."""
    found = set(verdicts)
    if FAIL in found:
        return FAIL
    return PASS if found == {PASS} else NOT_JUDGED


def _both(verdict: str, reason: str, **figures: Any) -> dict[str, Any]:
    return {"strict": verdict, "banded": verdict, "reason": reason, "figures": figures}


def _complete(trials: pd.DataFrame, rules: Rules) -> dict[str, Any]:
    run = sorted({int(n) for n in trials["n_jobs"]})
    missing = sorted(set(rules.expected_jobs) - set(run))
    expected = int(trials["outputs_expected"].sum())
    found = int(trials["outputs_found"].sum())
    failed = int(trials["failed"].sum())
    figures = {"expected": expected, "found": found, "failed_units": failed}
    if missing or trials.empty:
        return _both(FAIL, f"never run with N = {missing or 'any'}", **figures)
    if failed or found < expected or not expected:
        return _both(FAIL, "units failed or outputs are missing", **figures)
    return _both(PASS, "all units are done, all outputs are there", **figures)


def _equal(trials: pd.DataFrame) -> dict[str, Any]:
    hashes = {
        f"N={int(row.n_jobs)} replicate {int(row.replicate)}": row.results_sha256
        for row in rows_of(trials)
    }
    if trials["results_sha256"].isna().any():
        return _both(FAIL, "some results are missing", sha256=hashes)
    if trials["n_jobs"].nunique() < 2:
        return _both(NOT_JUDGED, "only one N was run", sha256=hashes)
    if len(set(hashes.values())) > 1:
        return _both(FAIL, "results depend on N or on the repetition", sha256=hashes)
    return _both(PASS, "results are equal at every N", sha256=hashes)


def speedup_check(rows: pd.DataFrame, rules: Rules) -> dict[str, Any]:
    """Whether the speedup never falls with N: as it stands, and within the noise.

    The noise is the relative standard deviation of the net times, pooled over all N
    with replicates. A speedup has fallen beyond it if the ratio of two neighbours is
    below 1 by more than Student's quantile (one-sided) times its standard error.

    Args:
        rows: Table SCALING of one stage, ordered by N.
        rules: What is demanded.
    """
    usable = rows[rows["measurable"] & rows["speedup"].notna()]
    left_out = [int(n) for n in rows.loc[~rows["measurable"], "n_jobs"]]
    figures = {
        "n_jobs": [int(n) for n in usable["n_jobs"]],
        "speedup": [round(float(s), 4) for s in usable["speedup"]],
        "not_measurable_here": {
            str(int(row.n_jobs)): row.note for row in rows_of(rows[~rows["measurable"]])
        },
    }
    if len(usable) < 2:
        return _both(NOT_JUDGED, "fewer than two measurable N", **figures)
    falls = [
        int(later.n_jobs)
        for before, later in pairwise(rows_of(usable))
        if later.speedup < before.speedup
    ]
    strict = FAIL if falls else (NOT_JUDGED if left_out else PASS)
    reason = f"it falls at N = {falls}" if falls else "it never falls"
    if left_out:
        reason += f"; not measurable here at N = {left_out}"
    noise, dof = _noise(usable)
    if dof < 1:
        reason += "; no replicates, so the noise is unknown"
        return _both(NOT_JUDGED, reason, **figures) | {"strict": strict}
    beyond = _falls_beyond(usable, noise, dof, rules.confidence)
    figures |= {"noise_relative_sd": round(noise, 4), "beyond_noise": beyond}
    banded = FAIL if beyond else (NOT_JUDGED if left_out else PASS)
    if falls:
        reason += "; more than the noise" if beyond else "; within the noise"
    return {"strict": strict, "banded": banded, "reason": reason, "figures": figures}


def _noise(rows: pd.DataFrame) -> tuple[float, int]:
    """Pooled relative standard deviation, and its degrees of freedom."""
    known = rows[rows["relative_sd"].notna() & (rows["replicates"] > 1)]
    free = known["replicates"] - 1
    dof = int(free.sum())
    if not dof:
        return float("nan"), 0
    return float(np.sqrt((free * known["relative_sd"] ** 2).sum() / dof)), dof


def _falls_beyond(
    rows: pd.DataFrame, noise: float, dof: int, confidence: float
) -> list[int]:
    from scipy.stats import t

    quantile = float(t.ppf(confidence, dof))
    found = []
    for before, later in pairwise(rows_of(rows)):
        error = noise * np.sqrt(1 / before.replicates + 1 / later.replicates)
        if later.speedup / before.speedup < 1 - quantile * error:
            found.append(int(later.n_jobs))
    return found


def _reference_check(
    trials: pd.DataFrame,
    rows: pd.DataFrame,
    references: Mapping[str, Mapping[str, Any]],
    hardware: Mapping[str, Any],
    rules: Rules,
) -> dict[str, Any]:
    if trials.empty:
        return _both(NOT_JUDGED, "nothing was run")
    first = trials.iloc[0]
    name, why = _reference_for(first, references, hardware)
    if name is None:
        return _both(NOT_JUDGED, why)
    tolerance = rules.gpu_tolerance if first["gpu"] else rules.cpu_tolerance
    known = references[name]["stages"][first["stage"]]["net_s"]
    noise, dof = _noise(rows)
    strict, banded, compared = [], [], {}
    for row in rows_of(rows):
        wanted = known.get(str(int(row.n_jobs)))
        if wanted is None or not np.isfinite(row.net_s):
            continue
        off = row.net_s / wanted - 1
        compared[str(int(row.n_jobs))] = {
            "net_s": round(float(row.net_s), 3),
            "reference_s": wanted,
            "relative_difference": round(float(off), 4),
        }
        strict.append(PASS if abs(off) <= tolerance else FAIL)
        if dof:
            from scipy.stats import t

            band = float(t.ppf(0.5 + rules.confidence / 2, dof)) * noise
            within = abs(off) <= tolerance + band / np.sqrt(row.replicates)
            banded.append(PASS if within else FAIL)
        else:
            banded.append(NOT_JUDGED)
    figures = {"reference": name, "tolerance": tolerance, "n_jobs": compared}
    if not compared:
        return _both(NOT_JUDGED, f"reference '{name}' has none of these N", **figures)
    reason = f"against reference '{name}', within {tolerance:.0%}"
    return {
        "strict": worst(strict),
        "banded": worst(banded),
        "reason": reason,
        "figures": figures,
    }


def _reference_for(
    trial: pd.Series,
    references: Mapping[str, Mapping[str, Any]],
    hardware: Mapping[str, Any],
) -> tuple[str | None, str]:
    """Name of the reference run to compare with, or why there is none."""
    if not references:
        return None, "no reference run is given"
    for name, reference in sorted(references.items(), reverse=True):
        stage = reference["stages"].get(trial["stage"])
        if reference["hardware"] != dict(hardware) or stage is None:
            continue
        keys = ("method", "backend", "total_frames")
        device = trial["device"] if isinstance(trial["device"], str) else None
        if all(stage[key] == trial[key] for key in keys) and (
            stage.get("device") == device
        ):
            return name, ""
    return None, (
        "no reference run of the same hardware, method, backend and number of frames"
    )
