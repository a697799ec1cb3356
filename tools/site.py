"""Hooks of mkdocs: pages from the root of the repository join the site."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).resolve().parents[1]
ROOT_PAGES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them, with links as seen from ``docs``."""
    for page, source in ROOT_PAGES.items():
        text = (REPOSITORY / source).read_text("utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Links to those pages lead to the site's copy."""
    for page, source in ROOT_PAGES.items():
        markdown = markdown.replace(f"](../{source})", f"]({page})")
    return markdown
