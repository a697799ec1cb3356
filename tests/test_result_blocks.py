"""Result tables reach the block that is theirs, and nothing else on the page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import _blocks  # noqa: E402

ROWS = [{"data": "nuclei", "F1": ".954"}, {"data": "control", "F1": "–"}]
TABLE = _blocks.Table("page", "first", "By a command:\n", ROWS)
PAGE = """Before
<!-- results:first:begin -->
old
<!-- results:first:end -->
between
<!-- results:second:begin -->
kept
<!-- results:second:end -->
after
"""


def test_only_the_lines_between_the_markers_are_replaced(tmp_path):
    (tmp_path / "page.md").write_text(PAGE)
    made = _blocks.write(TABLE, tmp_path).read_text()
    table = "| data | F1 |\n| --- | ---: |\n| nuclei | .954 |\n| control | – |"
    assert made == PAGE.replace("old", f"By a command:\n\n{table}")
    assert _blocks.write(TABLE, tmp_path).read_text() == made


@pytest.mark.parametrize(
    "page",
    [
        "no markers",
        PAGE.replace("<!-- results:first:end -->", ""),
        PAGE + PAGE,
        "<!-- results:first:end -->\n<!-- results:first:begin -->",
    ],
)
def test_a_page_without_its_markers_is_refused(page):
    with pytest.raises(ValueError, match="needs once"):
        _blocks.replaced(page, TABLE)


@pytest.mark.parametrize("rows", [[], [{"a": "1"}, {"b": "2"}]])
def test_a_table_has_rows_with_the_same_headings(rows):
    with pytest.raises(ValueError, match="same headings"):
        _blocks.as_markdown(rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9541, ".954"),
        (1.0, "1"),
        (0.99999, "1.000"),
        (0, ".000"),
        (float("nan"), "–"),
    ],
)
def test_shares_are_never_rounded_to_perfect(value, text):
    assert _blocks.share(value) == text
