"""Velocity, speed, turning angle and path of every point of every track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cyto_kedro.core.schemas import KINEMATICS
from cyto_kedro.methods.kinematics.points import Points


@dataclass(frozen=True)
class Steps:
    """What happened between each point and the previous one of its track.

    All (N,) float64. NaN at the first point of a track; velocities, speed and angle
    also where frames were skipped, since the way in between is unknown.

    Attributes:
        dt_min: Time since the previous point.
        vel_y, vel_x, speed: um/min.
        angle_deg: Angle in [0, 180] between this step and the one before it; NaN if
            one of them is missing or has no length.
        path_um: Length of the polygon through the points so far (a lower bound of the
            way across skipped frames), 0 at the first point.
        net_um: Distance from the first point.
    """

    dt_min: np.ndarray
    vel_y: np.ndarray
    vel_x: np.ndarray
    speed: np.ndarray
    angle_deg: np.ndarray
    path_um: np.ndarray
    net_um: np.ndarray


def measure_steps(points: Points) -> Steps:
    """Steps of sorted points.

    Source: Beltman, Marée & de Boer, Nat Rev Immunol 9, 789 (2009),
    doi:10.1038/nri2638. Frame times may be irregular; lengths, speeds and angles are
    those in space where the points have a z.
    """
    starts = points.starts
    dt = since(points.time_min, starts)
    moved = [since(axis, starts) for axis in points.axes]
    length = _norm(moved)
    # A step counts only between neighbouring frames; NaN at a first point stays NaN.
    gap = np.zeros(len(points), bool)
    gap[1:] = points.frame[1:] - points.frame[:-1] != 1
    known_dt = np.where(gap, np.nan, dt)
    return Steps(
        dt_min=dt,
        vel_y=moved[0] / known_dt,
        vel_x=moved[1] / known_dt,
        speed=length / known_dt,
        angle_deg=_turning(moved, length, known_dt),
        path_um=_path(points, length),
        net_um=_net(points),
    )


def step_table(points: Points, steps: Steps, labels: np.ndarray) -> pd.DataFrame:
    """Table KINEMATICS, sorted by track and frame.

    Args:
        points: The sorted points.
        steps: Their steps.
        labels: (N,) label of each row of the table that the points came from.
    """
    columns = {
        "track_id": points.track_id,
        "frame": points.frame,
        "label": labels.astype(np.int64, copy=False)[points.order],
        "time_min": points.time_min,
        "dt_min": steps.dt_min,
        "vel_y_um_per_min": steps.vel_y,
        "vel_x_um_per_min": steps.vel_x,
        "speed_um_per_min": steps.speed,
        "turning_angle_deg": steps.angle_deg,
        "path_um": steps.path_um,
        "net_displacement_um": steps.net_um,
    }
    # Already in the contract's dtypes: casting would cost more than the arithmetic.
    return pd.DataFrame(columns, columns=list(KINEMATICS.columns), copy=False)


def since(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Difference to the previous point of the track; NaN at the first one."""
    out = np.empty(len(values))
    np.subtract(values[1:], values[:-1], out=out[1:])
    out[starts] = np.nan
    return out


def _norm(parts: list[np.ndarray]) -> np.ndarray:
    total = parts[0] * parts[0]
    for part in parts[1:]:
        total += part * part
    return np.sqrt(total)


def _turning(
    moved: list[np.ndarray], length: np.ndarray, known_dt: np.ndarray
) -> np.ndarray:
    """Angle of each step to the previous one, in degrees.

    atan2 of cross and dot product, unlike arccos, is exact near 0 and 180 degrees.
    """
    angle = np.full(len(length), np.nan)
    unknown = (length == 0) | np.isnan(known_dt)
    y, x, *z = (np.where(unknown, np.nan, part) for part in moved)
    cross = np.abs(x[:-1] * y[1:] - y[:-1] * x[1:])
    dot = x[:-1] * x[1:] + y[:-1] * y[1:]
    for height in z:
        tilt = [height[:-1] * v[1:] - v[:-1] * height[1:] for v in (y, x)]
        cross = _norm([cross, *tilt])
        dot += height[:-1] * height[1:]
    angle[1:] = np.degrees(np.arctan2(cross, dot))
    return angle


def _path(points: Points, length: np.ndarray) -> np.ndarray:
    """Running sum of step lengths within each track."""
    filled = length.copy()
    filled[points.starts] = 0
    # One running sum over all tracks loses digits: extended precision keeps 1e-9 um.
    total = np.cumsum(filled, dtype=np.longdouble)
    return (total - points.first(total)).astype(np.float64)


def _net(points: Points) -> np.ndarray:
    """Distance of each point from the first point of its track."""
    return _norm([axis - points.first(axis) for axis in points.axes])
