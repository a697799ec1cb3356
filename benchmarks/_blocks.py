"""Tables that benchmarks write into the docs, between two markers each.

A script that owns tables offers ``tables(data: Path | None) -> Iterator[Table]``;
``methods_table.py`` calls it and replaces, in ``docs/methods/<page>.md``, the lines
between ``<!-- results:NAME:begin -->`` and ``<!-- results:NAME:end -->``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGES = Path(__file__).resolve().parents[1] / "docs" / "methods"
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Table:
    """One table of one page.

    Attributes:
        page: File name below ``docs/methods`` without ``.md``.
        name: Name in the markers.
        about: Markdown above the table: the command, the data, what was chosen on what.
        rows: One mapping from heading to text per line, all with the same headings.
    """

    page: str
    name: str
    about: str
    rows: Rows

    @property
    def markers(self) -> tuple[str, str]:
        """The lines before and after the block."""
        begin, end = (f"<!-- results:{self.name}:{side} -->" for side in _SIDES)
        return begin, end

    @property
    def markdown(self) -> str:
        """The text and the table."""
        return f"{self.about.strip()}\n\n{as_markdown(self.rows)}"


_SIDES = ("begin", "end")


def as_markdown(rows: Rows) -> str:
    """A Markdown table; numbers and dashes are aligned to the right.

    Raises:
        ValueError: There is no row, or the rows have different headings.
    """
    if not rows or any(list(row) != list(rows[0]) for row in rows):
        raise ValueError("a table needs rows, all with the same headings")
    heads = list(rows[0])
    lines = [heads, ["---:" if _numeric(rows, head) else "---" for head in heads]]
    lines += [list(row.values()) for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def share(value: float, digits: int = 3) -> str:
    """A share as the docs print it: ``.954``, ``1``, or a dash where undefined."""
    if value != value:
        return "–"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else "1" if value == 1 else text


def replaced(text: str, table: Table) -> str:
    """A page with the block of a table replaced, all else untouched.

    Raises:
        ValueError: The page lacks a marker, or they are out of order or doubled.
    """
    begin, end = table.markers
    head, begun, rest = text.partition(begin)
    _, ended, tail = rest.partition(end)
    if not (begun and ended) or begin in rest or end in tail:
        raise ValueError(f"docs/methods/{table.page}.md needs once {begin} … {end}")
    return f"{head}{begin}\n{table.markdown}\n{end}{tail}"


def write(table: Table, pages: Path = PAGES) -> Path:
    """Replace the block in the table's page and return the page."""
    page = pages / f"{table.page}.md"
    page.write_text(replaced(page.read_text("utf-8"), table), "utf-8")
    return page


def _numeric(rows: Rows, head: str) -> bool:
    return all(row[head].strip("–")[:1] in "+-.0123456789" for row in rows)
