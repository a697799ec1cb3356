"""Nodes of the kinematics pipeline."""

from __future__ import annotations

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.kinematics.msd import mean_squared_displacement
from cyto_kedro.methods.kinematics.points import sort_points
from cyto_kedro.methods.kinematics.steps import measure_steps, step_table
from cyto_kedro.methods.kinematics.summary import summarise_tracks
from cyto_kedro.pipelines.kinematics.params import KinematicsParams


def measure_motion(
    tracks: pd.DataFrame, calibration: Calibration, options: KinematicsParams
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Steps, track summaries and mean squared displacement of one role.

    Args:
        tracks: Table TRACKS.
        calibration: Gives the time of each frame.
        options: Arrest speed and MSD options.

    Returns:
        Tables KINEMATICS, TRACK_SUMMARY and MSD.
    """
    points = sort_points(tracks, calibration.times_min)
    steps = measure_steps(points)
    return (
        step_table(points, steps, tracks["label"].to_numpy()),
        summarise_tracks(tracks, points, steps, options.arrest_speed_um_per_min),
        mean_squared_displacement(points, calibration.times_min, options.msd),
    )
