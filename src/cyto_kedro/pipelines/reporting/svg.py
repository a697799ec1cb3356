"""The few SVG elements that evidence cards are made of: small, and fast to write."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from cyto_kedro.pipelines.reporting.style import INK, MUTED

_FONT = "'DejaVu Sans','Segoe UI',Helvetica,Arial,sans-serif"


class Drawing:
    """An SVG document under construction; lengths are CSS pixels.

    Args:
        width: Width of the page.
        title: Said by screen readers.
    """

    def __init__(self, width: float, title: str) -> None:
        self._width, self._title = width, title
        self._parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float = 12,
        colour: str = INK,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """A line of text with its baseline at ``y``."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}" '
            f'text-anchor="{anchor}"{weight}>{escape(words)}</text>'
        )

    def rectangle(
        self, x: float, y: float, width: float, height: float, colour: str,
        opacity: float = 1,
    ) -> None:  # fmt: skip
        """A filled rectangle."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" '
            f'height="{height:.1f}" fill="{colour}" fill-opacity="{opacity:g}"/>'
        )

    def line(
        self,
        points: Iterable[Sequence[float]],
        colour: str = INK,
        width: float = 1,
        dashes: str = "",
        closed: bool = False,
    ) -> None:
        """A line through points (x, y)."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        kind = "polygon" if closed else "polyline"
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<{kind} points="{path}" fill="none" stroke="{colour}" '
            f'stroke-width="{width:g}" stroke-linejoin="round"{dashed}/>'
        )

    def image(
        self, pixels: np.ndarray, x: float, y: float, width: float, height: float
    ) -> None:
        """A YX3 uint8 image stretched to a rectangle."""
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=90, subsampling=0)
        code = base64.b64encode(stream.getvalue()).decode("ascii")
        self._parts.append(
            f'<image x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" preserveAspectRatio="none" '
            f'href="data:image/jpeg;base64,{code}"/>'
        )

    def clipped(self, x: float, y: float, width: float, height: float) -> None:
        """What follows is cut to a rectangle, until :meth:`unclipped`."""
        self._parts.append(
            f'<svg x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" '
            f'viewBox="{x:.2f} {y:.2f} {width:.2f} {height:.2f}">'
        )

    def unclipped(self) -> None:
        """Ends what :meth:`clipped` began."""
        self._parts.append("</svg>")

    def finish(self, height: float) -> str:
        """The document."""
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f"aria-label={quoteattr(self._title)} "
            f'width="{self._width:g}" height="{height:.0f}" '
            f'viewBox="0 0 {self._width:g} {height:.0f}" font-family="{_FONT}">'
            f"<title>{escape(self._title)}</title>"
            f'<rect width="100%" height="100%" fill="#ffffff"/>'
            f"{''.join(self._parts)}</svg>\n"
        )


class Axis:
    """Data to pixels along one direction, with about five round ticks."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._span = low, max(high - low, 1e-12)
        self._start, self._length = start, end - start

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        return self._start + (value - self._low) / self._span * self._length

    def ticks(self) -> list[float]:
        """Round values within the range."""
        raw = self._span / 5
        power = 10.0 ** np.floor(np.log10(raw))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw - 1e-12)
        first = np.ceil(self._low / step - 1e-9)
        last = np.floor((self._low + self._span) / step + 1e-9)
        return [float(step * k) + 0.0 for k in np.arange(first, last + 1)]


def time_axis(drawing: Drawing, axis: Axis, y: float, label: str) -> None:
    """Ticks and a label below a panel."""
    for tick in axis.ticks():
        drawing.line([(axis(tick), y), (axis(tick), y + 4)], MUTED)
        drawing.text(axis(tick), y + 15, f"{tick:g}", 10.5, MUTED, "middle")
    middle = axis._start + axis._length / 2
    drawing.text(middle, y + 29, label, 11, MUTED, "middle")
