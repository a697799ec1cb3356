"""One look for all figures: colour-blind-safe (Okabe-Ito), light, no clutter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EFFECTORS = ("#0072B2", "#56B4E9", "#332288")
TARGETS = ("#D55E00", "#E69F00", "#882255")
OTHERS = ("#009E73", "#999999")
GROUPS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DEATH = "#CC79A7"
INK = "#1b2733"
MUTED = "#5c6b7a"
GRID = "#e4e9ee"

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


@contextmanager
def figure(width: float = 4.6, height: float = 3.0) -> Iterator[tuple[Figure, Axes]]:
    """A figure without pyplot, so that nothing global is kept alive."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_RC):
        drawn = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(drawn)
        yield drawn, drawn.add_subplot()


def say_nothing_there(axes: Axes, text: str) -> None:
    """An honest empty panel."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, wrap=True)
