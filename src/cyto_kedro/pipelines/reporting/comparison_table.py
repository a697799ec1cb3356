"""The table of effect sizes between groups."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cyto_kedro.pipelines.reporting.page import Download, HtmlTable
from cyto_kedro.pipelines.reporting.wording import outcome_words, text_of

_MOST_ROWS = 16
_COLUMNS = [
    "outcome",
    "of",
    "groups",
    "n",
    "means",
    "difference (95 %)",
    "Cliff's delta (95 %)",
    "p",
    "p (Holm)",
    "note",
]


def comparison_tables(comparisons: pd.DataFrame | None) -> list[HtmlTable]:
    """Outcomes between conditions: effect sizes with intervals, corrected p values.

    Args:
        comparisons: Table COMPARISONS; None or empty gives no table.
    """
    if comparisons is None or comparisons.empty:
        return []
    notes = {note: str(i + 1) for i, note in enumerate(comparisons["note"].unique())}
    rows = [_row(one, notes) for one in comparisons.to_dict(orient="records")]
    save = (Download.csv("comparisons", comparisons.to_csv(index=False)),)
    return [
        HtmlTable(
            "Differences between groups",
            _COLUMNS,
            rows,
            save,
            notes=tuple(f"{number}: {note}" for note, number in notes.items()),
            folded=len(rows) > _MOST_ROWS,
        )
    ]


def _row(one: dict[Any, Any], notes: dict[str, str]) -> list[str]:
    unit = one["unit"]
    who = (
        one["role"]
        if pd.isna(one["effector"])
        else f"{one['effector']} on {one['role']}"
    )
    return [
        outcome_words(str(one["outcome"]), ""),
        str(who),
        f"{one['group_b']} vs {one['group_a']}",
        f"{one[f'n_{unit}s_b']} vs {one[f'n_{unit}s_a']} {unit}s",
        f"{text_of(one['mean_b'])} vs {text_of(one['mean_a'])}",
        _interval(one, "difference"),
        _interval(one, "cliffs_delta"),
        text_of(one["p_value"]),
        text_of(one["p_holm"]),
        notes[one["note"]],
    ]


def _interval(one: dict[Any, Any], name: str) -> str:
    low, high = one[f"{name}_low"], one[f"{name}_high"]
    text = text_of(one[name])
    if pd.isna(low) or pd.isna(high):
        return text
    return f"{text} ({text_of(low)} to {text_of(high)})"
