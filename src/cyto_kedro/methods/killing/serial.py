"""How kills are spread over effectors, beside what equal effectors would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import FIRST_KILL, KILL_DISTRIBUTION, SERIAL_KILLING
from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.permutation import with_corrected
from cyto_kedro.methods.killing.survival import Subjects, kaplan_meier, median_survival
from cyto_kedro.methods.killing.units import MovieGroup

#: Kills that are held at once.
_BLOCK = 2_000_000


@dataclass(frozen=True)
class SerialTables:
    """Tables SERIAL_KILLING, KILL_DISTRIBUTION and FIRST_KILL."""

    summary: pd.DataFrame
    distribution: pd.DataFrame
    first_kill: pd.DataFrame


def serial_tables(
    killers: Mapping[str, pd.DataFrame],
    groups: list[MovieGroup],
    units: pd.DataFrame,
    effector: str,
    target: str,
    serial_kills: int,
    design: Design,
) -> SerialTables:
    """Serial killing, Lorenz curve and time to the first kill (nearest rule).

    The two tests of each group are corrected (Holm) together, over the movies and over
    the conditions apart: these are two views of the same cells.

    Args:
        killers: Table KILLERS of each movie, effector role ``effector`` only.
        groups: Movies and conditions.
        units: What the sheet says of the movies.
        effector: Effector role.
        target: Target role.
        serial_kills: Kills that make a serial killer.
        design: Confidence, number of draws, seed.
    """
    names = {"effector": effector, "target": target}
    parts: list[list[pd.DataFrame]] = [
        [spec.empty()] for spec in (KILL_DISTRIBUTION, FIRST_KILL)
    ]
    summaries: list[dict[str, object]] = []
    for group in groups:
        members = [killers[m].assign(movie=m) for m in group.movies if len(killers[m])]
        if not members:
            continue
        cells = pd.concat(members, ignore_index=True)
        key = {"group": group.name, "level": group.level} | names
        kills = cells["kills_nearest"].to_numpy(np.float64).round().astype(np.int64)
        weight = cells["observed_min"].to_numpy(np.float64)
        movie = pd.factorize(cells["movie"])[0]
        luck = _draw_luck(kills, weight, movie, serial_kills, design)
        curve = kaplan_meier(first_kills(cells), design.confidence)
        row = _summary(kills, luck, serial_kills)
        row["median_first_kill_min"] = median_survival(curve)
        summaries.append({**key, **_numbers(group, units), **row})
        table = pd.DataFrame(key | _distribution(kills, luck))
        parts[0].append(KILL_DISTRIBUTION.conform(table))
        until = {
            "time_min": curve.time,
            "n_at_risk": curve.at_risk,
            "n_kills": curve.deaths,
            "n_censored": curve.censored,
            "killed_fraction": 1 - curve.survival,
            "ci_low": 1 - curve.ci_high,
            "ci_high": 1 - curve.ci_low,
        }
        parts[1].append(FIRST_KILL.conform(pd.DataFrame(key | until)))
    tables = [pd.concat(p[1:] or p, ignore_index=True) for p in parts]
    if not summaries:
        return SerialTables(SERIAL_KILLING.empty(), *tables)
    summary = _corrected(pd.DataFrame(summaries))
    return SerialTables(SERIAL_KILLING.conform(summary), *tables)


def _numbers(group: MovieGroup, units: pd.DataFrame) -> dict[str, int]:
    own = units.loc[[*group.movies]]
    wells, donors = own["well"].nunique(), own["donor"].nunique()
    return {"n_movies": len(own), "n_wells": wells, "n_donors": donors}


def _corrected(summary: pd.DataFrame) -> pd.DataFrame:
    tested = ["serial_p", "gini_p"]
    long = summary.melt("level", tested, value_name="p_value", ignore_index=False)
    long = with_corrected(long, pd.factorize(long["level"])[0])
    for name in tested:
        own = long[long["variable"] == name]
        summary = summary.assign(**{f"{name}_holm": own["p_holm"]})
    return summary.assign(n_tests=own["n_tests"])


@dataclass(frozen=True)
class _Luck:
    """What equal effectors show in each draw."""

    gini: np.ndarray
    n_serial: np.ndarray
    expected: np.ndarray  # mean number of effectors with 0, 1, 2 ... kills


def _draw_luck(
    kills: np.ndarray,
    weight: np.ndarray,
    movie: np.ndarray,
    serial_kills: int,
    design: Design,
) -> _Luck:
    """Draws in blocks: all at once would take gigabytes for a large experiment."""
    random = np.random.default_rng(design.seed)
    block = max(1, _BLOCK // len(kills))
    uneven, serial = [], []
    histogram = np.zeros(int(kills.sum()) + 1)
    for start in range(0, design.n_bootstrap, block):
        n_draws = min(block, design.n_bootstrap - start)
        drawn = equal_effectors(kills, weight, movie, n_draws, random)
        uneven.append(gini(drawn))
        serial.append((drawn >= serial_kills).sum(axis=1))
        histogram += np.bincount(drawn.ravel(), minlength=len(histogram))
    most = int(np.flatnonzero(histogram)[-1])
    return _Luck(
        np.concatenate(uneven),
        np.concatenate(serial),
        histogram[: most + 1] / design.n_bootstrap,
    )


def equal_effectors(
    kills: np.ndarray,
    weight: np.ndarray,
    movie: np.ndarray,
    n_draws: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Kills of equal effectors: each movie's kills dealt out by time in view.

    Given their sum, Poisson counts with rates ``weight`` are multinomial. Kills stay
    in their movie, so that a movie with more targets makes no effector unequal.

    Returns:
        (n_draws, N) kills.
    """
    drawn = np.zeros((n_draws, len(kills)), dtype=np.int64)
    for level in np.unique(movie):
        own = np.flatnonzero(movie == level)
        total, share = int(kills[own].sum()), weight[own]
        share = share / share.sum() if share.sum() > 0 else np.ones(len(own)) / len(own)
        drawn[:, own] = random.multinomial(total, share, size=n_draws)
    return drawn


def gini(kills: np.ndarray) -> np.ndarray:
    """Gini coefficient along the last axis: 0 all alike; NaN without any kill.

    ``sum_i (2 i - n - 1) x_(i) / (n sum x)``; one killer of n gives ``1 - 1 / n``.
    """
    ordered = np.sort(kills, axis=-1).astype(np.float64)
    n = kills.shape[-1]
    rank = 2 * np.arange(1, n + 1) - n - 1
    total = ordered.sum(axis=-1)
    found = np.full(total.shape, np.nan)
    np.divide(ordered @ rank, n * total, out=found, where=total > 0)
    return found


def first_kills(cells: pd.DataFrame) -> Subjects:
    """Effectors from first sight to their first kill, or out of view."""
    first = cells["first_kill_min"].to_numpy(np.float64)
    killed = np.isfinite(first)
    seen = cells["observed_min"].to_numpy(np.float64)
    return Subjects(np.zeros(len(cells)), np.where(killed, first, seen), killed)


def _summary(
    kills: np.ndarray, luck: _Luck, serial_kills: int
) -> dict[str, float | int]:
    n, serial = len(kills), int((kills >= serial_kills).sum())
    by_luck, uneven, lucky = luck.n_serial, float(gini(kills)), luck.gini
    any_kill = bool(kills.sum())
    return {
        "n_effectors": n,
        "n_kills": int(kills.sum()),
        "n_killers": int((kills > 0).sum()),
        "n_serial": serial,
        "killer_fraction": float((kills > 0).mean()),
        "serial_fraction": serial / n,
        "serial_expected": float(by_luck.mean()) / n,
        "serial_p": _share(by_luck >= serial) if any_kill else float("nan"),
        "max_kills": int(kills.max()),
        "gini": uneven,
        "gini_expected": float(lucky.mean()),
        "gini_p": _share(lucky >= uneven - 1e-12) if any_kill else float("nan"),
    }


def _share(as_extreme: np.ndarray) -> float:
    return (1 + int(as_extreme.sum())) / (1 + len(as_extreme))


def _distribution(kills: np.ndarray, luck: _Luck) -> dict[str, np.ndarray]:
    most = max(int(kills.max()), len(luck.expected) - 1)
    counts = np.bincount(kills, minlength=most + 1)
    expected = np.zeros(most + 1)
    expected[: len(luck.expected)] = luck.expected
    number = np.arange(most + 1)
    theirs = np.cumsum(number * counts).astype(np.float64)
    share = theirs / theirs[-1] if theirs[-1] else np.full(most + 1, np.nan)
    return {
        "kills": number,
        "n_effectors": counts,
        "expected": expected,
        "effector_share": np.cumsum(counts) / len(kills),
        "kill_share": share,
    }
