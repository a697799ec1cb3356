"""How values become words."""

from __future__ import annotations

import csv
import io
import math
import re
from typing import Any

import numpy as np


def shown(values: dict[Any, Any]) -> dict[str, str]:
    """Those values that are defined, as text."""
    return {str(k): text_of(v) for k, v in values.items() if not undefined(v)}


def undefined(value: Any) -> bool:
    """Whether there is no value."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def text_of(value: Any) -> str:
    """A value in three digits; a dash where there is none."""
    if undefined(value):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


_OUTCOMES = {
    "survival": "alive at the end",
    "rmst": "mean survival time",
    "died_in_field": "died in view",
    "specific_lysis": "specific lysis",
    "kills_per_effector_hour": "kills per effector hour",
    "kills_per_contact_hour": "kills per contact hour",
    "killer_fraction": "killers / effectors",
    "serial_fraction": "serial killers / effectors",
    "gini": "inequality of kills (Gini)",
    "et_measured": "E:T at first",
}


def outcome_words(outcome: str, unit: str) -> str:
    """An outcome of the table SUPERPLOT as a reader calls it, with its unit."""
    words = _OUTCOMES.get(outcome, outcome.replace("_", " "))
    return f"{words} ({unit})" if unit and unit != "1/h" else words


def left_out(text: str, words: dict[str, str]) -> list[str]:
    """A sentence on the figures that are missing since they would be empty.

    Args:
        text: CSV of figure and reason, as the drawing nodes write it.
        words: What each figure shows, by the start of its name.
    """
    rows = list(csv.reader(io.StringIO(text)))[1:]
    told: dict[str, list[str]] = {}
    for name, reason in rows:
        stem = max((s for s in words if name.startswith(s)), key=len, default="")
        if stem:
            # Without the explanations of a picture that is not there.
            what = re.split(r" \(|[:;,]", words[stem])[0]
            told.setdefault(reason, []).append(what[0].lower() + what[1:])
    return [
        f"Not drawn, as {reason}: {'; '.join(dict.fromkeys(what))}."
        for reason, what in told.items()
    ]


def with_unit(value: Any, unit: str) -> str:
    """A value with its unit; a dash alone where there is none."""
    return "–" if undefined(value) else f"{text_of(value)} {unit}"


def percent(value: float | None) -> str:
    """A fraction in per cent."""
    return "–" if value is None else f"{100 * value:.0f} %"


def p_value(value: float | None) -> str:
    """A p value, down to 0.001."""
    if value is None:
        return "not defined"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def plural(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
