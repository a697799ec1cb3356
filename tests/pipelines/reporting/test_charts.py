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
    ET_DEPENDENCE,
    ET_RATIO,
    FIRST_KILL,
    KILL_DISTRIBUTION,
    KILLERS,
    KILLING_CAPACITY,
    KILLS,
    LYSIS,
    NETWORK_MIXING,
    RATES,
    SENSITIVITY,
    SUPERPLOT,
    SURVIVAL,
)
from cyto_kedro.methods.reporting.kills import hit_words
from cyto_kedro.pipelines.reporting import (
    killing_charts,
    motion_charts,
    population_charts,
    superplots,
    well_charts,
)
from cyto_kedro.pipelines.reporting.comparison import survival_bands, survival_curves
from cyto_kedro.pipelines.reporting.comparison_table import comparison_tables
from cyto_kedro.pipelines.reporting.style import (
    contrast,
    group_looks,
    only_filled,
    why_empty,
)
from cyto_kedro.pipelines.reporting.survival_table import (
    p_values_in_words,
    survival_tables,
)
from cyto_kedro.pipelines.reporting.wording import left_out
from tables import filled

LOOKS = group_looks(["killing", "control"])
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
    drawn = superplots.superplot(table, {"speed": "speed"}, "cells", group_looks(["a"]))
    (tick,) = drawn.axes[0].get_xticklabels()
    assert tick.get_text() == "a\n3 movies, 12 cells"
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
        lambda: killing_charts.capacity(KILLING_CAPACITY.empty()),
        lambda: killing_charts.density(ATTRIBUTION_DENSITY.empty()),
        lambda: motion_charts.around_contacts({"a_b": CONTACT_MOTION.empty()}),
        lambda: motion_charts.mixing(NETWORK_MIXING.empty()),
        lambda: motion_charts.density_maps({"a": DENSITY.empty()}),
        lambda: superplots.superplot(pd.DataFrame(), {"x": "x"}, "none", {}),
    ],
)
def test_nothing_is_said_to_be_nothing(draw):
    drawn = draw()
    (axes,) = drawn.axes
    assert len(axes.texts) == 1 and axes.texts[0].get_text()
    assert only_filled({"it": drawn}) == ({}, {"it": axes.texts[0].get_text()})


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
    first, second = population_charts.fates(table, LOOKS).axes
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
    axes = well_charts.wells(table, group_looks("ab")).axes[0]
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert ticks == ["a\nn = 2", "b\nn = 1"]
    assert axes.get_title(loc="left") == "mean survival time (min)"
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
    drawn = population_charts.CHARTS[name](specs[name].empty(), {})
    assert why_empty(drawn)


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
    assert row["outcome"] == "died in view" and row["groups"] == "control vs killing"
    assert row["n"] == "3 vs 4 wells"
    assert row["difference (95 %)"] == "-0.4 (-0.5 to -0.3)"
    assert row["p"] == "0.03" and row["p (Holm)"] == "–"
    assert comparison_tables(COMPARISONS.empty()) == []


def survival(**columns):
    """Two steps of one group: at 10 and 20 min."""
    base = {
        "group": "killing",
        "level": "condition",
        "role": "cancer",
        "time_min": [10.0, 20.0],
        "n_at_risk": [4, 3],
        "n_deaths": 1,
        "survival": [0.75, 0.5],
        "ci_low": [0.4, 0.2],
        "ci_high": [0.9, 0.8],
        "band_low": [0.3, 0.1],
        "band_high": [0.95, 0.9],
    }
    return filled(SURVIVAL, base | columns)


def heights(collection):
    """Lowest and highest value of a filled band."""
    y = collection.get_paths()[0].vertices[:, 1]
    return y.min(), y.max()


def test_survival_shows_curve_band_and_cells_at_risk():
    axes, risk = survival_curves(survival(), LOOKS, "cancer").axes
    assert axes.lines[0].get_ydata().tolist() == [100, 75, 50]
    assert heights(axes.collections[0]) == pytest.approx((20, 90))
    at = {text.get_position()[0]: text.get_text() for text in risk.texts}
    assert at[0.0] == "4" and at[20.0] == "3"
    assert [tick.get_text() for tick in risk.get_yticklabels()] == ["killing"]


def test_the_three_bands_of_survival_are_told_apart():
    table = survival(wells_low=[0.05, 0.02], wells_high=[0.99, 0.97])
    axes = survival_bands(table, LOOKS, "cancer").axes[0]
    pointwise, at_once = axes.collections
    assert heights(pointwise) == pytest.approx((20, 90))
    assert heights(at_once) == pytest.approx((10, 95))
    low, high = (line.get_ydata().tolist() for line in axes.lines[1:])
    assert low == pytest.approx([5, 2]) and high == pytest.approx([99, 97])
    (one,) = survival_bands(survival(), LOOKS, "cancer").axes[0].lines
    assert one.get_ydata().tolist() == [100, 75, 50], "no band over a single well"


def test_a_group_has_one_colour_in_every_figure():
    """Also where other groups are missing, as a control is from kills."""
    looks = group_looks(["control", "killing"])
    colour = looks["killing"].colour
    rows = {"group": ["killing"], "level": "condition"}
    lysis = filled(LYSIS, rows | {"lysis_percent": [4.0], "time_min": [1.0]})
    first = filled(FIRST_KILL, rows | {"killed_fraction": [0.4], "time_min": [1.0]})
    curves = [
        population_charts.lysis(lysis, looks),
        population_charts.first_kill(first, looks),
        survival_curves(survival(), looks, "cancer"),
    ]
    assert [drawn.axes[0].lines[0].get_color() for drawn in curves] == [colour] * 3


def test_more_groups_than_colours_differ_by_dashes():
    looks = group_looks([str(i) for i in range(20)])
    assert len(set(looks.values())) == 20


def test_a_lone_well_stands_above_its_name_and_shares_go_from_0_to_1():
    table = filled(
        SUPERPLOT,
        {"level": "well", "group": ["a"], "outcome": "survival", "value": [0.4]},
    )
    axes = well_charts.wells(table.assign(unit=""), group_looks("a")).axes[0]
    assert axes.lines[0].get_xdata()[0] == 0
    low, high = axes.get_ylim()
    assert low <= 0 and high >= 1


def test_outcomes_are_drawn_against_the_ratio_with_the_slope_that_was_fitted():
    wells = filled(
        SUPERPLOT,
        {
            "level": "well",
            "name": ["w1", "w2", "w3"],
            "group": "a",
            "et_sheet": [1.0, 2.0, 4.0],
            "role": "cancer",
            "effector": [None] * 3,
            "outcome": "survival",
            "value": [0.9, 0.7, 0.5],
        },
    )
    slope = filled(
        ET_DEPENDENCE,
        {
            "role": ["cancer"],
            "effector": [None],
            "outcome": "survival",
            "source": "sheet",
            "slope_per_doubling": [-0.2],
            "p_value": [0.04],
        },
    )
    axes = well_charts.by_ratio(slope, wells, group_looks("a")).axes[0]
    points, line = axes.lines[:3], axes.lines[3]
    assert [float(p.get_xdata()[0]) for p in points] == [1, 2, 4]
    assert line.get_ydata().tolist() == pytest.approx([0.9, 0.5])
    assert "-0.2 per doubling, p = 0.040" in axes.get_title(loc="left")


def test_movies_without_effectors_have_no_ratio_to_draw():
    table = filled(
        ET_RATIO,
        {
            "movie": ["m1", "m2"],
            "n_effectors": [4, 0],
            "time_min": 0.0,
            "et_ratio": [2.0, 0.0],
        },
    )
    group_of = {"m1": "killing", "m2": "control"}
    axes = well_charts.ratios(table, LOOKS, group_of).axes[0]
    (line,) = axes.lines
    assert line.get_ydata().tolist() == [2]
    assert line.get_color() == LOOKS["killing"].colour


def test_capacity_shows_deaths_with_their_interval():
    table = filled(
        KILLING_CAPACITY,
        {
            "start_min": [0.0],
            "end_min": [60.0],
            "deaths_per_effector_hour": [0.5],
            "ci_low": [0.2],
            "ci_high": [0.9],
            "kills_hazard_per_effector_hour": [0.4],
            "kills_shared_per_effector_hour": [0.45],
        },
    )
    axes = killing_charts.capacity(table).axes[0]
    value = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert value["hit model"] == [[30, 0.4]] and value["shared credit"] == [[30, 0.45]]
    (bars,) = axes.containers
    ends = [c.get_segments()[0][:, 1].tolist() for c in bars.lines[2]]
    assert pytest.approx([0.2, 0.9]) in ends


def test_what_is_not_drawn_is_said_once_per_reason():
    text = "figure,reason\ndwell_times,no contact was seen\nother,nobody died\n"
    words = {"dwell": "Short", "dwell_times": "Dwell times (bars: counts)"}
    (said,) = left_out(text, words)
    assert said == "Not drawn, as no contact was seen: dwell times."


def groups_of_two(**test):
    group = {
        "group": "killing",
        "level": "condition",
        "n_donors": 1,
        "n_wells": 2,
        "n_movies": 3,
        "n_at_risk": 40,
        "n_deaths": 10,
        "survival_at_horizon": 0.75,
        "rmst_min": 100.0,
        "rmst_low_min": 90.0,
        "rmst_high_min": 110.0,
    }
    one = {"horizon_min": 118.0, "groups": [group], "test": test or None}
    return {"roles": {"cancer": one}}


def test_survival_by_group_says_n_at_each_level_and_lysis_with_its_bounds():
    lysis = (
        "group,time_min,lysis_percent,lysis_low_percent,lysis_high_percent\n"
        "killing,100.0,42.4,22.0,60.1\nkilling,119.0,99,99,99\n"
    )
    (table,) = survival_tables(groups_of_two(), {"groups_lysis_cancer": lysis})
    assert table.rows == [
        ["killing", "1", "2", "3", "40", "10", "75 %", "100 (90 to 110)",
         "42 % (22 to 60)"],
    ]  # fmt: skip
    (bare,) = survival_tables(groups_of_two(), {})
    assert bare.rows[0][-1] == "–"


def test_so_few_movies_that_no_p_value_can_be_small_are_called_so():
    found = groups_of_two(n_movies=[1, 2], p_cells=0.0001, p_movies=1.0)
    (words,) = p_values_in_words(found)
    assert "p = 1.000, of only 3 ways to deal them out" in words
    assert "p < 0.001" in words
    many = groups_of_two(n_movies=[6, 6], p_cells=0.2, p_movies=0.01)
    assert "ways" not in p_values_in_words(many)[0]
    assert p_values_in_words(groups_of_two()) == []


def test_no_curve_of_a_later_group_is_cut_off():
    """The panels share a scale, which is that of the largest."""
    table = groups_table(
        COMPETING_RISKS,
        outcome="died",
        time_min=20.0,
        n_events=1,
        incidence=[0.05, 0.9],
    )
    for axes in population_charts.fates(table, LOOKS).axes:
        low, high = axes.get_ylim()
        assert low == 0 and high >= 90


def test_controls_are_grey_and_take_no_colour_from_the_others():
    plain, looks = (
        group_looks("ab"),
        group_looks(["no T cells", "a", "b"], {"no T cells"}),
    )
    assert list(looks) == ["no T cells", "a", "b"]
    assert looks["a"] == plain["a"] and looks["b"] == plain["b"]
    assert looks["no T cells"] not in plain.values()


def test_a_remark_on_many_comparisons_is_written_once():
    one = {"outcome": "survival", "unit": "well", "group_a": "a", "effector": None}
    rows = [one | {"group_b": str(i), "note": "too few"} for i in range(30)]
    rows.append(one | {"group_b": "z", "note": "enough"})
    (listed,) = comparison_tables(filled(COMPARISONS, pd.DataFrame(rows)))
    assert listed.notes == ("1: too few", "2: enough")
    assert [row[-1] for row in listed.rows] == ["1"] * 30 + ["2"]
    assert listed.folded


def test_one_ratio_alone_is_said_to_be_one():
    drawn = well_charts.by_ratio(ET_DEPENDENCE.empty(), SUPERPLOT.empty(), LOOKS)
    assert "differ in E:T" in (why_empty(drawn) or "")
