"""The page of all error messages for tools/reference.py, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from cyto_kedro.core import errors

SOURCE = Path(__file__).resolve().parents[1] / "src" / "cyto_kedro"
VARIES = "…"
ERRORS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.CytoError)
} | {"StatusUnavailable"}
TITLES = {
    "hooks": "Before the first node",
    "core": "Configuration and sheet",
    "datasets": "Files",
    "methods": "Methods",
    "pipelines": "Pipelines",
    "runners": "Runners, SLURM, containers",
    "provenance": "Runs and their records",
    "lifecycle": "Storage",
    "cli": "Commands",
    "legacy": "pyCyto's files",
}


def messages_page() -> str:
    """Every message by room, with what to do."""
    text = [
        "# Error messages\n",
        f"All that the project raises on purpose; {VARIES} stands for a name, a number "
        "or a path. Each message also says where. The common ones are explained in "
        "[Troubleshooting](../troubleshooting.md).\n",
    ]
    found: dict[str, dict[str, str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0]
        rows = found.setdefault(room if room in TITLES else "core", {})
        for what, fix in _messages(ast.parse(path.read_text("utf-8"))):
            rows[what] = rows.get(what) or fix
    for room, title in TITLES.items():
        if rows := found.get(room):
            text += [f"## {title}\n", "| message | what to do |", "|---|---|"]
            text += [
                f"| {_cell(what)} | {_cell(rows[what])} |" for what in sorted(rows)
            ]
            text.append("")
    return "\n".join(text)


#: Functions that say what there is.
SAID_BY = {"choose": f"did you mean '{VARIES}'? there are: {VARIES}"}


def _messages(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """First line and advice of each error that is made with a literal message."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if getattr(node.func, "id", "") not in ERRORS:
            continue
        what = _literal(node.args[0]).partition("\n")[0].rstrip(" :")
        # A message of nothing but variables tells no reader anything.
        if len(what.replace(VARIES, "").strip(" :,'.()")) < 4:
            continue
        advice = [word.value for word in node.keywords if word.arg == "fix"]
        yield what, _literal(advice[0]) if advice else ""


def _literal(node: ast.expr) -> str:
    """Text of a string, with what varies left open."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _literal(node.left) + _literal(node.right)
    if isinstance(node, ast.IfExp):
        one, other = _literal(node.body), _literal(node.orelse)
        return VARIES if VARIES in (one, other) else f"{one} / {other}"
    if isinstance(node, ast.Call):
        return SAID_BY.get(getattr(node.func, "id", ""), VARIES)
    return VARIES


def _cell(text: str) -> str:
    """Text as it is, in a cell of a table."""
    text = " ".join(text.split())
    if text == VARIES:
        return ""
    for sign in ("\\", "*", "_", "`", "[", "]"):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|")
