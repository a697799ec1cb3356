"""How values become words."""

from __future__ import annotations

import math
from typing import Any


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
    return f"{value:.3g}" if isinstance(value, float) else str(value)


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
