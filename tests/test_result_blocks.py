"""Result tables reach the block that is theirs, and nothing else on the page."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
BENCHMARKS = REPOSITORY / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import _blocks  # noqa: E402
import methods_table  # noqa: E402

ROWS = [{"data": "nuclei", "F1": ".954"}, {"data": "control", "F1": "–"}]
TABLE = _blocks.Block("page.md", "first", "By a command:\n", ROWS)
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


# -- the pages ------------------------------------------------------------------------


def declared() -> dict[str, str]:
    """Names of all blocks and their pages, without importing heavy scripts."""
    found: dict[str, str] = {}
    for script in methods_table.SCRIPTS:
        tree = ast.parse((BENCHMARKS / f"{script}.py").read_text("utf-8"))
        names: dict[str, object] = {}
        for node in tree.body:
            if not isinstance(node, ast.Assign):
                continue
            target = ast.unparse(node.targets[0])
            if target in ("PAGE", "BLOCKS"):
                code = compile(ast.Expression(node.value), script, "eval")
                names[target] = eval(code, names)
        found |= names["BLOCKS"]
    return found


def test_every_block_has_its_place_and_every_place_its_script():
    marked = {
        name: str(page.relative_to(REPOSITORY))
        for page in [REPOSITORY / "README.md", *REPOSITORY.glob("docs/**/*.md")]
        for name in re.findall(r"<!-- results:(\w+):begin -->", page.read_text("utf-8"))
    }
    assert marked == declared()


def test_every_block_is_filled():
    for name, page in declared().items():
        text = (REPOSITORY / page).read_text("utf-8")
        inside = text.partition(f"results:{name}:begin -->")[2].partition("<!--")[0]
        assert inside.count("\n|") >= 3, f"{page} lacks the table {name}"
