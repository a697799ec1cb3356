"""Nodes of the contacts pipeline."""

from __future__ import annotations

import dask.array as da
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.contacts import (
    contact_episodes,
    contact_rates,
    limits_of,
    measure_contacts,
    nearest_targets,
)
from cyto_kedro.pipelines.contacts.params import ContactsParams


def measure(
    effector_labels: da.Array,
    target_labels: da.Array,
    effector_tracks: pd.DataFrame,
    target_tracks: pd.DataFrame,
    calibration: Calibration,
    options: ContactsParams,
    *,
    effector: str,
    target: str,
) -> pd.DataFrame:
    """All pairs of an effector and a target within reach: CONTACTS."""
    limits = limits_of(options.rule, calibration.spacing_um, options.reach_um)
    return measure_contacts(
        effector_labels,
        target_labels,
        effector_tracks,
        target_tracks,
        calibration,
        limits,
        effector=effector,
        target=target,
    )


def episodes(
    contacts: pd.DataFrame,
    effector_tracks: pd.DataFrame,
    target_tracks: pd.DataFrame,
    calibration: Calibration,
    options: ContactsParams,
) -> pd.DataFrame:
    """Contact frames of each pair of tracks joined into episodes: EPISODES."""
    limits = limits_of(options.rule, calibration.spacing_um)
    return contact_episodes(
        contacts,
        effector_tracks,
        target_tracks,
        calibration,
        max_gap_frames=options.max_gap_frames,
        min_frames=options.min_frames,
        leave_um=limits.leave_um,
    )


def rates(
    contacts: pd.DataFrame,
    contact_episodes: pd.DataFrame,
    effector_tracks: pd.DataFrame,
    target_tracks: pd.DataFrame,
    calibration: Calibration,
    *,
    effector: str,
    target: str,
) -> pd.DataFrame:
    """Contacts over time, per area and per cell: CONTACT_RATES."""
    return contact_rates(
        contacts,
        contact_episodes,
        effector_tracks,
        target_tracks,
        calibration,
        effector=effector,
        target=target,
    )


def nearest(
    effector_labels: da.Array,
    target_labels: da.Array,
    effector_tracks: pd.DataFrame,
    target_tracks: pd.DataFrame,
    calibration: Calibration,
    *,
    effector: str,
    target: str,
) -> pd.DataFrame:
    """The target nearest to each effector in each frame, at any distance: NEAREST."""
    return nearest_targets(
        effector_labels,
        target_labels,
        effector_tracks,
        target_tracks,
        calibration,
        effector=effector,
        target=target,
    )
