"""The self-contained HTML page: figures embedded, opens offline, prints well."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Picture:
    """One embedded figure with the text that a screen reader says."""

    name: str
    alt: str
    data: bytes
    kind: str
    wide: bool = False

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        mime = {"png": "image/png", "svg": "image/svg+xml"}[self.kind]
        return f"data:{mime};base64,{base64.b64encode(self.data).decode('ascii')}"


@dataclass(frozen=True)
class MovieSection:
    """What the page says of one movie."""

    movie: str
    conditions: dict[str, Any]
    facts: list[tuple[str, str]]
    warnings: list[str]
    pictures: list[Picture]


@dataclass(frozen=True)
class Page:
    """Everything that the page shows."""

    title: str
    run: dict[str, Any]
    headline: list[str]
    failures: list[tuple[str, str]]
    overview_columns: list[str]
    overview_rows: list[list[str]]
    pictures: list[Picture]
    comparison: list[tuple[str, str]]
    statements: list[str]
    movies: list[MovieSection]
    methods: list[str]
    parameters: str
    files: list[tuple[str, str]] = field(default_factory=list)

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """(movie, warning) of all movies."""
        return [(m.movie, text) for m in self.movies for text in m.warnings]


def render(page: Page) -> str:
    """The page as one HTML document without outside references."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((_HERE / "page.css").read_text(encoding="utf-8"))
    return environment.get_template("page.html").render(page=page, style=style)
