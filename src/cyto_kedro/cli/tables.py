"""Tables of the housekeeping commands for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from cyto_kedro.lifecycle.candidates import Candidate, total
from cyto_kedro.lifecycle.usage import Usage

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size_text(size: float) -> str:
    """Bytes with a unit that leaves few digits."""
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def purge_plan(plan: Sequence[Candidate]) -> str:
    """What would go, what stays and why, and how much that is."""
    if not plan:
        return "Nothing in scratch matches."
    lines = []
    for candidate in plan:
        size = size_text(candidate.size_bytes)
        verdict = f"stays: {candidate.refused}" if candidate.refused else "goes"
        lines.append(f"{size:>11}  {candidate.name}  {verdict}")
    files, size_bytes = total(plan)
    lines.append(f"{size_text(size_bytes):>11}  in {files} files would be deleted")
    return "\n".join(lines)


def usage_table(found: Iterable[Usage]) -> str:
    """Totals of each storage class, then its folders."""
    lines = []
    for storage, group in groupby(found, key=lambda entry: entry.storage):
        entries = list(group)
        size = sum(entry.size_bytes for entry in entries)
        lines.append(f"{size_text(size):>11}  {storage}")
        lines += [f"{size_text(e.size_bytes):>11}    {_name(e)}" for e in entries]
    return "\n".join(lines) or "Nothing is there yet."


def _name(entry: Usage) -> str:
    run = f"run {entry.run}" if entry.run else None
    parts = (entry.dataset, entry.movie, entry.workflow, run)
    text = " / ".join(part for part in parts if part) or entry.path
    if entry.why:
        text += f": cannot be read: {entry.why}"
    if entry.linked_bytes:
        text += f", and {size_text(entry.linked_bytes)} by links"
    return text + (", sealed" if entry.sealed else "")
