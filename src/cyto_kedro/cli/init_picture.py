"""The picture by which a user checks the guessed channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cyto_kedro.cli.guess import Guess
from cyto_kedro.core.atomic import staged
from cyto_kedro.core.frames import compute_frame
from cyto_kedro.core.raw import RawChannel


def draw_channels(
    path: Path, movie: str, raws: dict[str, RawChannel], guesses: dict[str, Guess]
) -> None:
    """First, middle and last frame of each channel, with its guess as title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2 * len(raws)), layout="constrained")
    axes = figure.subplots(len(raws), 3, squeeze=False)
    for row, (name, raw) in zip(axes, raws.items(), strict=True):
        last = raw.data.shape[0] - 1
        found = guesses[name]
        for axis, frame in zip(row, (0, last // 2, last), strict=True):
            plane = compute_frame(raw.data, frame)
            low, high = np.percentile(plane, (1, 99.7))
            axis.imshow(plane, cmap="gray", vmin=low, vmax=max(high, low + 1e-9))
            axis.set_axis_off()
            corner = {"transform": axis.transAxes, "color": "white", "fontsize": 8}
            axis.text(0.02, 0.02, f"frame {frame}", **corner)
        row[0].set_title(
            f"{name}: {found.kind} ({found.why})",
            fontsize=10,
            loc="left",
            weight="bold",
        )
    figure.suptitle(f"movie {movie}", fontsize=9)
    with staged(path) as stage:
        figure.savefig(stage, format="png", dpi=90)
