"""The evidence card of one death: what was seen, measured and concluded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.pipelines.reporting.strip_svg import WIDTH, Strip, draw_strip
from cyto_kedro.pipelines.reporting.style import DEATH, GRID, INK, MUTED
from cyto_kedro.pipelines.reporting.svg import Axis, Drawing, time_axis

# Candidates that get a bar; the others are counted.
_MOST_CANDIDATES = 6
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
        strip: Images, with the victim first and its candidates, the likeliest first.
        signal: Rows of VIABILITY of the victim.
        threshold: Threshold of the death signal.
        candidates: Rows of ATTRIBUTION of this death, the likeliest first.
        episodes: Rows of EPISODES of the victim.
    """

    kill: pd.Series
    strip: Strip
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
    drawing = Drawing(WIDTH, f"Evidence: {data.kill['words']}")
    below = draw_strip(drawing, data.strip, colours, calibration.pixel_size_x_um)
    time = Axis(0, max(float(calibration.times_min[-1]), 1e-9), _LEFT, _RIGHT)
    middle = _signal(drawing, data, time, below + 22)
    left = _contacts(drawing, data, colours, time, middle + 20, window_min)
    right = _credits(drawing, data, below + 22)
    return drawing.finish(max(left, right) + 6)


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
