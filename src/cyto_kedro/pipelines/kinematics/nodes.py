"""Nodes of the kinematics pipeline."""

from __future__ import annotations

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.kinematics.contact_motion import contact_motion
from cyto_kedro.methods.kinematics.motion_fit import motion_fit
from cyto_kedro.methods.kinematics.msd import mean_squared_displacement
from cyto_kedro.methods.kinematics.persistence import directional_persistence
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


def measure_persistence(
    tracks: pd.DataFrame,
    calibration: Calibration,
    options: KinematicsParams,
    msd: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How long the cells of one role keep their direction, and their motion in a row.

    Args:
        tracks: Table TRACKS.
        calibration: Gives the time of each frame.
        options: Persistence options.
        msd: Table MSD of the role.

    Returns:
        Tables PERSISTENCE and MOTION_FIT.
    """
    points = sort_points(tracks, calibration.times_min)
    table, fit = directional_persistence(
        points, calibration.times_min, options.persistence
    )
    return table, motion_fit(points, measure_steps(points), msd, fit)


def measure_contact_motion(
    tracks: pd.DataFrame,
    episodes: pd.DataFrame,
    calibration: Calibration,
    options: KinematicsParams,
    *,
    effector: str,
    target: str,
) -> pd.DataFrame:
    """How effectors move before, during and after contacts with one target role.

    Args:
        tracks: Table TRACKS of the effectors.
        episodes: Table EPISODES of the pair.
        calibration: Gives the time of each frame.
        options: Window around a contact, arrest speed.
        effector: Effector role.
        target: Target role.

    Returns:
        Table CONTACT_MOTION.
    """
    return contact_motion(
        tracks,
        episodes,
        calibration,
        options.contact,
        options.arrest_speed_um_per_min,
        effector=effector,
        target=target,
    )
