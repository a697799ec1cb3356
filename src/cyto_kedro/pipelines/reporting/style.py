"""One look for all figures: colour-blind-safe (Okabe-Ito), light, no clutter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

EFFECTORS = ("#0072B2", "#56B4E9", "#332288")
TARGETS = ("#D55E00", "#E69F00", "#882255")
OTHERS = ("#009E73", "#999999")
GROUPS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
CONTROLS = ("#66727d",)
DEATH = "#CC79A7"
# Least contrast range (noise deviations): an image of noise alone stays dark.
_NOISE_SPANS = 15
INK = "#1b2733"
MUTED = "#5c6b7a"
GRID = "#e4e9ee"
_DASHES = ("-", "--", ":", "-.")
_EMPTY = "nothing there: "

# The keys are matplotlib's own list of literals.
_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "cyto_kedro",
}


class Look(NamedTuple):
    """How a group is drawn, the same in every figure of a run."""

    colour: str
    dash: str = "-"


def group_looks(
    groups: Iterable[str], controls: Collection[str] = ()
) -> dict[str, Look]:
    """A look per group in their order: colours first, then the same ones dashed.

    Args:
        groups: Their names.
        controls: Groups without effectors, which are grey.
    """
    names = list(dict.fromkeys(groups))
    looks = {}
    for kind, colours in ((True, CONTROLS), (False, GROUPS)):
        own = [name for name in names if (name in controls) is kind]
        for i, name in enumerate(own):
            dash = _DASHES[i // len(colours) % len(_DASHES)]
            looks[name] = Look(colours[i % len(colours)], dash)
    return {name: looks[name] for name in names}


def role_colours(roles: dict[str, str]) -> dict[str, str]:
    """A colour per role, blue for effectors and vermilion for targets."""
    palettes = {"effector": EFFECTORS, "target": TARGETS, "other": OTHERS}
    used = dict.fromkeys(palettes, 0)
    colours = {}
    for role, kind in roles.items():
        palette = palettes[kind]
        colours[role] = palette[used[kind] % len(palette)]
        used[kind] += 1
    return colours


def channel_colours(
    shown_as: dict[str, str], colours: dict[str, str]
) -> dict[str, str]:
    """A colour per channel: that of its role, or of death.

    Args:
        shown_as: Channel to role, or to ``death``.
        colours: Colour of each role.
    """
    known = colours | {"death": DEATH}
    return {channel: known[what] for channel, what in shown_as.items()}


@contextmanager
def blank_figure(width: float, height: float) -> Iterator[Figure]:
    """A figure without axes, and without pyplot: nothing global is kept alive."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_RC):
        drawn = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(drawn)
        yield drawn


@contextmanager
def figure(width: float = 4.6, height: float = 3.0) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one panel."""
    with blank_figure(width, height) as drawn:
        yield drawn, drawn.add_subplot()


def say_nothing_there(axes: Axes, text: str) -> None:
    """An honest empty panel; :func:`why_empty` finds it again."""
    axes.set_axis_off()
    axes.set_label(_EMPTY + text)
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, wrap=True)


def why_empty(drawn: Figure) -> str | None:
    """Why there is nothing to see in a figure; None if there is."""
    said = [str(axes.get_label()) for axes in drawn.axes]
    empty = [text for text in said if text.startswith(_EMPTY)]
    return empty[0].removeprefix(_EMPTY) if empty else None


def only_filled(
    figures: dict[str, Figure],
) -> tuple[dict[str, Figure], dict[str, str]]:
    """Figures that show something; of the others, why they do not."""
    why = {name: why_empty(drawn) for name, drawn in figures.items()}
    filled = {name: drawn for name, drawn in figures.items() if why[name] is None}
    return filled, {name: text for name, text in why.items() if text is not None}


def plain_counts(axis: Axis) -> None:
    """Whole numbers, not powers, on an axis that is logarithmic beyond 1."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def contrast(
    planes: np.ndarray, inside: np.ndarray | None = None
) -> tuple[float, float]:
    """One range of grey values for all planes, so that bleaching stays visible.

    Args:
        planes: (n, y, x) intensities.
        inside: Pixels that count, of the same shape; all by default.
    """
    parts = list(planes) if inside is None else _parts(planes, inside)
    if not parts:
        return 0.0, 1.0
    values = np.concatenate([part.ravel() for part in parts])
    middle = float(np.median(values))
    noise = 1.48 * float(np.median(np.abs(values - middle)))
    low = min(float(np.percentile(part, 5)) for part in parts)
    high = max(float(np.percentile(part, 99.8)) for part in parts)
    return low, max(high, low + _NOISE_SPANS * noise, low + 1e-9)


def _parts(planes: np.ndarray, inside: np.ndarray) -> list[np.ndarray]:
    both = zip(planes, inside, strict=True)
    return [plane[mask] for plane, mask in both if mask.any()]


def overlay(
    planes: dict[str, np.ndarray],
    limits: dict[str, tuple[float, float]],
    colours: dict[str, str],
) -> np.ndarray:
    """The images of all roles in their colours, added up: YX3, uint8."""
    from matplotlib.colors import to_rgb

    canvas: Any = 0.0
    for role, plane in planes.items():
        low, high = limits[role]
        grey = np.clip((plane - low) / (high - low), 0, 1)
        canvas = canvas + grey[..., None] * np.asarray(to_rgb(colours[role]))
    return np.asarray(255 * np.clip(canvas, 0, 1), dtype=np.uint8)
