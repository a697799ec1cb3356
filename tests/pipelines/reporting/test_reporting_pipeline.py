"""The reporting pipeline follows the layout; its page says what the run found."""

from __future__ import annotations

import base64
import csv
import io
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
import yaml

from cyto_kedro.core.schemas import KILLS
from cyto_kedro.core.tags import EXPERIMENT
from cyto_kedro.methods.results.quality import none_found
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.reporting import create_pipeline, superplots
from cyto_kedro.pipelines.reporting.experiment_node import draw_experiment
from cyto_kedro.pipelines.reporting.nodes import compose_report
from cyto_kedro.pipelines.reporting.params import ReportingParams
from stand_ins import DEATH, TWO_ROLES, two_roles
from tables import filled

CONF = Path(__file__).parents[3] / "conf" / "base"
KILLING = yaml.safe_load((CONF / "parameters_killing.yml").read_text())["killing"]
KILLING["survival"]["control_column"] = "blank"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><title>x</title></svg>'


def pipeline_of(**changes):
    return create_pipeline(two_roles(**changes))


def test_the_shipped_parameters_are_valid_and_are_the_defaults():
    text = (CONF / "parameters_reporting.yml").read_text()
    assert ReportingParams(**yaml.safe_load(text)["reporting"]) == ReportingParams()


def test_without_a_death_marker_nothing_is_asked_of_killing():
    found = pipeline_of()
    assert {node.name for node in found.nodes} == {
        "reporting.draw_movie",
        "reporting.draw_experiment",
        "reporting.compose_report",
    }
    tables = {name for name in found.inputs() if not name.startswith("params:")}
    assert not [n for n in tables if "death" in n or "kill" in n or "survival" in n]


def test_motion_is_compared_between_conditions_without_a_death_marker():
    speeds = [0.5 + 0.1 * number for number in range(8)]
    cells = pd.DataFrame(
        {"track_id": range(8)} | dict.fromkeys(superplots.MEASURES, speeds)
    )
    texts = {"tracks_tcell": cells.to_csv(index=False)}
    conditions = pd.DataFrame({"movie": ["a", "b"], "condition": ["car", "mock"]})
    figures, tables = draw_experiment(
        conditions,
        KillingParams(),
        {"a": texts, "b": texts},
        targets=("cancer",),
        roles=("tcell", "cancer"),
    )
    assert list(figures) == ["superplot_tracks_tcell"]
    means = pd.read_csv(io.StringIO(tables["superplot_tracks_tcell_replicates"]))
    assert set(means["group"]) == {"car", "mock"}


def test_with_a_death_marker_each_death_gets_its_evidence():
    found = pipeline_of(**DEATH)
    names = {node.short_name: node for node in found.nodes}
    assert EXPERIMENT in names["draw_experiment"].tags
    assert EXPERIMENT not in names["draw_evidence"].tags
    assert "cancer.attribution" in names["draw_evidence"].inputs
    assert "red.image" in names["draw_evidence"].inputs


def test_targets_alone_have_deaths_but_no_killers():
    roles = {"cancer": TWO_ROLES["roles"]["cancer"]}
    found = pipeline_of(roles=roles, **DEATH)
    assert not any("attribution" in name for name in found.inputs())
    assert "kills@movie" in found.outputs() | found.datasets()


def summary(warnings=()):
    return {
        "n_frames": 10,
        "duration_min": 18.0,
        "drift_max_um": None,
        "roles": {"cancer": {"n_tracks": 4}},
        "suspicious": {},
        "deaths": {"cancer": {"n_deaths": 2, "n_at_risk": 4}},
        "contacts": {},
        "warnings": list(warnings),
    }


def kills(n=2):
    tracks = list(range(1, n + 1))
    return filled(
        KILLS,
        {
            "card": [f"cancer_{t:05d}" for t in tracks],
            "target": "cancer",
            "target_track_id": tracks,
            "death_time_min": [5.0 * t for t in tracks],
            "effector_track_id": pd.array([None] * n, "Int64"),
            "words": [f"cancer {t} died" for t in tracks],
        },
    )


def page(movies=("m1",), n_kills=2, **options):
    run = {
        "run_id": "r",
        "dataset": "d",
        "started_at": "now",
        "movies": [{"movie": "m9", "status": "failed", "error": "<no> disk"}],
        "packages": {"cyto-kedro": "0", "kedro": "1"},
        "git_sha": None,
        "git_dirty": False,
        "host": {"name": "h"},
        "parameters": {"segmentation": {"cancer": {"method": {"name": "stardist"}}}},
    }
    table = kills(n_kills)
    cards = {name: SVG.decode() for name in table["card"]}
    return compose_report(
        ReportingParams(**options),
        run,
        pd.DataFrame({"dataset": "d", "movie": list(movies), "condition": "a & b"}),
        {movie: summary(["look <here>"]) for movie in movies},
        {movie: {"counts": {"svg": SVG, "png": b""}} for movie in movies},
        {movie: {"counts": "time_min,µ\n0.0,1\n"} for movie in movies},
        kills=dict.fromkeys(movies, table),
        cards=dict.fromkeys(movies, cards),
    )


def downloads(text):
    """Name and content of each file that the page carries."""
    found = re.findall(r'<a download="([^"]+)" href="([^"]+)"', text)
    assert found
    return {unescape(name): unescape(href) for name, href in found}


def test_the_numbers_behind_a_figure_can_be_saved_from_the_page():
    files = downloads(page())
    head, content = files["m1_counts.csv"].split(",", 1)
    assert head == "data:text/csv;charset=utf-8"
    assert list(csv.reader(io.StringIO(unquote(content)))) == [
        ["time_min", "µ"],
        ["0.0", "1"],
    ]
    assert base64.b64decode(files["m1_counts.svg"].split(",", 1)[1]) == SVG
    rows = unquote(files["m1_kills.csv"].split(",", 1)[1]).splitlines()
    assert len(rows) == 1 + 2


def test_names_and_messages_are_escaped():
    text = page()
    assert "&lt;no&gt; disk" in text and "<no>" not in text
    assert "look &lt;here&gt;" in text and "a &amp; b" in text


def of_a_control(flag, effectors=("tcell",)):
    """The page of a movie in which no T cell was found."""
    run = {
        "run_id": "r", "dataset": "d", "started_at": "now", "movies": [],
        "packages": {}, "git_sha": None, "git_dirty": False, "host": {"name": "h"},
        "parameters": {"killing": KILLING},
    }  # fmt: skip
    return compose_report(
        ReportingParams(),
        run,
        pd.DataFrame({"dataset": "d", "movie": ["m1"], "blank": flag}),
        {"m1": summary([none_found("tcell"), "The stage drifted."])},
        {},
        {},
        effectors=effectors,
    )


def test_a_control_without_effectors_is_no_warning():
    assert none_found("tcell") not in of_a_control([True])
    assert "The stage drifted." in of_a_control([True])


@pytest.mark.parametrize(
    "seen", [{"flag": [False]}, {"flag": [True], "effectors": ("nk",)}]
)
def test_missing_cells_are_a_warning_elsewhere(seen):
    assert none_found("tcell") in of_a_control(**seen)


def test_every_picture_has_its_own_words():
    alts = re.findall(r'<img [^>]*alt="([^"]+)"', page())
    assert len(alts) == 3 and len(set(alts)) == 3


def test_many_movies_are_listed_but_not_all_drawn():
    text = page(movies=("m1", "m2", "m3"), most_movies=1)
    assert "The first 1 of 3 movies are shown in full" in text
    assert 'id="movie-m1"' in text and 'id="movie-m2"' not in text
    assert "<td>m3</td>" in text, "a row of the table, with its warning"
    assert text.count("look &lt;here&gt;") == 3


def test_the_third_movie_opens_on_a_click_and_costs_nothing_before():
    before, third = page(movies=("m1", "m2", "m3")).split('id="movie-m3"')
    assert "<details" not in before and 'loading="lazy"' not in before
    assert third.count("<img ") == third.count('loading="lazy"') == 3
    assert "open on a click" in before and "open on a click" not in page()


def test_many_deaths_are_listed_but_not_all_drawn():
    text = page(n_kills=5, cards={"in_report": 2})
    assert "2 of 5 deaths are shown; 5 cards lie in m1/evidence/" in text
    assert len(re.findall(r'alt="m1: cancer \d died', text)) == 2
    assert len(re.findall(r"<figcaption>cancer \d died", text)) == 2


def test_the_method_that_was_used_is_cited():
    assert "10.1007/978-3-030-00934-2_30" in page()


@pytest.mark.parametrize("word", ["http://", "<script"])
def test_the_page_asks_for_nothing(word):
    text = page()
    assert word not in text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r'src="http', text)
