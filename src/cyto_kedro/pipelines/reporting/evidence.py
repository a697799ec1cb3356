"""The evidence card of one death: what was seen, measured and concluded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.reporting.crops import Scene
from cyto_kedro.pipelines.reporting.style import (
    DEATH,
    GRID,
    INK,
    MUTED,
    contrast,
    overlay,
)
from cyto_kedro.pipelines.reporting.svg import Axis, Drawing, time_axis

# Candidates that get a bar; the others are counted.
_MOST_CANDIDATES = 6
_WIDTH, _GAP = 940, 4
_LEFT, _RIGHT = 78, 600  # the panels over time
_CREDITS, _CREDITS_END = 730, 900
_RULES = (
    ("credit_hazard", "hit model", "#0b5c8a"),
    ("credit_shared", "shared", "#56B4E9"),
    ("credit_nearest", "nearest", "#8a97a3"),
)


@dataclass(frozen=True)
class CardData:
    """What one card shows.

    Attributes:
        kill: Row of KILLS.
        scene: Frames and squares.
        crops: ``image:<role>``, ``labels:<role>`` and ``marker`` (n, s, s).
        valid: Pixels of the crops that hold data (n, s, s).
        masks: Label in each frame of the scene by (role, track), 0 where not seen; the
            victim first, then its candidates, the likeliest first.
        signal: Rows of VIABILITY of the victim.
        threshold: Threshold of the death signal.
        candidates: Rows of ATTRIBUTION of this death, the likeliest first.
        episodes: Rows of EPISODES of the victim.
    """

    kill: pd.Series
    scene: Scene
    crops: dict[str, np.ndarray]
    valid: np.ndarray
    masks: dict[tuple[str, int], list[int]]
    signal: pd.DataFrame
    threshold: float
    candidates: pd.DataFrame
    episodes: pd.DataFrame

    @property
    def suspects(self) -> pd.DataFrame:
        """The candidates that are drawn."""
        named = self.candidates[self.candidates["effector_track_id"].notna()]
        return named.head(_MOST_CANDIDATES)


def draw_card(
    data: CardData, colours: dict[str, str], calibration: Calibration, window_min: float
) -> str:
    """Strip of images, death signal, contacts and credits of one death, as SVG.

    Args:
        data: What was seen, measured and concluded.
        colours: Colour of each role.
        calibration: Geometry and time base.
        window_min: Contacts so long before the death count (min).
    """
    drawing = Drawing(_WIDTH, f"Evidence: {data.kill['words']}")
    below = _strip(drawing, data, colours, calibration)
    time = Axis(0, max(float(calibration.times_min[-1]), 1e-9), _LEFT, _RIGHT)
    middle = _signal(drawing, data, time, below + 22)
    left = _contacts(drawing, data, colours, time, middle + 20, window_min)
    right = _credits(drawing, data, below + 22)
    return drawing.finish(max(left, right) + 6)


def _strip(
    drawing: Drawing,
    data: CardData,
    colours: dict[str, str],
    calibration: Calibration,
) -> float:
    """Cells in their colours, the death marker in grey; returns the lower edge."""
    n = len(data.scene.frames)
    side = min((_WIDTH - (n - 1) * _GAP) / n, 200)
    rows = _pictures(data, colours)
    death = float(data.kill["death_time_min"])
    for column, frame in enumerate(data.scene.frames):
        x = column * (side + _GAP)
        here = frame == data.kill["death_frame"]
        minutes = f"{calibration.times_min[frame] - death:+.0f} min"
        drawing.text(
            x + side / 2,
            14,
            "death" if here else minutes,
            12,
            anchor="middle",
            bold=here,
        )
        for row, pictures in enumerate(rows):
            y = 20 + row * (side + _GAP)
            drawing.image(pictures[column], x, y, side, side)
            drawing.clipped(x, y, side, side)
            _outlines(drawing, data, column, colours, x, y, side)
            drawing.unclipped()
    scale = side / data.scene.size_px / calibration.pixel_size_x_um
    bar = 10 if side / scale < 80 else 20
    drawing.rectangle(8, 20 + side - 12, bar * scale, 3, "#ffffff")
    drawing.text(8, 20 + side - 16, f"{bar} µm", 11, "#ffffff")
    if len(rows) > 1:
        drawing.text(8, 34 + side + _GAP, "death marker", 11, "#ffffff")
    return 20 + len(rows) * (side + _GAP)


def _pictures(data: CardData, colours: dict[str, str]) -> list[list[np.ndarray]]:
    """Rows of YX3 uint8 images, one per frame of the scene."""
    images = {
        name.removeprefix("image:"): crop
        for name, crop in data.crops.items()
        if name.startswith("image:")
    }
    limits = {role: contrast(crop, data.valid) for role, crop in images.items()}
    frames = range(len(data.scene.frames))
    rows = [
        [overlay({r: c[i] for r, c in images.items()}, limits, colours) for i in frames]
    ]
    marker = data.crops.get("marker")
    if marker is not None:
        white = {"marker": "#ffffff"}
        range_ = {"marker": contrast(marker, data.valid)}
        rows.append([overlay({"marker": marker[i]}, range_, white) for i in frames])
    return rows


def _outlines(
    drawing: Drawing,
    data: CardData,
    column: int,
    colours: dict[str, str],
    x: float,
    y: float,
    side: float,
) -> None:
    """Victim and likeliest killer by thick lines, further candidates by thin ones."""
    from skimage.measure import find_contours

    scale = side / data.scene.size_px
    for rank, ((role, _), labels) in enumerate(data.masks.items()):
        if labels[column] == 0:
            continue
        mask = data.crops[f"labels:{role}"][column] == labels[column]
        for contour in find_contours(np.pad(mask, 1).astype(float), 0.5):
            points = [
                (x + (c - 0.5) * scale, y + (r - 0.5) * scale) for r, c in contour
            ]
            width = 2.0 if rank < 2 else 0.9
            # White below the colour: seen on bright and dark cells alike.
            drawing.line(points[::2], "#ffffff", width + 1.2, closed=True)
            drawing.line(points[::2], colours[role], width, closed=True)


def _signal(drawing: Drawing, data: CardData, time: Axis, top: float) -> float:
    """The victim's death marker over time; returns the lower edge."""
    kill, height = data.kill, 92
    signal = data.signal.sort_values("frame")
    known = signal[signal["death_signal"].notna()]
    peak = max(float(known["death_signal"].max()), data.threshold) if len(known) else 1
    floor = min(float(known["death_signal"].min()), 0.0) if len(known) else 0
    level = Axis(floor, 1.06 * max(peak, floor + 1e-9), top + height, top)
    vote = kill["live_lost"]
    said = "has no vote" if pd.isna(vote) else "agrees" if vote else "disagrees"
    drawing.text(_LEFT, top - 8, "Death marker", 12, bold=True)
    drawing.text(_LEFT + 100, top - 8, f"live channel {said}", 11, MUTED)
    for tick in level.ticks():
        drawing.line([(_LEFT, level(tick)), (_RIGHT, level(tick))], GRID)
        drawing.text(_LEFT - 6, level(tick) + 4, f"{tick:g}", 10.5, MUTED, "end")
    if pd.notna(kill["onset_low_min"]):
        low, high = time(kill["onset_low_min"]), time(kill["onset_high_min"])
        drawing.rectangle(low, top, high - low, height, DEATH, 0.35)
    at = level(data.threshold)
    drawing.line([(_LEFT, at), (_RIGHT, at)], INK, 1, "5 3")
    drawing.text(_RIGHT - 2, at - 4, "threshold", 10.5, INK, "end")
    dead = time(kill["death_time_min"])
    drawing.line([(dead, top), (dead, top + height)], INK, 1.4)
    times = zip(known["time_min"], known["death_signal"], strict=True)
    drawing.line([(time(t), level(s)) for t, s in times], "#a8497a", 1.8)
    return top + height


def _contacts(
    drawing: Drawing,
    data: CardData,
    colours: dict[str, str],
    time: Axis,
    top: float,
    window_min: float,
) -> float:
    """A bar per contact of each suspect; returns the lower edge."""
    suspects = data.suspects
    height = 17 * max(len(suspects), 1) + 4
    death = float(data.kill["death_time_min"])
    begin = time(max(0.0, death - window_min))
    drawing.text(_LEFT, top - 6, "Contacts", 12, bold=True)
    drawing.text(_LEFT + 68, top - 6, "grey: the time that counts", 11, MUTED)
    drawing.rectangle(begin, top, time(death) - begin, height, "#e9edf1")
    drawing.line([(time(death), top), (time(death), top + height)], INK, 1.4)
    for row, one in enumerate(suspects.to_dict(orient="records")):
        role, track = str(one["effector"]), int(one["effector_track_id"])
        y = top + 3 + 17 * row
        drawing.text(_LEFT - 6, y + 11, f"{role} {track}", 11, anchor="end")
        own = data.episodes[
            (data.episodes["effector"] == role)
            & (data.episodes["effector_track_id"] == track)
        ]
        for start, end in zip(own["start_min"], own["end_min"], strict=True):
            length = max(time(end) - time(start), 1.5)
            drawing.rectangle(time(start), y, length, 13, colours[role])
    hidden = int(data.candidates["effector_track_id"].notna().sum()) - len(suspects)
    more = f" ({hidden} more candidates)" if hidden else ""
    time_axis(drawing, time, top + height, f"time (min){more}")
    return top + height + 32


def _credits(drawing: Drawing, data: CardData, top: float) -> float:
    """Credits of each suspect by each rule, and of nobody; returns the lower edge."""
    drawing.text(_CREDITS - 90, top - 8, "Credit", 12, bold=True)
    share = Axis(0, 1, _CREDITS, _CREDITS_END)
    x: float = _CREDITS - 36
    for _, label, colour in _RULES:
        drawing.rectangle(x, top - 17, 9, 9, colour)
        drawing.text(x + 12, top - 8, label, 10.5, MUTED)
        x += 24 + 6.2 * len(label)
    y: float = top + 4
    for one in data.suspects.to_dict(orient="records"):
        name = f"{one['effector']} {int(one['effector_track_id'])}"
        drawing.text(_CREDITS - 6, y + 17, name, 11, anchor="end")
        for column, _, colour in _RULES:
            _bar(drawing, share, y, float(one[column]), colour)
            y += 9
        y += 6
    if data.suspects.empty:
        drawing.text(_CREDITS - 90, y + 12, "no effector in contact", 11, MUTED)
        return y + 20
    drawing.text(_CREDITS - 6, y + 9, "nobody", 11, anchor="end")
    _bar(drawing, share, y, float(data.kill["background_probability"]), _RULES[0][2])
    return y + 16


def _bar(drawing: Drawing, share: Axis, y: float, value: float, colour: str) -> None:
    if not np.isfinite(value):
        return
    drawing.rectangle(share(0), y, share(value) - share(0), 8, colour)
    drawing.text(share(value) + 3, y + 7.5, f"{value:.2f}", 9, MUTED)


def credits_of(attribution: pd.DataFrame | None, track: int) -> pd.DataFrame:
    """The candidates of one death, the likeliest first (rows of ATTRIBUTION)."""
    if attribution is None:
        return pd.DataFrame(columns=["effector", "effector_track_id"])
    own = attribution[attribution["target_track_id"] == track]
    order = ["credit_hazard", "credit_shared", "effector_track_id"]
    return own.sort_values(order, ascending=[False, False, True])
