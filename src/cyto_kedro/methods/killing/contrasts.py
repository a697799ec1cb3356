"""Every outcome compared between conditions, with wells or donors as the unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import COMPARISONS
from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.inference import (
    Effect,
    Sample,
    cliffs_delta,
    resampled_effects,
)
from cyto_kedro.methods.killing.outcomes import MEASURED_ET
from cyto_kedro.methods.killing.permutation import permutation_test, with_corrected

_NONE = Effect(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class _Units:
    """The values that are compared, and what they stand for."""

    table: pd.DataFrame  # value, in_b, stratum
    unit: str  # movie, well or donor
    paired: bool
    about: str

    def sample(self) -> Sample:
        return Sample(
            self.table["value"].to_numpy(np.float64),
            self.table["in_b"].to_numpy(bool),
            self.table["stratum"].to_numpy(),
            self.paired,
        )


def comparison_table(superplot: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Differences between conditions in every outcome, tested and corrected.

    Wells are compared within donors. Where a donor gave one well to each condition
    the pair is the unit, and where no donor gave to both, the donor is.

    Args:
        superplot: Table SUPERPLOT.
        design: Reference condition, unit, confidence, draws, seed.

    Returns:
        Table COMPARISONS; empty without two conditions.
    """
    names = list(dict.fromkeys(superplot["group"].dropna()))
    rows = []
    compared = superplot[superplot["outcome"] != MEASURED_ET]
    if design.outcomes is not None:
        compared = compared[compared["outcome"].isin(design.outcomes)]
    keys = ["role", "effector", "outcome"]
    for key, part in compared.groupby(keys, sort=False, dropna=False):
        for a, b in _contrasts(names, design.reference):
            both = part[part["group"].isin([a, b]) & part["value"].notna()]
            if both["group"].nunique() == 2:
                rows.append(
                    dict(zip(keys, key, strict=True)) | _row(both, a, b, design)
                )
    if not rows:
        return COMPARISONS.empty()
    table = pd.DataFrame(rows)
    table["effector"] = (
        table["effector"].astype(object).where(table["effector"].notna(), None)
    )
    return COMPARISONS.conform(with_corrected(table, families(table, design)))


def _contrasts(names: list[str], reference: str | None) -> Iterator[tuple[str, str]]:
    """All pairs, or each condition against the reference."""
    if reference is None:
        yield from combinations(names, 2)
    else:
        yield from ((reference, name) for name in names if name != reference)


def _row(both: pd.DataFrame, a: str, b: str, design: Design) -> dict[str, object]:
    units = _choose_units(both, b, design.unit)
    row: dict[str, object] = {"group_a": a, "group_b": b, "unit": units.unit}
    for arm, name in (("a", a), ("b", b)):
        movies = both[(both["level"] == "movie") & (both["group"] == name)]
        row |= {
            f"n_cells_{arm}": movies["n_cells"].sum(),
            f"n_movies_{arm}": len(movies),
            f"n_wells_{arm}": movies["well"].nunique(),
            f"n_donors_{arm}": movies["donor"].nunique(),
        }
    least = p_value = float("nan")
    mean_a = mean_b = float("nan")
    mean = shift = delta = _NONE
    if len(units.table):
        sample = units.sample()
        arms = sample.arms()
        mean_a, mean_b = (float(np.mean([s[i].mean() for s in arms])) for i in (0, 1))
        mean, shift = resampled_effects(
            sample, design.confidence, design.n_bootstrap, design.seed
        )
        delta = cliffs_delta(sample, design.confidence)
        p_value, least = permutation_test(sample, design.n_permutations, design.seed)
        if least >= 1:  # one labelling only: there is no test
            p_value = float("nan")
    effects = {"difference": mean, "hodges_lehmann": shift, "cliffs_delta": delta}
    for name, effect in effects.items():
        row |= {
            name: effect.value,
            f"{name}_low": effect.low,
            f"{name}_high": effect.high,
        }
    return row | {
        "mean_a": mean_a,
        "mean_b": mean_b,
        "p_value": p_value,
        "least_p": least,
        "note": _note(units, least, design),
    }


def _choose_units(both: pd.DataFrame, b: str, wanted: str) -> _Units:
    """Wells within donors, pairs of donors, or donors that gave to one condition."""
    wells = both[both["level"] == "well"]
    wells = wells.assign(in_b=wells["group"] == b)
    unit = "movie" if _is_movie(both) else "well"
    if wells["donor"].isna().any():
        return _Units(wells.assign(stratum=0), unit, False, "no donors are named")
    arms = wells.groupby("donor")["in_b"].nunique()
    shared = list(arms.index[arms == 2])
    if not shared:
        donors = both[both["level"] == "donor"]
        table = donors.assign(in_b=donors["group"] == b, stratum=0)
        return _Units(table, "donor", False, "no donor is in both conditions")
    left_out = len(arms) - len(shared)
    about = f"{left_out} donor(s) are in one condition only and left out"
    inside = wells[wells["donor"].isin(shared)].assign(stratum=wells["donor"])
    fewest = inside.groupby(["donor", "in_b"]).size().min()
    if wanted == "donor" or (wanted == "auto" and fewest < 2 and len(shared) > 1):
        donors = both[(both["level"] == "donor") & both["donor"].isin(shared)]
        table = donors.assign(in_b=donors["group"] == b, stratum=donors["donor"])
        return _Units(table, "donor", True, about if left_out else "")
    return _Units(inside, unit, False, about if left_out else "")


def _is_movie(both: pd.DataFrame) -> bool:
    """Whether wells are but movies under another name."""
    movies = set(both.loc[both["level"] == "movie", "name"])
    return set(both.loc[both["level"] == "well", "name"]) <= movies


def _note(units: _Units, least: float, design: Design) -> str:
    """What so many units allow to conclude, in a sentence."""
    in_b = units.table["in_b"].astype(bool)
    n_a, n_b = int((~in_b).sum()), int(in_b.sum())
    said = f"{n_a} {units.unit}(s) against {n_b}"
    if units.paired:
        said = f"{n_a} donors, each in both conditions"
    elif units.unit != "donor" and units.table["stratum"].nunique() > 1:
        n = units.table["stratum"].nunique()
        said += f" within {n} donors: it holds for these donors"
    parts = [said]
    alpha = 1 - design.confidence
    if not least < 1:
        parts.append("too few to infer anything beyond these wells")
    elif least > alpha:
        parts.append(f"too few: the least p-value that they can give is {least:.2g}")
    if units.about:
        parts.append(units.about)
    return "; ".join(parts) + "."


def families(table: pd.DataFrame, design: Design) -> np.ndarray:
    """(rows,) over what p-values are corrected: all rows, or those of one outcome."""
    if design.correct_over == "outcome":
        keys = ["role", "effector", "outcome"]
        numbers = table.groupby(keys, dropna=False, sort=False).ngroup()
        return np.asarray(numbers, dtype=np.int64)
    return np.zeros(len(table), dtype=np.int64)
