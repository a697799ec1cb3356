"""What a user should know before trusting a movie's numbers, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.params import Params
from cyto_kedro.methods.preprocessing.tables import linear_transforms
from cyto_kedro.methods.preprocessing.verdicts import misplaced

_SHOWN_FRAMES = 5
# Slopes of all pairs of frames: enough of them for a robust trend, few for the memory.
_TREND_FRAMES = 400


class QualityLimits(Params):
    """From where on the report warns."""

    drift_um: float = Field(
        default=10.0, gt=0, description="stage drift from the first frame (um)"
    )
    bleaching_fraction: float = Field(
        default=0.25, gt=0, lt=1, description="signal lost over the movie (fraction)"
    )
    focus_fraction: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="a frame whose sharpness is below this fraction of the movie's "
        "median is out of focus",
    )
    saturated_fraction: float = Field(
        default=0.001,
        ge=0,
        lt=1,
        description="pixels at the camera's maximum in a frame (fraction)",
    )
    short_track_frames: int = Field(
        default=5, ge=1, description="a track with fewer points is short (frames)"
    )
    short_track_fraction: float = Field(
        default=0.5, ge=0, le=1, description="tracks that are short (fraction)"
    )


def quality_warnings(
    calibration: Calibration,
    limits: QualityLimits,
    frame_stats: pd.DataFrame,
    drift: pd.DataFrame,
    residual_motion: pd.DataFrame,
    frame_counts: Mapping[str, pd.DataFrame],
    track_summaries: Mapping[str, pd.DataFrame],
) -> list[str]:
    """Every warning of one movie, with its figure; an empty list if all is well.

    Args:
        calibration: Geometry and time base.
        limits: From where on to warn.
        frame_stats: Table FRAME_STATS of all channels.
        drift: Table DRIFT.
        residual_motion: Table RESIDUAL_MOTION.
        frame_counts: FRAME_COUNTS by role.
        track_summaries: TRACK_SUMMARY by role.
    """
    found = _drift_warnings(drift, calibration, limits)
    found += [
        f"After registration {len(frames)} of {len(residual_motion)} sampled frames do "
        f"not lie on their reference ({_listed(frames)}). {advice}"
        for frames, advice in misplaced(residual_motion)
    ]
    for channel, stats in frame_stats.groupby("channel", sort=False):
        found += _channel_warnings(str(channel), stats.sort_values("frame"), limits)
    for role, counts in frame_counts.items():
        found += _empty_frames(role, counts)
    for role, summary in track_summaries.items():
        found += _short_tracks(role, summary, calibration, limits)
    return found


def drift_um(drift: pd.DataFrame, calibration: Calibration) -> pd.Series:
    """Distance of each frame, the index, from the reference before registration.

    That of the farthest corner, where a frame was turned or stretched too.
    """
    shape = (calibration.height_px, calibration.width_px)
    corners = np.array(list(product((0, shape[0] - 1), (0, shape[1] - 1))), np.float64)
    farthest = [
        np.hypot(*((move.forward(corners, shape) - corners) * calibration.spacing_um).T)
        for move in linear_transforms(drift)
    ]
    frames = np.sort(drift["frame"].to_numpy())
    return pd.Series([each.max() for each in farthest], frames, dtype=np.float64)


def signal_loss(stats: pd.DataFrame) -> float:
    """Fraction of a channel's signal lost from the first to the last frame.

    The signal is the 99th percentile above the 1st; an exponential is fitted to it by
    the median of the slopes of its logarithm between all pairs of frames (Theil 1950,
    Sen, JASA 63, 1379 (1968), doi:10.1080/01621459.1968.10480934), which single bad
    frames do not move. Negative where the signal grew; NaN below three usable frames.
    """
    signal = (stats["p99"] - stats["p01"]).to_numpy(np.float64)
    time = stats["time_min"].to_numpy(np.float64)
    if not len(time):
        return float("nan")
    duration = time[-1] - time[0]
    usable = np.flatnonzero(signal > 0)
    usable = usable[:: -(-len(usable) // _TREND_FRAMES) or 1]
    if len(usable) < 3:
        return float("nan")
    first, second = np.triu_indices(len(usable), 1)
    level, at = np.log(signal[usable]), time[usable]
    slope = np.median((level[second] - level[first]) / (at[second] - at[first]))
    return float(-np.expm1(slope * duration))


def _drift_warnings(
    drift: pd.DataFrame, calibration: Calibration, limits: QualityLimits
) -> list[str]:
    distance = drift_um(drift, calibration)
    if not distance.max() > limits.drift_um:
        return []
    return [
        f"The stage drifted by up to {distance.max():.1f} um (frame "
        f"{distance.idxmax()}); more than {limits.drift_um:g} um. Cells near the edges "
        "leave the region that all frames share."
    ]


def _channel_warnings(
    channel: str, stats: pd.DataFrame, limits: QualityLimits
) -> list[str]:
    found = []
    frames = stats["frame"].to_numpy()
    blank = frames[(stats["maximum"] == stats["minimum"]).to_numpy()]
    if len(blank):
        found.append(
            f"Channel {channel}: {_of_all(blank, frames)} without any contrast "
            f"({_listed(blank)})."
        )
    loss = signal_loss(stats)
    if loss > limits.bleaching_fraction:
        found.append(
            f"Channel {channel} lost {100 * loss:.0f} % of its signal over the movie "
            "(bleaching): intensities of early and late frames do not compare."
        )
    focus = stats["focus"].to_numpy()
    sharp = focus[np.isfinite(focus) & (focus > 0)]
    if len(sharp):
        blurred = frames[focus < limits.focus_fraction * np.median(sharp)]
        blurred = np.setdiff1d(blurred, blank)
        if len(blurred):
            found.append(
                f"Channel {channel}: {_of_all(blurred, frames)} less than "
                f"{100 * limits.focus_fraction:.0f} % as sharp as the movie's median "
                f"({_listed(blurred)}): out of focus."
            )
    full = stats["saturated_fraction"].to_numpy()
    burnt = frames[full > limits.saturated_fraction]
    if len(burnt):
        found.append(
            f"Channel {channel}: up to {100 * np.nanmax(full):.2g} % of the pixels are "
            f"saturated ({_listed(burnt)}): intensities there are too low."
        )
    return found


def none_found(role: str) -> str:
    """The warning that a role is missing from the whole movie.

    A report leaves it out for the effectors of a control, which shall have none.
    """
    return f"No {role} was found in any frame."


def _empty_frames(role: str, counts: pd.DataFrame) -> list[str]:
    empty = counts["frame"].to_numpy()[counts["n_cells"].to_numpy() == 0]
    if not len(empty):
        return []
    if len(empty) == len(counts):
        return [none_found(role)]
    return [
        f"No {role} was found in {len(empty)} of {len(counts)} frames "
        f"({_listed(empty)})."
    ]


def _short_tracks(
    role: str, summary: pd.DataFrame, calibration: Calibration, limits: QualityLimits
) -> list[str]:
    # A movie of few frames has no long tracks to compare with.
    if not len(summary) or calibration.n_frames < limits.short_track_frames:
        return []
    share = float((summary["n_points"] < limits.short_track_frames).mean())
    if share <= limits.short_track_fraction:
        return []
    return [
        f"{100 * share:.0f} % of the {len(summary)} {role} tracks have fewer than "
        f"{limits.short_track_frames} points: segmentation or tracking loses cells."
    ]


def _of_all(some: np.ndarray, frames: np.ndarray) -> str:
    verb = "is" if len(some) == 1 else "are"
    return f"{len(some)} of {len(frames)} frames {verb}"


def _listed(frames: Sequence[int] | np.ndarray) -> str:
    """The first frames by number, and how many more."""
    shown = ", ".join(str(int(frame)) for frame in frames[:_SHOWN_FRAMES])
    more = len(frames) - _SHOWN_FRAMES
    word = "frame" if len(frames) == 1 else "frames"
    return f"{word} {shown} and {more} more" if more > 0 else f"{word} {shown}"
