"""What `kedro cyto doctor` finds: one line per check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cyto_kedro.core.errors import CytoError

State = Literal["ok", "warning", "error", "not used"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Args:
        check: What was looked at.
        state: ``error``: a run cannot work; ``not used``: nothing here needs it.
        found: What is there.
        fix: What to do about it; empty if nothing.
    """

    check: str
    state: State
    found: str
    fix: str = ""


def checked(check: str, look: Callable[[], str | Finding]) -> Finding:
    """The outcome of a check that raises where something is wrong.

    Any exception is a finding: the checks after it are wanted, too.

    Args:
        check: What is looked at.
        look: Says what is there, or gives the finding itself.
    """
    try:
        found = look()
    except CytoError as exc:
        where = f" ({exc.where})" if exc.where else ""
        return Finding(check, "error", exc.what + where, exc.fix)
    except Exception as exc:
        return Finding(check, "error", f"{type(exc).__name__}: {exc}")
    return found if isinstance(found, Finding) else Finding(check, "ok", found)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether a run would be refused or fail."""
    return any(finding.state == "error" for finding in findings)


def as_text(findings: Iterable[Finding]) -> str:
    """The findings for a terminal, then how many there are of each state."""
    found = list(findings)
    width = max((len(finding.check) for finding in found), default=0)
    lines = []
    for finding in found:
        head = f"{finding.state:<8}  {finding.check:<{width}}  "
        lines += _indented(head, finding.found, " " * len(head))
        if finding.fix:
            mark = " " * len(head) + "-> "
            lines += _indented(mark, finding.fix, " " * len(mark))
    counts = Counter(finding.state for finding in found)
    told = ", ".join(
        f"{counts[state]} {state}"
        for state in ("ok", "warning", "error", "not used")
        if counts[state]
    )
    return "\n".join([*lines, "", told])


def as_dict(findings: Iterable[Finding]) -> dict[str, Any]:
    """The findings for scripts."""
    found = list(findings)
    return {
        "healthy": not has_errors(found),
        "checks": [asdict(finding) for finding in found],
    }


def _indented(head: str, text: str, blank: str) -> list[str]:
    first, *rest = text.splitlines() or [""]
    return [head + first, *(blank + line.strip() for line in rest)]
