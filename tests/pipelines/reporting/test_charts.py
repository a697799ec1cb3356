"""Charts show the numbers that they were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import (
    ATTRIBUTION_CHANCE,
    ATTRIBUTION_DENSITY,
    COMPARISONS,
    COMPETING_RISKS,
    CONTACT_MOTION,
    DENSITY,
    FIRST_KILL,
    KILL_DISTRIBUTION,
    KILLERS,
    KILLS,
    LYSIS,
    NETWORK_MIXING,
    RATES,
    SENSITIVITY,
    SUPERPLOT,
)
from cyto_kedro.methods.reporting.kills import hit_words
from cyto_kedro.pipelines.reporting import (
    killing_charts,
    motion_charts,
    population_charts,
    superplots,
)
from cyto_kedro.pipelines.reporting.comparison_table import comparison_tables
from cyto_kedro.pipelines.reporting.style import contrast
from tables import filled

MOVIE = Calibration.regular((10, 5, 5), frame_interval_min=2.0)


def kills():
    return filled(
        KILLS,
        {
            "target_track_id": [1, 2, 3],
            "death_time_min": [5.0, 3.0, 17.0],
            "background_probability": [0.5, 0.0, np.nan],
        },
    )


def test_the_timeline_counts_deaths_and_credits():
    table = killing_charts.cumulative_kills(kills(), MOVIE).set_index("time_min")
    assert table.loc[[2, 4, 6, 18], "deaths"].tolist() == [0, 1, 2, 3]
    assert table.loc[[2, 4, 6, 18], "credited"].tolist() == [0, 1, 1.5, 1.5]


def test_kills_per_effector_are_counted_in_whole_kills():
    killers = filled(
        KILLERS,
        {
            "effector_track_id": [1, 2, 3, 4],
            "kills_hazard": [1.9, 0.4, 0.6, np.nan],
            "kills_nearest": [2.0, 0.0, 0.0, 1.0],
        },
    )
    table = killing_charts.kill_counts(killers)
    assert table["hazard"].tolist() == [2, 1, 1]
    assert table["nearest"].tolist() == [2, 1, 1]
    assert table["kills"].tolist() == [0, 1, 2]


def test_replicate_means_are_those_of_all_their_cells():
    table = pd.DataFrame(
        {
            "group": ["a", "a", "b"],
            "replicate": ["m1", "m1", "m2"],
            "straightness": [0.2, 0.4, 0.9],
        }
    )
    means = superplots.replicate_means(table, {"straightness": ""})
    assert means["straightness"].tolist() == pytest.approx([0.3, 0.9])
    assert means["n_cells"].tolist() == [2, 1]


def test_a_superplot_says_how_many_replicates_and_cells():
    table = pd.DataFrame(
        {"group": "a", "replicate": ["m1", "m2", "m3"] * 4, "speed": np.arange(12.0)}
    )
    drawn = superplots.superplot(table, {"speed": "speed"}, "cells")
    (tick,) = drawn.axes[0].get_xticklabels()
    assert tick.get_text() == "a\n3 repl., 12 cells"
    means = [line for line in drawn.axes[0].lines if line.get_markersize() > 8]
    heights = {float(line.get_ydata()[0]) for line in means}
    assert {4.5, 5.5, 6.5} <= heights


def test_speed_by_state_has_a_row_per_effector():
    table = filled(
        CONTACT_MOTION,
        {
            "target": "cancer",
            "effector_track_id": [1, 1, 2],
            "state": ["during", "free", "free"],
            "mean_speed_um_per_min": [0.5, 3.0, 4.0],
        },
    )
    wide = motion_charts.by_state(table)
    assert list(wide.columns) == ["free", "before", "during", "after"]
    assert wide["free"].tolist() == [3, 4] and wide["during"].notna().sum() == 1


def test_the_hit_model_is_told_in_words():
    table = pd.DataFrame(
        [
            {
                "effector": "tcell",
                "expected_kills": 12.6,
                "n_deaths": 13,
                "hits_per_contact_hour": 1.36,
                "hits_low": 0.79,
                "hits_high": 2.36,
                "delay_mean_min": 23.5,
                "delay_low_min": 17.2,
                "delay_high_min": 34.7,
                "background_per_hour": 0.0189,
            }
        ]
    )
    (words,) = hit_words(table)
    assert "tcell 12.6 of 13 deaths: 1.4 lethal hits per contact hour" in words
    assert "24 min from contact to death (17 to 35)" in words
    assert hit_words(table.assign(hits_per_contact_hour=np.nan)) == []


@pytest.mark.parametrize(
    "draw",
    [
        lambda: killing_charts.timeline(KILLS.empty(), MOVIE),
        lambda: killing_charts.serial_killers(KILLERS.empty()),
        lambda: killing_charts.chance(ATTRIBUTION_CHANCE.empty()),
        lambda: killing_charts.sensitivity(SENSITIVITY.empty()),
        lambda: killing_charts.density(ATTRIBUTION_DENSITY.empty()),
        lambda: motion_charts.around_contacts({"a_b": CONTACT_MOTION.empty()}),
        lambda: motion_charts.mixing(NETWORK_MIXING.empty()),
        lambda: motion_charts.density_maps({"a": DENSITY.empty()}),
        lambda: superplots.superplot(pd.DataFrame(), {"x": "x"}, "none"),
    ],
)
def test_nothing_is_said_to_be_nothing(draw):
    (axes,) = draw().axes
    assert len(axes.texts) == 1 and axes.texts[0].get_text()


def test_contrast_ignores_what_lies_outside_the_image():
    plane = np.random.default_rng(0).normal(100, 1, (1, 40, 40))
    blank = plane.copy()
    blank[:, :15] = 0
    inside = blank > 0
    assert contrast(blank, inside) == pytest.approx(contrast(plane), rel=0.02)
    assert contrast(blank, np.zeros_like(inside)) == (0, 1)


def groups_table(spec, **columns):
    base = {"group": ["killing", "control"], "level": "condition"}
    return filled(spec, base | columns)


def test_roles_are_drawn_apart():
    table = filled(
        SUPERPLOT,
        {
            "role": ["cancer", "cancer", "stroma"],
            "effector": [None, "tcell", None],
            "level": "well",
            "value": [1.0, 2.0, 3.0],
        },
    )
    parts = population_charts.split(table)
    assert sorted(parts) == ["cancer", "stroma", "tcell_cancer"]
    assert parts["tcell_cancer"]["value"].tolist() == [2.0]
    assert population_charts.split(SUPERPLOT.empty()) == {}


def test_conditions_are_shown_and_movies_only_without_any():
    table = filled(LYSIS, {"group": ["m1", "a"], "level": ["movie", "condition"]})
    assert population_charts.of_conditions(table)["group"].tolist() == ["a"]
    movies = table.iloc[:1]
    assert population_charts.of_conditions(movies)["group"].tolist() == ["m1"]


def test_incidence_starts_at_nothing_and_ends_at_its_value():
    table = groups_table(
        COMPETING_RISKS,
        outcome="died",
        time_min=[10.0, 20.0],
        n_events=1,
        incidence=[0.25, 0.5],
    )
    first, second = population_charts.fates(table).axes
    assert first.get_title(loc="left") == "killing"
    assert first.lines[0].get_ydata().tolist() == [0, 25]
    assert second.lines[0].get_ydata().tolist() == [0, 50]


def test_a_well_is_a_point_and_its_group_says_how_many():
    table = filled(
        SUPERPLOT,
        {
            "level": "well",
            "group": ["a", "a", "b"],
            "donor": ["D1", "D2", "D1"],
            "outcome": "rmst",
            "unit": "min",
            "value": [90.0, 100.0, 110.0],
        },
    )
    axes = population_charts.wells(table).axes[0]
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert ticks == ["a\nn = 2", "b\nn = 1"]
    assert axes.get_title(loc="left") == "rmst (min)"
    shapes = {line.get_marker() for line in axes.lines if line.get_marker() != "None"}
    assert len(shapes) == 2, "one per donor"


@pytest.mark.parametrize("name", sorted(population_charts.CHARTS))
def test_an_empty_table_of_groups_is_said_to_be_empty(name):
    specs = {
        "competing_risks": COMPETING_RISKS,
        "lysis": LYSIS,
        "rates": RATES,
        "kill_distribution": KILL_DISTRIBUTION,
        "first_kill": FIRST_KILL,
        "superplot": SUPERPLOT,
    }
    drawn = population_charts.CHARTS[name](specs[name].empty())
    assert any(axes.texts for axes in drawn.axes)


def test_effect_sizes_are_listed_with_their_intervals():
    table = filled(
        COMPARISONS,
        {
            "role": "cancer",
            "effector": [None],
            "outcome": "died_in_field",
            "group_a": "killing",
            "group_b": "control",
            "unit": "well",
            "n_wells_a": [4],
            "n_wells_b": [3],
            "difference": [-0.4],
            "difference_low": [-0.5],
            "difference_high": [-0.3],
            "p_value": [0.03],
        },
    )
    (listed,) = comparison_tables(table)
    row = dict(zip(listed.columns, listed.rows[0], strict=True))
    assert row["outcome"] == "died in field" and row["groups"] == "control - killing"
    assert row["n"] == "3 - 4 wells"
    assert row["difference (95 %)"] == "-0.4 (-0.5 to -0.3)"
    assert row["p"] == "0.03" and row["p (Holm)"] == "–"
    assert comparison_tables(COMPARISONS.empty()) == []
