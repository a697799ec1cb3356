"""Notebooks as pages of the site: executed once, kept, turned into Markdown.

`python tools/notebook_pages.py` executes all, in order, in a scratch copy of the
project, and keeps the executed copies in `build/notebooks`, or in the folder that the
environment variable CYTO_KEDRO_NOTEBOOKS names. A copy is fresh as long as neither the
notebooks nor code and configuration have changed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = REPOSITORY / "notebooks"
FOLDER = "CYTO_KEDRO_NOTEBOOKS"
_STAMP = "cyto_kedro_state"
_HERE = "/home/you/cyto_kedro"  # instead of the scratch copy's folder
_ANSI = re.compile(
    r"\x1b(?:\[[0-9;?]*[A-Za-z]|\]8;.*?(?:\x1b\\|\x07))"
)  # colour, links
_PICTURES = {"image/png": "png", "image/svg+xml": "svg", "image/jpeg": "jpg"}

Notebook = dict[str, Any]


def notebooks() -> list[Path]:
    """The notebooks of the repository, in order."""
    return sorted(SOURCES.glob("*.ipynb"))


def kept_in() -> Path:
    """Where executed copies lie."""
    return Path(os.environ.get(FOLDER) or REPOSITORY / "build" / "notebooks")


@cache
def state() -> str:
    """Hash of all that decides what the notebooks show."""
    found = hashlib.sha256()
    code = (REPOSITORY / "src").rglob("*.py")
    for path in sorted([*code, *(REPOSITORY / "conf").rglob("*.yml"), *notebooks()]):
        if "local" not in path.parts:
            found.update(path.relative_to(REPOSITORY).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def executed_copy(path: Path) -> Notebook | None:
    """The executed copy of a notebook; None if there is no fresh one."""
    copy = kept_in() / path.name
    if not copy.is_file():
        return None
    notebook = read(copy)
    return notebook if notebook["metadata"].get(_STAMP) == state() else None


def read(path: Path) -> Notebook:
    """A notebook's content."""
    notebook: Notebook = json.loads(path.read_text("utf-8"))
    return notebook


# -- executing ------------------------------------------------------------------------


def execute(path: Path, project: Path, timeout_s: int = 900) -> Notebook:
    """Run a notebook from top to bottom in the folder ``notebooks`` of a project.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell fails.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    folder = project / "notebooks"
    folder.mkdir(exist_ok=True)
    client = nbclient.NotebookClient(
        notebook,
        timeout=timeout_s,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as exc:
        # Kedro shows tracebacks in colour, as an output: nbclient's own is empty then.
        cells = [c for c in notebook.cells if c.get("execution_count")]
        outputs = cells[-1].outputs if cells else []
        exc.add_note("\n".join(_text_of(output) or "" for output in outputs))
        raise
    return notebook


def keep(path: Path, notebook: Notebook, project: Path) -> None:
    """Put an executed notebook where the site finds it."""
    kept_in().mkdir(parents=True, exist_ok=True)
    notebook["metadata"][_STAMP] = state()
    text = json.dumps(notebook, indent=1).replace(str(project), _HERE)
    stage = kept_in() / f"{path.name}.{os.getpid()}"
    stage.write_text(text, "utf-8")
    stage.replace(kept_in() / path.name)


def execute_all() -> None:
    """Execute all notebooks on the bundled example, and keep the copies."""
    with tempfile.TemporaryDirectory(prefix="cyto_kedro_notebooks_") as folder:
        project = Path(folder) / "cyto_kedro"
        _copy_project(project)
        for path in notebooks():
            keep(path, execute(path, project), project)


def _copy_project(project: Path) -> None:
    """The project as it is here, under its commit, without data and local settings."""
    if (REPOSITORY / ".git").exists():
        clone = ["git", "clone", "--quiet", "--shared", str(REPOSITORY), str(project)]
        subprocess.run(clone, check=True)
    project.mkdir(exist_ok=True)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(REPOSITORY / name, project)
    for name in ("src", "conf"):
        shutil.rmtree(project / name, ignore_errors=True)
        unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(REPOSITORY / name, project / name, ignore=unwanted)
    for path in (project / "conf" / "local").iterdir():
        if path.name != ".gitkeep":
            path.unlink()


# -- as pages -------------------------------------------------------------------------


def page_of(notebook: Notebook, name: str) -> tuple[str, dict[str, bytes]]:
    """Markdown of a notebook, and the pictures that it shows.

    Args:
        notebook: Executed, or as it lies in the repository.
        name: Of the page, without ending; pictures are called after it.

    Returns:
        The page, and content by file name.
    """
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for number, cell in enumerate(notebook["cells"]):
        source = _text(cell["source"]).strip()
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(_fenced(source, "python"))
            for n, output in enumerate(_joined(cell["outputs"])):
                parts.append(_output(output, f"{name}_{number}_{n}", pictures))
        if number == 0:
            parts.append(_origin(notebook, name))
    return "\n\n".join(part for part in parts if part) + "\n", pictures


def _origin(notebook: Notebook, name: str) -> str:
    ran = any(cell.get("outputs") for cell in notebook["cells"])
    how = "executed when this site was built" if ran else "not executed"
    return f"*`notebooks/{name}.ipynb`, {how}.*"


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Text that follows text is one output."""
    found: list[dict[str, Any]] = []
    for output in outputs:
        if (text := _text_of(output)) is None:
            found.append(output)
        elif found and found[-1]["output_type"] == "stream":
            found[-1]["text"] = f"{found[-1]['text'].rstrip()}\n{text}".lstrip("\n")
        else:
            found.append({"output_type": "stream", "text": text})
    return found


def _text_of(output: dict[str, Any]) -> str | None:
    """What an output says, if it is nothing but text."""
    if output["output_type"] == "stream":
        return _plain(output["text"])
    if output["output_type"] == "error":
        return _plain("\n".join(output["traceback"]))
    data = output["data"]
    # rich gives its text in colour, too.
    other = set(data) - {"text/plain"}
    if other == {"text/html"} and _text(data["text/html"]).startswith("<pre"):
        other = set()
    return None if other else _plain(data.get("text/plain", ""))


def _output(output: dict[str, Any], name: str, pictures: dict[str, bytes]) -> str:
    if output["output_type"] == "stream":
        return _fenced(output["text"], ".text .output")
    data = output["data"]
    for kind, ending in _PICTURES.items():
        if kind in data:
            text = _text(data[kind])
            plain = kind == "image/svg+xml"
            content = text.encode() if plain else base64.b64decode(text)
            pictures[f"{name}.{ending}"] = content
            return f"![What the cell above draws]({name}.{ending})"
    return _html(_text(data["text/html"]))


def _html(text: str) -> str:
    """A table in a box that scrolls; pandas' own style gives way to the site's."""
    bare = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    bare = re.sub(r"\n\s*\n", "\n", bare).strip()
    return f'<div class="output">\n{bare}\n</div>'


def _fenced(text: str, language: str) -> str:
    if not text.strip():
        return ""
    marks = "`" * max(3, *(len(m) + 1 for m in re.findall("`{3,}", text)), 3)
    head = f"{{ {language} }}" if language.startswith(".") else language
    return f"{marks} {head}\n{text.rstrip()}\n{marks}"


def _plain(text: str | list[str]) -> str:
    return _ANSI.sub("", _text(text))


def _text(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def main(arguments: list[str]) -> int:
    """Execute the notebooks whose copies are not fresh."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force", action="store_true", help="also the fresh ones")
    options = parser.parse_args(arguments)
    if options.force or not all(executed_copy(path) for path in notebooks()):
        execute_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
