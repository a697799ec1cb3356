"""How effectors move before, during and after their contacts, and away from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import Field

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.params import Params
from cyto_kedro.core.schemas import CONTACT_MOTION
from cyto_kedro.methods.kinematics.points import Points, sort_points
from cyto_kedro.methods.kinematics.steps import Steps, measure_steps

#: In the order of the table.
STATES = ("before", "during", "after", "free")
_BEFORE, _DURING, _AFTER, _FREE = range(len(STATES))


class ContactMotionOptions(Params):
    """Which steps belong to a contact."""

    window_min: float = Field(
        default=30.0,
        gt=0,
        description="how long before the start and after the end of a contact a step "
        "still belongs to it (min)",
    )


def contact_motion(
    tracks: pd.DataFrame,
    episodes: pd.DataFrame,
    calibration: Calibration,
    options: ContactMotionOptions,
    arrest_speed: float,
    *,
    effector: str,
    target: str,
) -> pd.DataFrame:
    """Table CONTACT_MOTION: one row per effector and state that it has steps in.

    A step is *during* a contact if both of its points lie within one and the same
    episode, with any target. Otherwise its middle decides: *before* the next start or
    *after* the last end of a contact if that is nearer than the window (of two, the
    nearer one; before, if equally near), else *free*. The steps that arrive at and
    leave a target are so before and after. Only steps between neighbouring frames
    count.

    Args:
        tracks: Table TRACKS of the effectors.
        episodes: Table EPISODES of the effectors with the targets.
        calibration: Frame times.
        options: Window around a contact.
        arrest_speed: Speed below which a cell counts as arrested (um/min).
        effector: Name of the effectors' role.
        target: Name of the targets' role.
    """
    points = sort_points(tracks, calibration.times_min)
    steps = measure_steps(points)
    real = np.isfinite(steps.speed)
    if not real.any():
        return CONTACT_MOTION.empty()
    state = _states(points, episodes, calibration.times_min, options.window_min)
    table = _measured(points, steps, state, arrest_speed)
    table.insert(0, "effector", effector)
    table.insert(1, "target", target)
    return CONTACT_MOTION.conform(table)


def _states(
    points: Points, episodes: pd.DataFrame, times: np.ndarray, window: float
) -> np.ndarray:
    """(N,) state of the step that leads to each point; meaningless at first points."""
    state = np.full(len(points), _FREE)
    ids = points.track_id[points.starts]
    ends = points.starts + points.counts
    touching = episodes["effector_track_id"].to_numpy(np.int64)
    for track in np.intersect1d(touching, ids):
        own = episodes[touching == track]
        at = int(np.searchsorted(ids, track))
        rows = slice(points.starts[at], ends[at])
        bounds = own[["first_frame", "last_frame"]].to_numpy(np.int64)
        state[rows] = _of_track(points.frame[rows], bounds, times, window)
    return state


def _of_track(
    frame: np.ndarray, bounds: np.ndarray, times: np.ndarray, window: float
) -> np.ndarray:
    """State of each step of one track.

    Args:
        frame: (n,) frames of its points.
        bounds: (episodes, 2) first and last frame of each contact.
        times: (T,) time of each frame.
        window: Minutes around a contact.
    """
    first, last = bounds.T
    here = frame[:, np.newaxis]
    before = np.maximum(here - 1, 0)
    during = ((first <= before) & (here <= last)).any(axis=1)
    middle = (times[before] + times[here]) / 2
    ahead = np.where(times[first] > middle, times[first] - middle, np.inf).min(axis=1)
    behind = np.where(times[last] < middle, middle - times[last], np.inf).min(axis=1)
    near = [during, (ahead <= window) & (ahead <= behind), behind <= window]
    return np.select(near, [_DURING, _BEFORE, _AFTER], _FREE)


def _measured(
    points: Points, steps: Steps, state: np.ndarray, arrest_speed: float
) -> pd.DataFrame:
    """Numbers per track and state over the steps that are known."""
    real = np.isfinite(steps.speed)
    same = np.zeros(len(points), bool)
    same[1:] = (state[1:] == state[:-1]) & real[1:] & real[:-1]
    table = pd.DataFrame(
        {
            "effector_track_id": points.track_id,
            "state": state,
            "dt": steps.dt_min,
            "speed": steps.speed,
            "slow": (steps.speed < arrest_speed).astype(np.float64),
            # Two steps of different states share no turn.
            "angle": np.where(same, steps.angle_deg, np.nan),
        }
    )[real]
    keys = ["effector_track_id", "state"]
    rows = table.groupby(keys).agg(
        n_steps=("dt", "size"),
        time_min=("dt", "sum"),
        mean_speed_um_per_min=("speed", "mean"),
        median_speed_um_per_min=("speed", "median"),
        arrest_coefficient=("slow", "mean"),
        mean_turning_angle_deg=("angle", "mean"),
    )
    straight = _straightness(points, steps, state, real, same)
    rows["straightness"] = straight.reindex(rows.index).to_numpy()
    rows = rows.reset_index()
    return rows.assign(state=[STATES[code] for code in rows["state"]])


def _straightness(
    points: Points,
    steps: Steps,
    state: np.ndarray,
    real: np.ndarray,
    same: np.ndarray,
) -> pd.Series:
    """Summed net displacement of the stretches in a state / their summed path."""
    stretch = np.cumsum(~same)[real]
    rows = np.flatnonzero(real)
    parts = {
        f"axis{k}": axis[rows] - axis[rows - 1] for k, axis in enumerate(points.axes)
    }
    path = np.sqrt(sum(part * part for part in parts.values()))
    runs = pd.DataFrame(parts | {"path": path}).groupby(stretch).sum()
    runs["net"] = np.sqrt(sum(runs[name] ** 2 for name in parts))
    start = rows[np.unique(stretch, return_index=True)[1]]
    keys = [points.track_id[start], state[start]]
    total = runs.groupby(keys)[["net", "path"]].sum()
    share = total["net"] / total["path"].where(total["path"] > 0)
    return share.clip(upper=1.0)
