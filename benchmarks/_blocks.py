"""Blocks that benchmarks write into the README and the docs, between two markers each.

A script that owns blocks offers ``blocks(data: Path | None) -> Iterator[Block]`` and
names them in ``BLOCKS``; ``methods_table.py`` calls it and replaces the lines between
``<!-- results:NAME:begin -->`` and ``<!-- results:NAME:end -->``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Block:
    """Measured text of one page.

    Attributes:
        page: Path of the page in the repository.
        name: Name in the markers.
        about: Markdown above the table: the command, the data, what was chosen on what.
        rows: One mapping from heading to value per line, all with the same headings.
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
    shown = [{head: _shown(value) for head, value in row.items()} for row in rows]
    heads = list(rows[0])
    lines = [heads, ["---:" if _numeric(shown, head) else "---" for head in heads]]
    lines += [list(row.values()) for row in shown]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def share(value: float, digits: int = 3) -> str:
    """A share as the docs print it: ``.954``, ``1``, or a dash where undefined."""
    if value != value:
        return "–"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else "1" if value == 1 else text


def replaced(text: str, block: Block) -> str:
    """A page with one block replaced, all else untouched.

    Raises:
        ValueError: The page lacks a marker, or they are out of order or doubled.
    """
    begin, end = block.markers
    head, begun, rest = text.partition(begin)
    _, ended, tail = rest.partition(end)
    if not (begun and ended) or begin in rest or end in tail:
        raise ValueError(f"{block.page} needs once {begin} … {end}")
    return f"{head}{begin}\n{block.markdown}\n{end}{tail}"


def write(block: Block, repository: Path = REPOSITORY) -> Path:
    """Replace the block in its page and return the page."""
    page = repository / block.page
    page.write_text(replaced(page.read_text("utf-8"), block), "utf-8")
    return page


def _shown(value: Any) -> str:
    return share(value, 4) if isinstance(value, float) else str(value)


def _numeric(rows: Sequence[Mapping[str, str]], head: str) -> bool:
    return all(row[head].strip("–")[:1] in "+-.0123456789" for row in rows)
