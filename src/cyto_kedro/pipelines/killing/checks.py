"""Nodes that ask how far the attribution of kills can be trusted."""

from __future__ import annotations

import logging

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.contacts import limits_of
from cyto_kedro.methods.killing.attribution import Dose
from cyto_kedro.methods.killing.controls import control_thresholds, is_true
from cyto_kedro.methods.killing.density import attribution_density
from cyto_kedro.methods.killing.hits import DelayPrior
from cyto_kedro.methods.killing.sensitivity import (
    Factors,
    Setting,
    sensitivity_table,
    stability,
)
from cyto_kedro.methods.killing.touches import gather_touches
from cyto_kedro.pipelines.contacts.params import ContactsParams
from cyto_kedro.pipelines.killing.attribution_params import AttributionParams
from cyto_kedro.pipelines.killing.params import KillingParams

logger = logging.getLogger(__name__)


def dose_of(options: AttributionParams) -> Dose:
    """How contact adds up under the shared rule."""
    return Dose(
        options.hit_min, options.memory_min, options.max_hits, options.length_um
    )


def prior_of(options: AttributionParams) -> DelayPrior:
    """What is known of the lytic delay beforehand."""
    return DelayPrior(options.hazard.delay_min, options.hazard.delay_log_sd)


def vary_settings(
    deaths: pd.DataFrame,
    viability: pd.DataFrame,
    calibration: Calibration,
    options: KillingParams,
    contact_options: ContactsParams,
    *contacts: pd.DataFrame,
    effectors: tuple[str, ...],
    target: str,
) -> pd.DataFrame:
    """Deaths, kills and chance over windows, contact distances and thresholds.

    Args:
        deaths: Table DEATHS of the targets.
        viability: Table VIABILITY of the targets.
        calibration: Time base and pixel size.
        options: Settings and by what they are multiplied.
        contact_options: Contact distance and reach.
        contacts: CONTACTS of each effector role with the targets.
        effectors: Effector roles in the order of ``contacts``.
        target: Target role.

    Returns:
        Table SENSITIVITY.
    """
    chosen = options.attribution
    rule, reach = contact_options.rule, contact_options.reach_um
    limits = limits_of(rule, calibration.spacing_um, reach)
    setting = Setting(
        window_min=chosen.window_min,
        contact_um=limits.contact_um,
        reach_um=limits.reach_um,
        persistence=options.death.persistence_frames,
        irreversible=options.death.irreversible,
        dose=dose_of(chosen),
        prior=prior_of(chosen),
        serial_kills=chosen.serial_kills,
        n_shifts=chosen.sensitivity.n_shifts,
        seed=chosen.chance.seed,
    )
    grid = chosen.sensitivity
    table = sensitivity_table(
        deaths,
        viability,
        dict(zip(effectors, contacts, strict=True)),
        calibration,
        target,
        setting,
        Factors(grid.window_factors, grid.distance_factors, grid.threshold_factors),
    )
    logger.info("%s: %s", target, stability(table))
    return table


def vary_density(
    deaths: pd.DataFrame,
    calibration: Calibration,
    options: KillingParams,
    *tables: pd.DataFrame,
    effectors: tuple[str, ...],
    target: str,
) -> pd.DataFrame:
    """Credit under every rule when only some of the effectors are looked at.

    Args:
        deaths: Table DEATHS of the targets.
        calibration: Time base.
        options: Window, credit, and the fractions.
        tables: CONTACTS of each effector role with the targets, then TRACKS of each.
        effectors: Effector roles in the order of ``tables``.
        target: Target role.

    Returns:
        Table ATTRIBUTION_DENSITY.
    """
    chosen = options.attribution
    contacts = dict(zip(effectors, tables[: len(effectors)], strict=True))
    tracks = tables[len(effectors) :]
    cells = [
        pd.DataFrame({"role": number, "track": table["track_id"].unique()})
        for number, table in enumerate(tracks)
    ]
    return attribution_density(
        deaths,
        gather_touches(contacts),
        pd.concat(cells, ignore_index=True),
        calibration,
        target,
        chosen.window_min,
        dose_of(chosen),
        prior_of(chosen),
        chosen.density.fractions,
        chosen.density.n_repeats,
        chosen.density.seed,
    )


def check_thresholds(
    conditions: pd.DataFrame,
    options: KillingParams,
    *deaths: dict[str, pd.DataFrame],
    targets: tuple[str, ...],
) -> pd.DataFrame:
    """The threshold that the control movies suggest beside the one that was used.

    Args:
        conditions: The experiment sheet.
        options: Control column, and how far above the controls.
        deaths: For each target role: table DEATHS of every movie.
        targets: Target roles in the order of ``deaths``.

    Returns:
        Table CONTROL_THRESHOLD.
    """
    column = options.survival.control_column
    movies = conditions["movie"].astype(str)
    control: dict[str, bool] = {}
    if column in conditions:
        control = dict(zip(movies, is_true(conditions[column]), strict=True))
    k = options.control_threshold.k
    tables = [
        control_thresholds(by_movie, control, role, k)
        for role, by_movie in zip(targets, deaths, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)
