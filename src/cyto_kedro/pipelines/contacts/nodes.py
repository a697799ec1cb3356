"""Nodes of the contacts pipeline."""

from __future__ import annotations

import dask.array as da
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.contacts import (
    CONTACT_RULES,
    contact_episodes,
    measure_contacts,
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
    """All pairs of an effector and a target within the leave distance: CONTACTS."""
    limits = CONTACT_RULES[options.rule.name](options.rule, calibration.spacing_um)
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
    return contact_episodes(
        contacts,
        effector_tracks,
        target_tracks,
        calibration,
        max_gap_frames=options.max_gap_frames,
        min_frames=options.min_frames,
    )
