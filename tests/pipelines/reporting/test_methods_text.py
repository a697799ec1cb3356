"""The methods paragraph says what was done with which settings, and cites in order."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import yaml

from cyto_kedro.pipelines.reporting.methods_text import methods_text, references

CONF = Path(__file__).parents[3] / "conf" / "base"


def shipped():
    """A run with the shipped parameters."""
    used = {}
    for name in ("preprocessing", "segmentation", "tracking", "contacts", "killing"):
        text = (CONF / f"parameters_{name}.yml").read_text("utf-8")
        used[name] = yaml.safe_load(text)[name]
    return {"packages": {"cyto-kedro": "1.2.3"}, "parameters": copy.deepcopy(used)}


def test_citations_count_up_from_one_and_each_has_its_source():
    run = shipped()
    numbers = [int(n) for n in re.findall(r"\[(\d+)\]", " ".join(methods_text(run)))]
    firsts = list(dict.fromkeys(numbers))
    assert firsts == list(range(1, len(firsts) + 1))
    assert len(references(run)) == len(firsts) >= 8
    assert "[@" not in " ".join(methods_text(run))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p["contacts"]["rule"].update(contact_distance_um=1.5), "1.5 µm"),
        (lambda p: p["contacts"]["rule"].update(name="overlap"), "share pixels"),
        (lambda p: p["contacts"].update(max_gap_frames=4), "at most 4 frames"),
        (
            lambda p: p["killing"]["death"].update(
                threshold={"name": "given", "value": 350.0}
            ),
            "threshold (given as 350)",
        ),
        (lambda p: p["killing"]["attribution"].update(window_min=90.0), "90 min"),
        (lambda p: p["killing"]["survival"].update(stratify_by="donor"), "by donor"),
        (lambda p: p["killing"]["survival"].update(confidence=0.9), "90% intervals"),
        (
            lambda p: p["killing"]["survival"].update(correct_over="outcome"),
            "outcome by outcome",
        ),
    ],
)
def test_a_setting_that_was_changed_is_told(change, words):
    run = shipped()
    assert words not in " ".join(methods_text(run))
    change(run["parameters"])
    assert words in " ".join(methods_text(run))


def test_what_was_not_used_is_neither_told_nor_cited():
    run = shipped()
    before = references(run)
    used = run["parameters"]
    del used["killing"]
    used["preprocessing"]["registration"]["method"] = {"name": "none"}
    used["segmentation"]["tcell"]["method"] = {"name": "stardist"}
    text = " ".join(methods_text(run))
    assert "Stage drift" not in text and "died" not in text
    assert any("star-convex" in source for source, _ in references(run))
    assert not any("star-convex" in source for source, _ in before)
    assert not any("Kaplan" in source for source, _ in references(run))
