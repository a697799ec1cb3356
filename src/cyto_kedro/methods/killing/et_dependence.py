"""How outcomes change with the number of effectors per target."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import ET_DEPENDENCE
from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.contrasts import families
from cyto_kedro.methods.killing.outcomes import MEASURED_ET
from cyto_kedro.methods.killing.permutation import with_corrected
from cyto_kedro.methods.killing.resampling import cluster_weights, widened_interval

_KEYS = ["role", "effector", "outcome"]


def et_dependence(superplot: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Slope of each outcome per doubling of E:T, over wells.

    A straight line on log2(E:T) with an intercept per donor and condition, lest a
    condition with more effectors passes for an effect of their number. Wells without
    effectors have no logarithm and are left out. The p-value permutes E:T over the
    wells of a donor and condition, and is corrected over all rows or within each
    outcome; bounds come from resampled wells.

    Args:
        superplot: Table SUPERPLOT.
        design: Confidence, draws, seed.

    Returns:
        Table ET_DEPENDENCE, by the sheet's E:T and by that of the first frame; one row
        per outcome with enough wells for a slope and two ratios.
    """
    wells = superplot[superplot["level"] == "well"]
    rows_of_it = wells[wells["outcome"] == MEASURED_ET]
    measured = rows_of_it.groupby(["name", "role"])["value"].sum(min_count=1)
    at = pd.MultiIndex.from_frame(wells[["name", "role"]])
    ratios = {
        "sheet": wells["et_sheet"].to_numpy(np.float64),
        "measured": measured.reindex(at).to_numpy(np.float64),
    }
    rows = []
    for source, ratio in ratios.items():
        usable = (ratio > 0) & wells["value"].notna().to_numpy()
        usable &= (wells["outcome"] != MEASURED_ET).to_numpy()
        table = wells[usable].assign(doubling=np.log2(ratio[usable]))
        for _, part in table.groupby(_KEYS, sort=False, dropna=False):
            slope = _slope(part, design)
            if slope is not None:
                names = {key: part[key].iloc[0] for key in _KEYS}
                rows.append(names | {"source": source} | slope)
    if not rows:
        return ET_DEPENDENCE.empty()
    found = pd.DataFrame(rows)
    return ET_DEPENDENCE.conform(with_corrected(found, families(found, design)))


def _slope(part: pd.DataFrame, design: Design) -> dict[str, float | int] | None:
    x = part["doubling"].to_numpy(np.float64)
    y = part["value"].to_numpy(np.float64)
    strata = part[["donor", "group"]].fillna("")
    stratum = strata.groupby(["donor", "group"], sort=False).ngroup().to_numpy(np.int64)
    n_ratios = len(np.unique(np.round(x, 9)))
    dof = len(x) - len(np.unique(stratum)) - 1
    if dof < 1 or n_ratios < 2 or not _within(x[None], y, stratum)[1][0] > 1e-12:
        return None
    found = float(_ratio(*_within(x[None], y, stratum))[0])
    random = np.random.default_rng(design.seed)
    weights = cluster_weights(stratum, design.n_bootstrap, random)
    draws = _ratio(*_weighted(x, y, stratum, weights))
    low, high = widened_interval(np.asarray(found), draws, dof, design.confidence)
    keys = random.random((design.n_permutations, len(x))) + stratum
    slots = np.argsort(stratum, kind="stable")
    shuffled = np.empty(keys.shape)
    shuffled[:, slots] = x[np.argsort(keys, axis=1)]
    by_luck = np.abs(_ratio(*_within(shuffled, y, stratum)))
    as_extreme = int((by_luck >= abs(found) * (1 - 1e-9)).sum())
    return {
        "n_units": len(x),
        "n_donors": int(part["donor"].nunique()),
        "n_ratios": n_ratios,
        "slope_per_doubling": found,
        "slope_low": float(low),
        "slope_high": float(high),
        "p_value": (1 + as_extreme) / (1 + design.n_permutations),
    }


def _within(
    x: np.ndarray, y: np.ndarray, stratum: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of products and squares of (B, N) x about the means of strata."""
    one_hot = (stratum[:, None] == np.unique(stratum)).astype(np.float64)
    centre = one_hot / one_hot.sum(axis=0)
    x = x - (x @ centre) @ one_hot.T
    y = y - (y @ centre) @ one_hot.T
    return x @ y, (x**2).sum(axis=1)


def _weighted(
    x: np.ndarray, y: np.ndarray, stratum: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same with (B, N) weights of the wells."""
    one_hot = (stratum[:, None] == np.unique(stratum)).astype(np.float64)
    count = weights @ one_hot
    x = x - ((weights * x) @ one_hot / count) @ one_hot.T
    y = y - ((weights * y) @ one_hot / count) @ one_hot.T
    return (weights * x * y).sum(axis=1), (weights * x**2).sum(axis=1)


def _ratio(product: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Slopes; NaN where all wells that were drawn have one ratio."""
    slope = np.full(len(product), np.nan)
    np.divide(product, square, out=slope, where=square > 1e-12)
    return slope
