"""Whether the conclusion hangs on the window, the contact distance or the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import SENSITIVITY
from cyto_kedro.methods.killing.attribution import Dose, attribute
from cyto_kedro.methods.killing.chance import attribution_chance
from cyto_kedro.methods.killing.death import (
    DEAD_AT_ENTRY,
    DIED,
    END_OF_MOVIE,
    find_onsets,
)
from cyto_kedro.methods.killing.hits import DelayPrior, fit_hits
from cyto_kedro.methods.killing.touches import Touches, gather_touches

_SAME_DEATH_FRAMES = 5  # a threshold moves a death by a few frames


@dataclass(frozen=True)
class Setting:
    """How deaths and kills are found otherwise; the grid varies the rest."""

    window_min: float
    contact_um: float
    reach_um: float  # pairs are listed up to here
    persistence: int
    irreversible: bool
    dose: Dose
    prior: DelayPrior
    serial_kills: float
    n_shifts: int
    seed: int


@dataclass(frozen=True)
class Factors:
    """What window, contact distance and threshold are multiplied with."""

    window: Sequence[float]
    distance: Sequence[float]
    threshold: Sequence[float]


def sensitivity_table(
    deaths: pd.DataFrame,
    viability: pd.DataFrame,
    contacts: Mapping[str, pd.DataFrame],
    calibration: Calibration,
    target: str,
    setting: Setting,
    factors: Factors,
) -> pd.DataFrame:
    """Deaths, kills and chance at every point of a grid (SENSITIVITY).

    The factor 1 is always part of the grid. Deaths are found again in the smoothed
    signal at every threshold, without asking the live channel. Contact distances
    beyond what the contacts table lists are left out. A killer is the likeliest
    candidate by the hit model, which is fitted anew at every point.

    Args:
        deaths: Table DEATHS at the chosen threshold.
        viability: Table VIABILITY of the same targets.
        contacts: CONTACTS by effector role.
        calibration: Time base.
        target: Target role.
        setting: What is not varied, and the values that are.
        factors: The grid.

    Returns:
        Rows by window, distance and threshold factor.
    """
    if deaths.empty:
        return SENSITIVITY.empty()
    chosen = deaths.sort_values("track_id", ignore_index=True)
    rows = viability.sort_values(["track_id", "frame"], ignore_index=True)
    at = {
        f: _at_threshold(chosen, rows, calibration, setting, f)
        for f in _with_one(factors.threshold)
    }
    touches = {
        f: gather_touches(_within(contacts, f, setting.contact_um))
        for f in _with_one(factors.distance)
        if f == 1 or 0 < f * setting.contact_um <= setting.reach_um * (1 + 1e-9)
    }
    usual = _killers(at[1.0], touches[1.0], calibration, target, setting, 1.0)
    table = [
        {
            "target": target,
            "window_min": w * setting.window_min,
            "contact_distance_um": d * setting.contact_um,
            "threshold": t * float(chosen["threshold"].iloc[0]),
            "is_chosen": w == 1 and d == 1 and t == 1,
            **_outcome(at[t], touches[d], calibration, target, setting, w, usual),
        }
        for w, d, t in product(_with_one(factors.window), touches, at)
    ]
    return SENSITIVITY.conform(pd.DataFrame(table))


def _with_one(factors: Sequence[float]) -> list[float]:
    return sorted({1.0, *factors})


def _within(
    contacts: Mapping[str, pd.DataFrame], factor: float, contact_um: float
) -> Mapping[str, pd.DataFrame]:
    """Contacts at another contact distance."""
    if factor == 1:
        return contacts
    limit = factor * contact_um * (1 + 1e-9)
    return {
        role: table.assign(in_contact=table["distance_um"] <= limit)
        for role, table in contacts.items()
    }


def _at_threshold(
    deaths: pd.DataFrame,
    viability: pd.DataFrame,
    calibration: Calibration,
    setting: Setting,
    factor: float,
) -> pd.DataFrame:
    """DEATHS as another threshold gives them; the factor 1 leaves them alone."""
    if factor == 1:
        return deaths
    track = viability["track_id"].to_numpy()
    signal = viability["death_signal"].to_numpy(np.float64)
    threshold = factor * float(deaths["threshold"].iloc[0])
    onsets = find_onsets(
        track, signal, threshold, setting.persistence, setting.irreversible
    )
    died = (onsets.onset >= 0) & ~onsets.at_entry
    frame = viability["frame"].to_numpy()[onsets.onset]
    other = deaths.assign(
        death_frame=pd.array(np.where(died, frame, 0), dtype="Int64"),
        death_time_min=np.where(died, calibration.times_min[frame], np.nan),
        censored=~died,
        threshold=threshold,
        # Why the living were lost does not matter here.
        reason=np.select(
            [died, onsets.at_entry], [DIED, DEAD_AT_ENTRY], END_OF_MOVIE
        ).astype(object),
    )
    other.loc[~died, "death_frame"] = pd.NA
    return other


def _killers(
    deaths: pd.DataFrame,
    touches: Touches,
    calibration: Calibration,
    target: str,
    setting: Setting,
    window: float,
) -> pd.DataFrame:
    """One row per death by target track: death frame, likeliest killer or none."""
    asked = (calibration, target, window * setting.window_min)
    model = fit_hits(deaths, touches, *asked, setting.prior)
    table = attribute(deaths, touches, *asked, setting.dose, model)
    table = table.sort_values(
        ["target_track_id", "credit_hazard"], ascending=[True, False], kind="stable"
    )
    first = table.drop_duplicates("target_track_id").set_index("target_track_id")
    return first[["death_frame", "effector", "effector_track_id"]]


def _outcome(
    deaths: pd.DataFrame,
    touches: Touches,
    calibration: Calibration,
    target: str,
    setting: Setting,
    window: float,
    usual: pd.DataFrame,
) -> dict[str, object]:
    found = _killers(deaths, touches, calibration, target, setting, window)
    named = found.dropna(subset="effector")
    kills = named.groupby(["effector", "effector_track_id"]).size()
    by_rule = attribution_chance(
        deaths,
        touches,
        calibration,
        target,
        window * setting.window_min,
        setting.n_shifts,
        setting.seed,
    )
    chance = by_rule[by_rule["rule"] == "any"].iloc[0]
    n = len(found)
    return {
        "n_deaths": n,
        "n_attributed": len(named),
        "unattributed_share": 1 - len(named) / n if n else np.nan,
        "n_serial_killers": int((kills >= setting.serial_kills).sum()),
        "expected_fraction": chance["expected_fraction"],
        "p_value": chance["p_value"],
        "beyond_chance": bool(chance["p_value"] <= 0.05),
        "same_killer_share": _agreement(found, usual),
    }


def _agreement(found: pd.DataFrame, usual: pd.DataFrame) -> float:
    """Share of the usual deaths that are still found and have the same verdict."""
    if usual.empty:
        return float("nan")
    both = usual.join(found, rsuffix="_here", how="left")
    near = (both["death_frame_here"] - both["death_frame"]).abs() <= _SAME_DEATH_FRAMES
    same = pd.Series(True, index=both.index)
    for name in ("effector", "effector_track_id"):
        ours, theirs = both[name], both[f"{name}_here"]
        same &= (ours == theirs).fillna(False) | (ours.isna() & theirs.isna())
    return float((near & same).mean())


def stability(table: pd.DataFrame) -> str:
    """One sentence on how far the conclusion depends on the settings.

    Args:
        table: SENSITIVITY of one target role.
    """
    if table.empty or not table["is_chosen"].any():
        return "There was nothing to vary: no target was tracked."
    chosen = table[table["is_chosen"]].iloc[0]
    if chosen["n_deaths"] == 0:
        return "No target died at the chosen settings, so no killer depends on them."
    agree = int((table["beyond_chance"] == chosen["beyond_chance"]).sum())
    verdict = "beyond chance" if chosen["beyond_chance"] else "not beyond chance"
    unknown = _span(table["unattributed_share"].map("{:.0%}".format))
    same = table["same_killer_share"].min()
    serial = _span(table["n_serial_killers"].map(str))
    return (
        f"Contact before death is {verdict} (p ≤ 0.05) at {agree} of {len(table)} "
        f"settings, as at the chosen one; {unknown} of the deaths stay "
        f"unattributed, {serial} of the effectors are serial killers, "
        f"and at the setting that differs most {same:.0%} of the deaths keep their "
        "verdict."
    )


def _span(values: pd.Series) -> str:
    """Least to largest of some numbers as texts; one where all read alike."""
    order = sorted(set(values), key=lambda text: float(text.rstrip("%")))
    return order[0] if len(order) == 1 else f"{order[0]} to {order[-1]}"
