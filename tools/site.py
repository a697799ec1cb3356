"""Hooks of mkdocs: pages from elsewhere in the repository join the site."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import notebook_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[1]
ROOT_PAGES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
_logger = logging.getLogger("mkdocs.plugins.cyto_kedro")
_serving = False


def on_startup(command: str, **_: object) -> None:
    """`mkdocs serve` shows notebooks as they are: who writes does not want to wait."""
    global _serving
    _serving = command == "serve"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them, with links as seen from ``docs``."""
    for page, source in ROOT_PAGES.items():
        text = (REPOSITORY / source).read_text("utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    for name, content in _notebooks().items():
        files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def _notebooks() -> dict[str, str | bytes]:
    """Pages and pictures of the notebooks, by file name."""
    sources = notebook_pages.notebooks()
    copies = {path: notebook_pages.executed_copy(path) for path in sources}
    if not _serving and not all(copies.values()):
        _logger.info("Executing the notebooks: some minutes, once")
        notebook_pages.execute_all()
        copies = {path: notebook_pages.executed_copy(path) for path in sources}
    found: dict[str, str | bytes] = {}
    for path, copy in copies.items():
        shown = copy or notebook_pages.read(path)
        text, pictures = notebook_pages.page_of(shown, path.stem)
        found |= {f"{path.stem}.md": text, **pictures}
    return found


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links to what lies outside ``docs`` lead to the site's copy."""
    up = "../" * page.file.src_uri.count("/")
    for name, source in ROOT_PAGES.items():
        markdown = markdown.replace(f"]({up}../{source})", f"]({up}{name})")
    here = re.escape(f"]({up}../notebooks/")
    return re.sub(here + r"(\w+)\.ipynb\)", rf"]({up}notebooks/\1.md)", markdown)
