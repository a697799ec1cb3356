"""The self-contained HTML page: figures embedded, opens offline, prints well."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_HERE = Path(__file__).parent
_MIME = {"png": "image/png", "svg": "image/svg+xml", "jpeg": "image/jpeg"}
# Larger bitmaps are embedded as JPEG; the PNG stays in the run's folder.
_LARGE_BYTES = 250_000


@dataclass(frozen=True)
class Download:
    """A file that the page carries with it."""

    label: str
    name: str
    source: str

    @classmethod
    def csv(cls, name: str, text: str, label: str = "CSV") -> Download:
        """A table."""
        content = quote(text, safe=",")
        return cls(label, f"{name}.csv", f"data:text/csv;charset=utf-8,{content}")


@dataclass(frozen=True)
class Picture:
    """One embedded figure with the text that a screen reader says.

    Attributes:
        alt: Names also the movie, unlike the caption: read aloud, it stands alone.
        caption: What is written below; ``alt`` if empty.
    """

    name: str
    alt: str
    data: bytes
    kind: str
    wide: bool = False
    tables: tuple[Download, ...] = ()
    can_save: bool = True
    tall: bool = False
    caption: str = ""

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        kind, data = self.kind, self.data
        if kind == "png" and len(data) > _LARGE_BYTES:
            kind, data = "jpeg", _jpeg(data)
        return f"data:{_MIME[kind]};base64,{base64.b64encode(data).decode('ascii')}"

    @property
    def downloads(self) -> list[Download]:
        """The figure's numbers, and the figure where it is vector graphics."""
        files = list(self.tables)
        if self.kind == "svg" and self.can_save:
            files.append(Download("SVG", f"{self.name}.svg", self.source))
        return files


@dataclass(frozen=True)
class HtmlTable:
    """A table of texts.

    Attributes:
        notes: Written below.
        folded: Opens on a click.
    """

    caption: str
    columns: list[str]
    rows: list[list[str]]
    downloads: tuple[Download, ...] = ()
    numbers: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Block:
    """Part of a section: what is said, shown and listed under one heading."""

    title: str
    texts: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[HtmlTable] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.texts or self.facts or self.pictures or self.tables)


@dataclass(frozen=True)
class MovieSection:
    """What the page says of one movie."""

    movie: str
    conditions: dict[str, Any]
    facts: list[tuple[str, str]]
    blocks: list[Block]


@dataclass(frozen=True)
class Page:
    """Everything that the page shows."""

    title: str
    run: dict[str, Any]
    headline: list[tuple[str, str]]
    failures: list[tuple[str, str]]
    warnings: list[tuple[str, str]]
    overview: HtmlTable
    blocks: list[Block]
    movies: list[MovieSection]
    methods: list[str]
    references: list[tuple[str, str]]
    parameters: str
    left_out: str = ""
    open_movies: int = 2
    files: list[tuple[str, str]] = field(default_factory=list)


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


def _jpeg(png: bytes) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.save(stream, "JPEG", quality=86, subsampling=0, optimize=True)
    return stream.getvalue()
