"""Per condition, with intervals and comparisons."""

from __future__ import annotations

from cyto_kedro.core.schemas.columns import GROUP, NAME, PAIR, TIME, count, flag, number
from cyto_kedro.core.table import Col, TableSpec

SURVIVAL = TableSpec(
    "survival",
    {
        "group": Col("object", "", "movie, condition or other stratum"),
        "level": Col("object", "", "movie, or the sheet's column that groups movies"),
        "role": Col("object", "", "target role"),
        "time_min": TIME,
        "n_at_risk": count("cells at risk just before this time"),
        "n_deaths": count("deaths at this time"),
        "n_censored": count("censored at this time"),
        "survival": Col("float64", "", "Kaplan-Meier estimate", True, ge=0, le=1),
        "ci_low": Col("float64", "", "lower log-log bound", True, ge=0, le=1),
        "ci_high": Col("float64", "", "upper log-log bound", True, ge=0, le=1),
        "band_low": Col(
            "float64", "", "lower bound of the simultaneous band", True, ge=0, le=1
        ),
        "band_high": Col("float64", "", "upper bound of the same", True, ge=0, le=1),
        "wells_low": Col(
            "float64", "", "lower bound over wells; NaN with one well", True, ge=0, le=1
        ),
        "wells_high": Col("float64", "", "upper bound of the same", True, ge=0, le=1),
    },
    unique=("group", "role", "time_min"),
)
COMPETING_RISKS = TableSpec(
    "competing_risks",
    GROUP
    | {
        "role": Col("object", "", "target role"),
        "outcome": Col("object", "", "died, or a way of leaving such as left_field"),
        "time_min": TIME,
        "n_at_risk": count("cells at risk just before this time"),
        "n_events": count("cells that ended in this way at this time"),
        "incidence": Col(
            "float64", "", "cumulative incidence (Aalen-Johansen)", True, ge=0, le=1
        ),
        "ci_low": Col("float64", "", "lower log-log bound", True, ge=0, le=1),
        "ci_high": Col("float64", "", "upper log-log bound", True, ge=0, le=1),
    },
    unique=("group", "role", "outcome", "time_min"),
)
LYSIS = TableSpec(
    "lysis",
    GROUP
    | {
        "role": Col("object", "", "target role"),
        "time_min": TIME,
        "survival": Col("float64", "", "survival of the group", True, ge=0, le=1),
        "survival_control": Col(
            "float64", "", "survival without effectors", True, ge=0, le=1
        ),
        "lysis_percent": number("%", "100 (1 - survival / survival_control)"),
        "lysis_low_percent": number("%", "lower bound"),
        "lysis_high_percent": number("%", "upper bound"),
        "excess_killed": number("", "survival_control - survival"),
        "excess_low": number("", "lower bound"),
        "excess_high": number("", "upper bound"),
        "n_wells": count("wells of the group"),
        "n_control_wells": count("wells without effectors"),
        "resampled": Col(
            "object", "", "what the bounds come from: wells, or cells of single wells"
        ),
    },
    unique=("group", "role", "time_min"),
)
RATES = TableSpec(
    "rates",
    GROUP
    | PAIR
    | {
        "rule": Col("object", "", "how kills are credited: nearest, shared or hazard"),
        "n_movies": count("movies"),
        "n_wells": count("wells"),
        "n_donors": count("donors that the sheet names"),
        "n_effectors": count("effector tracks"),
        "kills": number("", "kills credited", 0),
        "effector_hours": number("h", "time in view, summed over effectors", 0),
        "contact_hours": number("h", "time in contact with targets, summed", 0),
        "kills_per_effector_hour": number("1/h", "kills / effector hours", 0),
        "effector_hour_low": number("1/h", "lower bound", 0),
        "effector_hour_high": number("1/h", "upper bound", 0),
        "kills_per_contact_hour": number("1/h", "kills / contact hours", 0),
        "contact_hour_low": number("1/h", "lower bound", 0),
        "contact_hour_high": number("1/h", "upper bound", 0),
        "interval": Col(
            "object", "", "poisson (kills are counted), or wells (resampled as well)"
        ),
    },
    unique=("group", "effector", "target", "rule"),
)
SERIAL_KILLING = TableSpec(
    "serial_killing",
    GROUP
    | PAIR
    | {
        "n_movies": count("movies"),
        "n_wells": count("wells"),
        "n_donors": count("donors that the sheet names"),
        "n_effectors": count("effector tracks"),
        "n_kills": count("kills by the nearest rule"),
        "n_killers": count("effectors with a kill"),
        "n_serial": count("effectors with the number that makes a serial killer"),
        "killer_fraction": number("", "killers / effectors", 0),
        "serial_fraction": number("", "serial killers / effectors", 0),
        "serial_expected": number("", "the same, were all effectors equal", 0),
        "serial_p": number("", "chance of as many or more, were all equal", 0),
        "serial_p_holm": number("", "corrected (Holm) with gini_p, over the level", 0),
        "max_kills": count("most kills of one effector"),
        "gini": number("", "inequality of kills: 0 all alike, 1 one kills all", 0),
        "gini_expected": number("", "the same, were all effectors equal", 0),
        "gini_p": number("", "chance of as much or more, were all equal", 0),
        "gini_p_holm": number("", "corrected (Holm) with serial_p, over the level", 0),
        "n_tests": count("tests that were corrected for"),
        "median_first_kill_min": number("min", "time until half have killed", 0),
    },
    unique=("group", "effector", "target"),
)
KILL_DISTRIBUTION = TableSpec(
    "kill_distribution",
    GROUP
    | PAIR
    | {
        "kills": count("kills of one effector (nearest rule)"),
        "n_effectors": count("effectors with so many"),
        "expected": number("", "effectors with so many, were all equal", 0),
        "effector_share": number("", "Lorenz: share of effectors with at most that"),
        "kill_share": number("", "Lorenz: share of all kills that are theirs"),
    },
    unique=("group", "effector", "target", "kills"),
)
FIRST_KILL = TableSpec(
    "first_kill",
    GROUP
    | PAIR
    | {
        "time_min": number("min", "time in view", 0),
        "n_at_risk": count("effectors in view that have not killed"),
        "n_kills": count("first kills at this time"),
        "n_censored": count("effectors that went out of view without a kill"),
        "killed_fraction": Col(
            "float64", "", "1 - Kaplan-Meier: share that has killed", True, ge=0, le=1
        ),
        "ci_low": Col("float64", "", "lower log-log bound", True, ge=0, le=1),
        "ci_high": Col("float64", "", "upper log-log bound", True, ge=0, le=1),
    },
    unique=("group", "effector", "target", "time_min"),
)
ET_RATIO = TableSpec(
    "et_ratio",
    {"movie": NAME}
    | PAIR
    | {
        "time_min": TIME,
        "n_effectors": count("living effectors in view"),
        "n_targets": count("living targets in view"),
        "et_ratio": number("", "effectors per target; NaN without targets", 0),
    },
    unique=("movie", "effector", "target", "time_min"),
)
SUPERPLOT = TableSpec(
    "superplot",
    {
        "level": Col("object", "", "movie, well or donor: what a row stands for"),
        "name": Col("object", "", "the movie, well or donor"),
        "group": Col("object", "", "condition; null if the sheet has none", True),
        "donor": Col("object", "", "donor; null if the sheet has none", True),
        "well": Col("object", "", "well; the movie if the sheet has none", True),
        "control": flag("movies without effectors"),
        "et_sheet": number("", "effectors per target that the sheet states", 0),
        "role": Col("object", "", "target role"),
        "effector": Col("object", "", "effector role; null = of the targets", True),
        "outcome": Col("object", "", "what was measured"),
        "unit": Col("object", "", "unit of the value"),
        "value": number("", "the outcome"),
        "n_cells": count("cells that it was measured on"),
    },
    unique=("level", "name", "group", "control", "role", "effector", "outcome"),
)
COMPARISONS = TableSpec(
    "comparisons",
    {
        "role": Col("object", "", "target role"),
        "effector": Col("object", "", "effector role; null = of the targets", True),
        "outcome": Col("object", "", "what was measured"),
        "group_a": Col("object", "", "condition"),
        "group_b": Col("object", "", "condition; differences are b - a"),
        "unit": Col("object", "", "unit of inference: movie, well or donor"),
    }
    | {
        f"n_{what}_{arm}": count(f"{what} of group {arm}")
        for arm in "ab"
        for what in ("cells", "movies", "wells", "donors")
    }
    | {
        "mean_a": number("", "mean over the wells of a, donors weighing alike"),
        "mean_b": number("", "mean over the wells of b"),
        "difference": number("", "mean_b - mean_a"),
        "difference_low": number("", "lower bound, resampling the unit"),
        "difference_high": number("", "upper bound"),
        "hodges_lehmann": number("", "median of all differences within donors"),
        "hodges_lehmann_low": number("", "lower bound, resampling the unit"),
        "hodges_lehmann_high": number("", "upper bound"),
        "cliffs_delta": Col("float64", "", "P(b > a) - P(b < a)", True, ge=-1, le=1),
        "cliffs_delta_low": Col("float64", "", "lower bound", True, ge=-1, le=1),
        "cliffs_delta_high": Col("float64", "", "upper bound", True, ge=-1, le=1),
        "p_value": Col("float64", "", "permuting the unit", True, ge=0, le=1),
        "p_holm": Col("float64", "", "corrected (Holm)", True, ge=0, le=1),
        "p_bh": Col("float64", "", "corrected (Benjamini-Hochberg)", True, ge=0, le=1),
        "n_tests": count("tests that were corrected for"),
        "least_p": Col(
            "float64", "", "least p-value that so few units can give", True, ge=0, le=1
        ),
        "note": Col("object", "", "what the numbers allow to conclude"),
    },
    unique=("role", "effector", "outcome", "group_a", "group_b"),
)
ET_DEPENDENCE = TableSpec(
    "et_dependence",
    {
        "role": Col("object", "", "target role"),
        "effector": Col("object", "", "effector role; null = of the targets", True),
        "outcome": Col("object", "", "what was measured"),
        "source": Col("object", "", "E:T of the sheet, or measured in the first frame"),
        "n_units": count("wells with both"),
        "n_donors": count("donors"),
        "n_ratios": count("different E:T ratios"),
        "slope_per_doubling": number("", "change of the outcome as E:T doubles"),
        "slope_low": number("", "lower bound, resampling wells"),
        "slope_high": number("", "upper bound"),
        "p_value": Col(
            "float64", "", "permuting E:T within donor and condition", True, ge=0, le=1
        ),
        "p_holm": Col("float64", "", "corrected (Holm)", True, ge=0, le=1),
        "p_bh": Col("float64", "", "corrected (Benjamini-Hochberg)", True, ge=0, le=1),
        "n_tests": count("tests that were corrected for"),
    },
    unique=("role", "effector", "outcome", "source"),
)
