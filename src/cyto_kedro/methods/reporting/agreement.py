"""How far a person and the analysis agree on the same events."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import AGREEMENT

_Z = 1.959963984540054


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


def cohen_kappa(first: np.ndarray, second: np.ndarray) -> Kappa:
    """Agreement beyond chance of two yes/no verdicts on the same items.

    Kappa: Cohen 1960, doi:10.1177/001316446002000104. Its large-sample standard error:
    Fleiss, Cohen & Everitt 1969, doi:10.1037/h0028106, eq. 13. Not defined without
    items, or where both say the same of all.

    Args:
        first: (N,) bool.
        second: (N,) bool.
    """
    n = len(first)
    if n == 0:
        return Kappa(nan, nan, nan)
    codes = 2 * np.asarray(first, bool) + np.asarray(second, bool)
    share = np.bincount(codes, minlength=4).reshape(2, 2) / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    observed, expected = float(np.trace(share)), float(rows @ columns)
    if expected >= 1:
        return Kappa(nan, nan, nan)
    kappa = (observed - expected) / (1 - expected)
    weight = columns[:, None] + rows[None, :]
    own = np.diag((1 - weight * (1 - kappa)) ** 2)
    diagonal = float(np.diag(share) @ own)
    cross = (1 - kappa) ** 2 * (share * weight**2)
    off = float(cross.sum() - np.trace(cross))
    variance = diagonal + off - (kappa - expected * (1 - kappa)) ** 2
    error = sqrt(max(variance, 0.0) / n) / (1 - expected)
    return Kappa(kappa, max(-1.0, kappa - _Z * error), min(1.0, kappa + _Z * error))


def wilson(count: int, n: int) -> tuple[float, float, float]:
    """A share with its 95 % score interval (Wilson 1927), NaN for n = 0."""
    if n == 0:
        return nan, nan, nan
    p, z2 = count / n, _Z**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z * sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    return p, max(0.0, middle - half), min(1.0, middle + half)


def agreement_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Agreement per kind of event, and over all kinds (AGREEMENT).

    Args:
        judged: Columns ``kind``, ``called`` (bool: what the analysis says) and
            ``answer`` (``yes``, ``no`` or anything else for not judged).
    """
    kinds = [*dict.fromkeys(judged["kind"]), "all"] if len(judged) else []
    rows = [
        _row(kind, judged if kind == "all" else judged[judged["kind"] == kind])
        for kind in kinds
    ]
    if not rows:
        return AGREEMENT.empty()
    return AGREEMENT.conform(pd.DataFrame(rows))


def _row(kind: str, judged: pd.DataFrame) -> dict[str, object]:
    clear = judged[judged["answer"].isin(["yes", "no"])]
    called = clear["called"].to_numpy(dtype=bool)
    said = (clear["answer"] == "yes").to_numpy()
    kappa = cohen_kappa(called, said)
    right, low, high = wilson(int((called & said).sum()), int(called.sum()))
    found, found_low, found_high = wilson(
        int((~called & said).sum()), int((~called).sum())
    )
    return {
        "kind": kind,
        "n": len(clear),
        "n_unclear": len(judged) - len(clear),
        "called_confirmed": int((called & said).sum()),
        "called_rejected": int((called & ~said).sum()),
        "not_called_found": int((~called & said).sum()),
        "not_called_confirmed": int((~called & ~said).sum()),
        "agreement": float((called == said).mean()) if len(clear) else nan,
        "kappa": kappa.value,
        "kappa_low": kappa.low,
        "kappa_high": kappa.high,
        "precision": right,
        "precision_low": low,
        "precision_high": high,
        "missed": found,
        "missed_low": found_low,
        "missed_high": found_high,
    }


def agreement_words(row: pd.Series) -> str:
    """A row of AGREEMENT in a sentence."""
    text = f"{row['kind']}: {row['n']} judged"
    if row["n_unclear"]:
        text += f", {row['n_unclear']} left open"
    if isnan(row["kappa"]):
        return f"{text}; kappa is not defined"
    text += (
        f"; kappa {row['kappa']:.2f} (95 % {row['kappa_low']:.2f} to "
        f"{row['kappa_high']:.2f})"
    )
    called = row["called_confirmed"] + row["called_rejected"]
    if called:
        text += f"; {row['called_confirmed']} of {called} calls confirmed"
    other = row["not_called_found"] + row["not_called_confirmed"]
    if other:
        text += f"; {row['not_called_found']} of {other} others were events too"
    return text
