"""Nodes that put a person's verdicts into the tables of a movie."""

from __future__ import annotations

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.killing.killers import killer_table
from cyto_kedro.methods.killing.touches import gather_touches
from cyto_kedro.methods.reporting.corrections import (
    correct_attribution,
    correct_contacts,
    correct_deaths,
    correct_viability,
)
from cyto_kedro.pipelines.contacts.nodes import episodes
from cyto_kedro.pipelines.contacts.params import ContactsParams
from cyto_kedro.pipelines.killing.params import KillingParams


def review_deaths(
    deaths: pd.DataFrame,
    viability: pd.DataFrame,
    verdicts: pd.DataFrame,
    tracks: pd.DataFrame,
    calibration: Calibration,
    options: KillingParams,
    *,
    role: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Deaths as a person judged them, and who is alive by that.

    Args:
        deaths: Table DEATHS of the targets as called.
        viability: Table VIABILITY as called.
        verdicts: Answers on this movie.
        tracks: Table TRACKS of the targets.
        calibration: Geometry and time base.
        options: Margin of the edge.
        role: Target role.

    Returns:
        Tables DEATHS and VIABILITY.
    """
    own = _verdicts(verdicts, "death", role)
    margin = options.death.border_margin_um
    corrected = correct_deaths(deaths, own, tracks, calibration, margin)
    return corrected, correct_viability(viability, corrected, own)


def review_contacts(
    contacts: pd.DataFrame,
    verdicts: pd.DataFrame,
    effector_tracks: pd.DataFrame,
    target_tracks: pd.DataFrame,
    calibration: Calibration,
    options: ContactsParams,
    *,
    effector: str,
    target: str,
) -> pd.DataFrame:
    """CONTACTS as a person judged them.

    Args:
        contacts: Table CONTACTS as measured.
        verdicts: Answers on this movie.
        effector_tracks: Table TRACKS of the effectors.
        target_tracks: Table TRACKS of the targets.
        calibration: Geometry and time base.
        options: What makes an episode.
        effector: Effector role.
        target: Target role.
    """
    own = _verdicts(verdicts, "contact", effector)
    own = own[own["other_role"] == target]
    called = episodes(contacts, effector_tracks, target_tracks, calibration, options)
    return correct_contacts(contacts, called, own)


def review_kills(
    attribution: pd.DataFrame,
    verdicts: pd.DataFrame,
    calibration: Calibration,
    options: KillingParams,
    *tables: pd.DataFrame,
    effectors: tuple[str, ...],
    target: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Who killed whom as a person judged it.

    Args:
        attribution: Table ATTRIBUTION of the judged deaths.
        verdicts: Answers on this movie.
        calibration: Time base.
        options: What makes a serial killer.
        tables: CONTACTS of each effector role with the targets, then TRACKS of each.
        effectors: Effector roles in the order of ``tables``.
        target: Target role.

    Returns:
        Tables ATTRIBUTION and KILLERS.
    """
    contacts = dict(zip(effectors, tables[: len(effectors)], strict=True))
    tracks = dict(zip(effectors, tables[len(effectors) :], strict=True))
    credits = correct_attribution(attribution, _verdicts(verdicts, "kill", target))
    touches, serial = gather_touches(contacts), options.attribution.serial_kills
    return credits, killer_table(credits, touches, tracks, calibration, serial)


def _verdicts(verdicts: pd.DataFrame, kind: str, role: str) -> pd.DataFrame:
    return verdicts[(verdicts["kind"] == kind) & (verdicts["role"] == role)]
