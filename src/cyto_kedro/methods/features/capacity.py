"""Killing capacity over time, and how targets fare after they were touched."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import DELAYED_VIABILITY, KILLING_CAPACITY
from cyto_kedro.methods.killing.survival import Subjects, kaplan_meier
from cyto_kedro.methods.killing.touches import frame_durations


class CapacityOptions(Params):
    """Bins of the killing capacity."""

    bin_min: float = Field(default=60.0, gt=0, description="length of a bin (min)")
    confidence: float = Field(
        default=0.95, gt=0, lt=1, description="confidence of the intervals"
    )


def killing_capacity(
    deaths: pd.DataFrame,
    attribution: pd.DataFrame,
    effector_tracks: Mapping[str, pd.DataFrame],
    effector_deaths: Mapping[str, pd.DataFrame],
    calibration: Calibration,
    target: str,
    options: CapacityOptions,
) -> pd.DataFrame:
    """Table KILLING_CAPACITY: deaths and kills per living effector and hour, in bins.

    More deaths make it larger: it is positive, and 0 where nobody died. The interval of
    the deaths is Garwood's (exact Poisson; 1936, doi:10.2307/2333958). An effector
    counts from its first to its last point, but not after its own death; a target from
    its entry to its death or exit, unless it was dead at entry.

    Args:
        deaths: Table DEATHS of the targets.
        attribution: Table ATTRIBUTION of their deaths.
        effector_tracks: Table TRACKS by effector role.
        effector_deaths: Table DEATHS by effector role.
        calibration: Time base.
        target: Target role.
        options: Length of a bin, confidence.
    """
    minutes = frame_durations(calibration)
    if not np.isfinite(minutes).all():
        return KILLING_CAPACITY.empty()
    times = calibration.times_min
    which = (times // options.bin_min).astype(int)
    n_bins = int(which[-1]) + 1
    effectors = sum(
        (
            _present(*_lives(tracks, effector_deaths[role]), len(times))
            for role, tracks in effector_tracks.items()
        ),
        np.zeros(len(times)),
    )
    alive = deaths[deaths["reason"] != "dead_at_entry"]
    end = alive["death_frame"].fillna(alive["exit_frame"]).to_numpy(np.int64)
    targets = _present(alive["entry_frame"].to_numpy(np.int64), end, len(times))
    effector_hours, target_hours = (
        np.bincount(which, count * minutes / 60, minlength=n_bins)
        for count in (effectors, targets)
    )
    died = alive.loc[alive["death_frame"].notna(), "death_frame"].to_numpy(np.int64)
    n_deaths = np.bincount(which[died], minlength=n_bins)
    known = attribution[attribution["effector_track_id"].notna()]
    at = which[known["death_frame"].to_numpy(np.int64)]
    shared, hazard = (
        np.bincount(at, known[credit].fillna(0.0), minlength=n_bins)
        for credit in ("credit_shared", "credit_hazard")
    )
    low, high = _poisson_interval(n_deaths, options.confidence)
    spans = [np.flatnonzero(which == number) for number in range(n_bins)]
    table = pd.DataFrame(
        {
            "target": target,
            "start_min": np.arange(n_bins) * options.bin_min,
            "end_min": np.arange(1, n_bins + 1) * options.bin_min,
            "n_effectors": [effectors[s].mean() if len(s) else np.nan for s in spans],
            "n_targets": [targets[s].mean() if len(s) else np.nan for s in spans],
            "effector_hours": effector_hours,
            "target_hours": target_hours,
            "n_deaths": n_deaths,
            "kills_shared": shared,
            "kills_hazard": hazard,
            "deaths_per_effector_hour": _per(n_deaths, effector_hours),
            "ci_low": _per(low, effector_hours),
            "ci_high": _per(high, effector_hours),
            "kills_shared_per_effector_hour": _per(shared, effector_hours),
            "kills_hazard_per_effector_hour": _per(hazard, effector_hours),
            "deaths_per_target_hour": _per(n_deaths, target_hours),
        }
    )
    return KILLING_CAPACITY.conform(table)


def delayed_viability(
    deaths: pd.DataFrame,
    episodes: Mapping[str, pd.DataFrame],
    target: str,
    confidence: float,
) -> pd.DataFrame:
    """Table DELAYED_VIABILITY: share of targets alive so long after first contact.

    Kaplan-Meier, so that targets that leave or outlive the movie are not taken for
    survivors. *contacted*: from the first contact with any effector on. *uncontacted*:
    from entry on, and only until the first contact; a target counts as untouched while
    it is, which keeps those who live long enough to be touched from looking immortal.

    Args:
        deaths: Table DEATHS of the targets; those dead at entry are left out.
        episodes: Table EPISODES by effector role.
        target: Target role.
        confidence: Confidence of the log-log interval.
    """
    own = deaths[deaths["reason"] != "dead_at_entry"]
    touched = pd.concat(
        [table[["target_track_id", "start_min"]] for table in episodes.values()]
    )
    first = touched.groupby("target_track_id")["start_min"].min()
    entry = own["entry_min"].to_numpy(np.float64)
    died = own["death_frame"].notna().to_numpy()
    death = own["death_time_min"].to_numpy(np.float64)
    leave = np.where(died, death, own["exit_min"].to_numpy(np.float64))
    contact = first.reindex(own["track_id"]).to_numpy(np.float64)
    # A contact that begins with or after the death is no contact of a living target.
    seen = np.asarray(contact < leave)
    since = np.where(seen, contact, np.inf)
    zero = np.zeros(len(own))
    groups = {
        "contacted": Subjects(zero[seen], (leave - since)[seen], died[seen]),
        "uncontacted": Subjects(zero, np.minimum(leave, since) - entry, died & ~seen),
    }
    tables = [_curve(target, name, who, confidence) for name, who in groups.items()]
    return DELAYED_VIABILITY.conform(pd.concat(tables, ignore_index=True))


def _curve(
    target: str, group: str, subjects: Subjects, confidence: float
) -> pd.DataFrame:
    """The curve with a row for delay 0, where all live."""
    curve = kaplan_meier(subjects, confidence)
    n = int((subjects.exit > subjects.entry).sum())
    return pd.DataFrame(
        {
            "target": target,
            "group": group,
            "delay_min": np.r_[0.0, curve.time],
            "n_at_risk": np.r_[n, curve.at_risk],
            "n_deaths": np.r_[0, curve.deaths],
            "n_censored": np.r_[0, curve.censored],
            "alive": np.r_[1.0 if n else np.nan, curve.survival],
            "ci_low": np.r_[np.nan, curve.ci_low],
            "ci_high": np.r_[np.nan, curve.ci_high],
        }
    )


def _lives(tracks: pd.DataFrame, deaths: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """First and last frame in which each track is seen alive."""
    seen = tracks.groupby("track_id")["frame"].agg(["min", "max"])
    known = deaths.set_index("track_id").reindex(seen.index)
    death = known["death_frame"].astype("Float64").to_numpy(np.float64, na_value=np.inf)
    last = np.minimum(seen["max"].to_numpy(), death).astype(np.int64)
    gone = (known["reason"] == "dead_at_entry").to_numpy()
    return seen["min"].to_numpy(np.int64)[~gone], last[~gone]


def _present(first: np.ndarray, last: np.ndarray, n_frames: int) -> np.ndarray:
    """(T,) how many are there in each frame, both ends included."""
    come = np.bincount(first, minlength=n_frames + 1)
    gone = np.bincount(last + 1, minlength=n_frames + 1)
    return np.cumsum(come - gone)[:n_frames]


def _poisson_interval(
    counts: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import chdtri

    tail = (1 - confidence) / 2
    low = np.where(counts > 0, chdtri(2 * np.maximum(counts, 1), 1 - tail) / 2, 0)
    return low, chdtri(2 * (counts + 1), tail) / 2


def _per(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.where(whole > 0, whole, np.nan)
