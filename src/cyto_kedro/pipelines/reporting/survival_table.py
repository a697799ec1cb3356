"""The table of survival by group: n at each level, survival, lysis and the test."""

from __future__ import annotations

import io
from math import comb
from typing import Any

import pandas as pd

from cyto_kedro.pipelines.reporting.page import Download, HtmlTable
from cyto_kedro.pipelines.reporting.wording import p_value, percent, plural, text_of

_COUNTS = ["donors", "wells", "movies", "cells at risk", "deaths"]


def survival_tables(
    comparison: dict[str, Any], tables: dict[str, str]
) -> list[HtmlTable]:
    """One table per target role.

    Args:
        comparison: Comparison of the conditions.
        tables: CSV text behind the experiment's figures; holds lysis with its bounds.
    """
    found = []
    for role, one in comparison["roles"].items():
        groups = [g for g in one["groups"] if g["level"] != "movie"] or one["groups"]
        if not groups:
            continue
        horizon = one["horizon_min"]
        columns = [
            "group",
            *_COUNTS,
            f"alive at {text_of(horizon)} min",
            "mean survival to then (min)",
            "specific lysis",
        ]
        lysis = _lysis_at(horizon, tables.get(f"groups_lysis_{role}"))
        rows = [_row(group, lysis.get(group["group"], "–")) for group in groups]
        text = pd.DataFrame(rows, columns=columns).to_csv(index=False)
        save = (Download.csv(f"survival_{role}_by_group", text),)
        caption = f"Survival of {role} cells by group"
        numbers = frozenset(columns[1:])
        found.append(HtmlTable(caption, columns, rows, save, numbers))
    return found


def _row(group: dict[str, Any], lysis: str) -> list[str]:
    mean, bounds = group["rmst_min"], (group["rmst_low_min"], group["rmst_high_min"])
    survived = text_of(mean)
    if None not in bounds:
        survived += f" ({text_of(bounds[0])} to {text_of(bounds[1])})"
    names = ("n_donors", "n_wells", "n_movies", "n_at_risk", "n_deaths")
    return [
        str(group["group"]),
        *(str(group[name]) for name in names),
        percent(group["survival_at_horizon"]),
        survived,
        lysis,
    ]


def _lysis_at(horizon: float | None, text: str | None) -> dict[str, str]:
    """Lysis of each group with its bounds, at the last step up to the horizon."""
    if text is None or horizon is None:
        return {}
    table = pd.read_csv(io.StringIO(text), dtype={"group": str})
    table = table[table["time_min"] <= horizon + 1e-9].sort_values("time_min")
    last = table.drop_duplicates("group", keep="last")
    return {one["group"]: _bounded(one) for one in last.to_dict(orient="records")}


def _bounded(one: dict[Any, Any]) -> str:
    value, low, high = (one[f"lysis{what}_percent"] for what in ("", "_low", "_high"))
    if pd.isna(value):
        return "–"
    text = f"{value:.0f} %"
    return text if pd.isna(low) else f"{text} ({low:.0f} to {high:.0f})"


def p_values_in_words(comparison: dict[str, Any]) -> list[str]:
    """The two p-values of each target role, and what so few movies can show at all."""
    roles = comparison["roles"]
    return [
        f"{role} cells, all groups: {_tested(found['test'])}"
        for role, found in roles.items()
        if found["test"] is not None
    ]


def _tested(test: dict[str, Any]) -> str:
    counts = list(test["n_movies"])
    ways = 1
    for i, count in enumerate(counts):
        ways *= comb(sum(counts[: i + 1]), count)
    limit = f", of only {plural(ways, 'way')} to deal them out" if ways < 100 else ""
    return (
        f"permuting whole movies between groups, {p_value(test['p_movies'])}{limit}. "
        f"The log-rank test over cells ({p_value(test['p_cells'])}) takes cells for "
        "independent, which those of one movie are not."
    )
