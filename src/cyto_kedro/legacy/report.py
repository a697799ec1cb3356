"""What became of every key of a translated file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

Verdict = Literal["mapped", "changed", "ignored", "refused"]


@dataclass(frozen=True)
class Row:
    """One key: where it went and why."""

    key: str
    verdict: Verdict
    ours: str = ""
    note: str = ""


@dataclass
class Report:
    """The rows in the order of translation."""

    rows: list[Row] = field(default_factory=list)

    def add(self, key: str, verdict: Verdict, ours: str = "", note: str = "") -> None:
        """Note a key once; what it changed to takes the place of a plain mapping."""
        row = Row(key, verdict, ours, note)
        for number, old in enumerate(self.rows):
            if (old.key, old.ours, old.verdict) == (key, ours, "mapped"):
                self.rows[number] = row
                return
        if row not in self.rows:
            self.rows.append(row)

    def of(self, verdict: Verdict) -> list[Row]:
        """Rows of one verdict."""
        return [row for row in self.rows if row.verdict == verdict]

    def table(self) -> pd.DataFrame:
        """Columns key, verdict, ours, note."""
        columns = ["key", "verdict", "ours", "note"]
        rows = [(row.key, row.verdict, row.ours, row.note) for row in self.rows]
        return pd.DataFrame(rows, columns=columns)

    def markdown(self, title: str) -> str:
        """The table as Markdown, part by part of the file, after a line of counts."""
        kinds: tuple[Verdict, ...] = ("mapped", "changed", "ignored", "refused")
        counts = ", ".join(f"{len(self.of(kind))} {kind}" for kind in kinds)
        lines = [f"# {title}", "", counts + ".", ""]
        lines += ["| key | verdict | here | note |", "|---|---|---|---|"]
        lines += [
            f"| {_code(row.key)} | {row.verdict} | {_code(row.ours)} | "
            f"{row.note.replace('|', '/')} |"
            for row in self._by_part()
        ]
        return "\n".join(lines) + "\n"

    def _by_part(self) -> list[Row]:
        """The rows of each item, task or profile's task together."""
        first: dict[str, int] = {}
        for number, row in enumerate(self.rows):
            first.setdefault(_part(row.key), number)
        return sorted(self.rows, key=lambda row: first[_part(row.key)])


def _part(key: str) -> str:
    """``tasks.a`` of ``tasks.a CellPose params.gpu``."""
    head = key.split(" ")[0]
    inner = head.startswith("execution_configs.")
    return ".".join(head.split(".")[:3]) if inner else head


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
