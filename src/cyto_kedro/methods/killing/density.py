"""What the rules would say if fewer effectors had been seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION_DENSITY
from cyto_kedro.methods.killing.attribution import Dose, attribute
from cyto_kedro.methods.killing.hits import DelayPrior, fit_hits
from cyto_kedro.methods.killing.touches import Touches

#: Credit by rule; "every_toucher" is what counting all contacts would give.
RULES = ("every_toucher", "nearest", "exclusive", "shared", "hazard")


def attribution_density(
    deaths: pd.DataFrame,
    touches: Touches,
    effectors: pd.DataFrame,
    calibration: Calibration,
    target: str,
    window_min: float,
    dose: Dose,
    prior: DelayPrior,
    fractions: Sequence[float],
    n_repeats: int,
    seed: int,
) -> pd.DataFrame:
    """Credit at lower densities of effectors: random subsets, deaths as they are.

    Credited kills per effector should not depend on how many other effectors are
    there. Kills per death may not exceed 1.

    Args:
        deaths: Table DEATHS.
        touches: Contacts of all effector roles.
        effectors: Columns role (index into ``touches.roles``) and track, one row per
            effector track, also of those that touched nobody.
        calibration: Time base.
        target: Target role.
        window_min: Attribution window.
        dose: Of the shared rule.
        prior: Of the hit model, which is fitted to every subset.
        fractions: Of the effectors that are kept.
        n_repeats: Random subsets per fraction below 1.
        seed: Of the subsets.

    Returns:
        ATTRIBUTION_DENSITY, one row per fraction and rule; means over the subsets.
    """
    n, n_deaths = len(effectors), int(deaths["death_frame"].notna().sum())
    names = pd.MultiIndex.from_frame(effectors[["role", "track"]])
    owner = names.get_indexer(
        pd.MultiIndex.from_arrays([touches.role, touches.effector])
    )
    random = np.random.default_rng(seed)
    rows = []
    for fraction in sorted(set(fractions) | {1.0}):
        kept = round(fraction * n)
        repeats = 1 if kept == n else n_repeats
        kills = np.zeros((repeats, len(RULES)))
        for repeat in range(repeats):
            chosen = np.zeros(n + 1, bool)  # a contact without a track is nobody's
            chosen[random.permutation(n)[:kept]] = True
            own = chosen[owner]
            some = Touches(touches.roles, *(column[own] for column in touches[1:]))
            kills[repeat] = _kills(
                deaths, some, calibration, target, window_min, dose, prior
            )
        rows += [
            {
                "target": target,
                "fraction": fraction,
                "rule": rule,
                "n_effectors": kept,
                "n_deaths": n_deaths,
                "n_repeats": repeats,
                "kills": mean,
                "kills_sd": spread,
                "kills_per_death": mean / n_deaths if n_deaths else np.nan,
                "kills_per_effector": mean / kept if kept else np.nan,
            }
            for rule, mean, spread in zip(
                RULES, kills.mean(axis=0), kills.std(axis=0), strict=True
            )
        ]
    return ATTRIBUTION_DENSITY.conform(pd.DataFrame(rows))


def _kills(
    deaths: pd.DataFrame,
    touches: Touches,
    calibration: Calibration,
    target: str,
    window_min: float,
    dose: Dose,
    prior: DelayPrior,
) -> list[float]:
    asked = (calibration, target, window_min)
    model = fit_hits(deaths, touches, *asked, prior)
    table = attribute(deaths, touches, *asked, dose, model)
    named = table["effector"].notna().sum()
    return [float(named), *(table[f"credit_{rule}"].sum() for rule in RULES[1:])]
