"""Kills per hour of effectors, in view and in contact, by movie and condition."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import RATES
from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.resampling import (
    cluster_weights,
    degrees_of_freedom,
    widened_interval,
)
from cyto_kedro.methods.killing.units import MovieGroup, clusters

RULES = ("nearest", "shared", "hazard")
_COLUMNS = [*(f"kills_{rule}" for rule in RULES), "observed_min", "contact_min"]


def pool_killers(
    killers: Mapping[str, pd.DataFrame], effector: str
) -> dict[str, pd.DataFrame]:
    """Rows of one effector role in every movie's table KILLERS."""
    return {m: t[t["effector"] == effector] for m, t in killers.items()}


def rate_table(
    killers: Mapping[str, pd.DataFrame],
    groups: list[MovieGroup],
    units: pd.DataFrame,
    effector: str,
    target: str,
    design: Design,
) -> pd.DataFrame:
    """Kills per effector hour and per contact hour under every rule of credit.

    Bounds are those of a Poisson count (Garwood 1936). With several wells these are
    resampled within donors too and the wider bound is given: kills differ between
    wells by more than counting, and never by less, even if two wells agree by luck.

    Args:
        killers: Table KILLERS of each movie, effector role ``effector`` only.
        groups: Movies and conditions.
        units: What the sheet says of the movies.
        effector: Effector role.
        target: Target role.
        design: Confidence, number of resamples, seed.

    Returns:
        Table RATES.
    """
    sums = {m: t[_COLUMNS].sum().to_numpy(np.float64) for m, t in killers.items()}
    counts = {m: len(t) for m, t in killers.items()}
    tables = [RATES.empty()]
    for group in groups:
        if not any(counts[m] for m in group.movies):
            continue
        totals = np.stack([sums[m] for m in group.movies])
        well, donor = clusters(units, group.movies)
        per_well = np.zeros((len(donor), totals.shape[1]))
        np.add.at(per_well, well, totals)
        rows = pooled_rates(per_well, donor, design)
        rows.insert(0, "n_effectors", sum(counts[m] for m in group.movies))
        rows = rows.assign(
            group=group.name,
            level=group.level,
            effector=effector,
            target=target,
            n_movies=len(group.movies),
            n_wells=len(donor),
            n_donors=int(units.loc[[*group.movies], "donor"].nunique()),
        )
        tables.append(RATES.conform(rows))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def pooled_rates(
    per_well: np.ndarray, donor: np.ndarray, design: Design
) -> pd.DataFrame:
    """Rates of several wells together, one row per rule.

    Args:
        per_well: (W, 5) kills by each of ``RULES``, minutes in view, in contact.
        donor: (W,) donor number of each well.
        design: Confidence, number of resamples, seed.
    """
    random = np.random.default_rng(design.seed)
    resampled = cluster_weights(donor, design.n_bootstrap, random) @ per_well
    dof = degrees_of_freedom(donor)
    total = per_well.sum(axis=0)
    hours, contact = total[len(RULES) :] / 60
    rows = []
    for number, rule in enumerate(RULES):
        row = {
            "rule": rule,
            "kills": total[number],
            "effector_hours": hours,
            "contact_hours": contact,
            "interval": "wells" if dof else "poisson",
        }
        for place, name in ((3, "effector_hour"), (4, "contact_hour")):
            exposure, drawn = total[place] / 60, resampled[:, place] / 60
            rate, low, high = _bounded(
                total[number], exposure, resampled[:, number], drawn, dof, design
            )
            row |= {f"kills_per_{name}": rate, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def _bounded(
    kills: float,
    hours: float,
    drawn_kills: np.ndarray,
    drawn_hours: np.ndarray,
    dof: int,
    design: Design,
) -> tuple[float, float, float]:
    """Rate with bounds; NaN without any exposure."""
    if not hours > 0:
        return float("nan"), float("nan"), float("nan")
    low, high = poisson_bounds(kills, design.confidence)
    low, high = low / hours, high / hours
    if dof:
        rate = np.full(len(drawn_hours), np.nan)
        np.divide(drawn_kills, drawn_hours, out=rate, where=drawn_hours > 0)
        wells = widened_interval(
            np.asarray(kills / hours), rate, dof, design.confidence, (0.0, np.inf)
        )
        low, high = float(np.fmin(low, wells[0])), float(np.fmax(high, wells[1]))
    return kills / hours, low, high


def poisson_bounds(count: float, confidence: float) -> tuple[float, float]:
    """Exact bounds of the mean of a Poisson count, from the gamma distribution.

    For a credit that is no whole number the same formula interpolates.

    Source: Garwood 1936, doi:10.1093/biomet/28.3-4.437.
    """
    from scipy.special import gammaincinv

    tail = (1 - confidence) / 2
    low = float(gammaincinv(count, tail)) if count > 0 else 0.0
    return low, float(gammaincinv(count + 1, 1 - tail))
