"""Columns that many tables share."""

from __future__ import annotations

from cyto_kedro.core.table import Col

FRAME = Col("int64", "frame", "0-based frame index", ge=0)
LABEL = Col("int64", "", "id of the cell in this frame's mask", ge=1)
TRACK = Col("int64", "", "id of the cell over time, from 1", ge=1)
TIME = Col("float64", "min", "time after the first frame", ge=0)
NAME = Col("object", "", "name")


def number(unit: str, about: str, ge: float | None = None) -> Col:
    """A measured value; undefined is NaN."""
    return Col("float64", unit, about, nullable=True, ge=ge)


def count(about: str) -> Col:
    """A number of things, from 0."""
    return Col("int64", "", about, ge=0)


def flag(about: str) -> Col:
    """Yes or no, always known."""
    return Col("bool", "", about)


GROUP: dict[str, Col] = {
    "group": Col("object", "", "movie, condition or other stratum"),
    "level": Col("object", "", "movie, or the sheet's column that groups movies"),
}
PAIR: dict[str, Col] = {
    "effector": Col("object", "", "effector role"),
    "target": Col("object", "", "target role"),
}
