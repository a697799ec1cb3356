"""Nodes of the killing pipeline."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.methods.killing.attribution import attribute
from cyto_kedro.methods.killing.chance import attribution_chance, hit_model_chance
from cyto_kedro.methods.killing.cohorts import Design
from cyto_kedro.methods.killing.comparison import compare_survival
from cyto_kedro.methods.killing.controls import control_thresholds, is_true
from cyto_kedro.methods.killing.death import (
    death_table,
    find_onsets,
    viability_table,
)
from cyto_kedro.methods.killing.evidence import (
    death_evidence,
    live_votes,
    without_vetoed,
)
from cyto_kedro.methods.killing.hits import fit_hits
from cyto_kedro.methods.killing.identity import with_track_confidence
from cyto_kedro.methods.killing.killers import killer_table
from cyto_kedro.methods.killing.positions import position_chance
from cyto_kedro.methods.killing.signal import above_background, death_signal, smooth
from cyto_kedro.methods.killing.thresholds import THRESHOLDS, living_spread
from cyto_kedro.methods.killing.touches import gather_touches
from cyto_kedro.pipelines.killing.checks import dose_of, prior_of
from cyto_kedro.pipelines.killing.params import (
    AttributionParams,
    DeathParams,
    KillingParams,
    SurvivalParams,
)

logger = logging.getLogger(__name__)


def viability(
    tracks: pd.DataFrame,
    calibration: Calibration,
    options: KillingParams,
    *,
    role: str,
    effector: bool,
    death_channel: str,
    live_channel: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Whether each cell lives in each frame, when it died, and how sure that is.

    Args:
        tracks: Table TRACKS of the cells.
        calibration: Geometry and time base.
        options: Signal, threshold and persistence.
        role: Role of the cells.
        effector: They are effectors, with parameters of their own.
        death_channel: Channel of the death marker.
        live_channel: Channel of the live marker, or of the cells.

    Returns:
        Tables VIABILITY, DEATHS and DEATH_EVIDENCE.
    """
    chosen: DeathParams = options.effector_death if effector else options.death
    tracks = tracks.sort_values(["track_id", "frame"], ignore_index=True)
    ids, frames = tracks["track_id"].to_numpy(), tracks["frame"].to_numpy()
    cdi = live_channel if chosen.signal == "cdi" else None
    raw = death_signal(tracks, death_channel, cdi, chosen.statistic)
    blur = (chosen.smoothing.name, chosen.smoothing.window_frames)
    signal = smooth(ids, frames, raw, *blur)
    threshold = THRESHOLDS[chosen.threshold.name](
        signal, frames, **chosen.threshold.model_dump(exclude={"name"})
    )
    onsets = find_onsets(
        ids, signal, threshold, chosen.persistence_frames, chosen.irreversible
    )
    vote = chosen.live_vote
    # Ready-made tracks may come without the live channel: then there is no vote.
    measured = f"{chosen.statistic}_{live_channel}" in tracks.columns
    live = (
        above_background(tracks, live_channel, chosen.statistic) if measured else None
    )
    votes = live_votes(tracks, live, onsets, vote.window_min, vote.max_ratio)
    if vote.required:
        onsets = without_vetoed(onsets, votes)
    deaths = death_table(
        tracks, signal, onsets, threshold, calibration, role, chosen.border_margin_um
    )
    spread = living_spread(signal, threshold)
    table = viability_table(tracks, signal, onsets, threshold, spread)
    if chosen.alive_probability == "one_minus_cdi" and len(tracks):
        index = death_signal(tracks, death_channel, live_channel, chosen.statistic)
        table["alive_probability"] = 1.0 - smooth(ids, frames, index, *blur)
    evidence = death_evidence(
        tracks,
        raw,
        onsets,
        votes,
        calibration,
        role,
        window_min=chosen.rise.window_min,
        shape=chosen.rise.name,
        confidence=chosen.rise.confidence,
    )
    return table, deaths, evidence


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


def attribute_kills(
    deaths: pd.DataFrame,
    calibration: Calibration,
    options: KillingParams,
    target_tracks: pd.DataFrame,
    *tables: pd.DataFrame,
    effectors: tuple[str, ...],
    target: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Who touched each target before it died, and what that is worth.

    Args:
        deaths: Table DEATHS of the targets.
        calibration: Time base.
        options: Window and credit.
        target_tracks: Table TRACKS of the targets.
        tables: CONTACTS of each effector role with the targets, then TRACKS of each.
        effectors: Effector roles in the order of ``tables``.
        target: Target role.

    Returns:
        Tables ATTRIBUTION, KILLERS and HIT_MODEL.
    """
    chosen: AttributionParams = options.attribution
    contacts = dict(zip(effectors, tables[: len(effectors)], strict=True))
    tracks = dict(zip(effectors, tables[len(effectors) :], strict=True))
    touches = gather_touches(contacts)
    asked = (calibration, target, chosen.window_min)
    model = fit_hits(deaths, touches, *asked, prior_of(chosen))
    credits = attribute(deaths, touches, *asked, dose_of(chosen), model)
    credits = with_track_confidence(credits, calibration, target_tracks, tracks)
    killers = killer_table(credits, touches, tracks, calibration, chosen.serial_kills)
    return credits, killers, model.table


def chance_level(
    deaths: pd.DataFrame,
    calibration: Calibration,
    options: KillingParams,
    target_tracks: pd.DataFrame,
    *tables: pd.DataFrame,
    effectors: tuple[str, ...],
    target: str,
) -> pd.DataFrame:
    """How many deaths chance would attribute: contacts shifted, effectors moved.

    Args:
        deaths: Table DEATHS of the targets.
        calibration: Time base and size of the image.
        options: Window and draws.
        target_tracks: Table TRACKS of the targets.
        tables: CONTACTS of each effector role with the targets, then TRACKS of each.
        effectors: Effector roles in the order of ``tables``.
        target: Target role.

    Returns:
        Table ATTRIBUTION_CHANCE.
    """
    window, draws = options.attribution.window_min, options.attribution.chance
    contacts = dict(zip(effectors, tables[: len(effectors)], strict=True))
    tracks = dict(zip(effectors, tables[len(effectors) :], strict=True))
    touches = gather_touches(contacts)
    in_time = attribution_chance(
        deaths, touches, calibration, target, window, draws.n_shifts, draws.seed
    )
    in_space = position_chance(
        deaths,
        touches,
        target_tracks,
        tracks,
        calibration,
        target,
        window,
        draws.n_moves,
        draws.seed,
    )
    prior = prior_of(options.attribution)
    of_model = hit_model_chance(
        deaths, touches, calibration, target, window, prior, draws.n_refits, draws.seed
    )
    return pd.concat([in_time, of_model, in_space], ignore_index=True)


def compare_movies(
    conditions: pd.DataFrame,
    options: KillingParams,
    *deaths: dict[str, pd.DataFrame],
    targets: tuple[str, ...],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Survival of the targets by movie and condition, and how conditions differ.

    Args:
        conditions: The experiment sheet: dataset, movie and condition columns.
        options: Grouping column, control flag, intervals.
        deaths: For each target role: table DEATHS of every movie.
        targets: Target roles in the order of ``deaths``.

    Returns:
        Table SURVIVAL; and ``{"group_by", "notes", "roles": {role: comparison}}`` of
        plain values.
    """
    chosen: SurvivalParams = options.survival
    notes = _missing_columns(conditions, chosen)
    for note in notes:
        logger.warning(note)
    design = Design(**chosen.model_dump())
    tables, roles = [], {}
    for role, by_movie in zip(targets, deaths, strict=True):
        table, roles[role] = compare_survival(by_movie, conditions, role, design)
        tables.append(table)
    comparison = {"group_by": chosen.group_by, "notes": notes, "roles": roles}
    return pd.concat(tables, ignore_index=True), comparison


def _missing_columns(conditions: pd.DataFrame, chosen: SurvivalParams) -> list[str]:
    """What cannot be compared because the sheet has no such column.

    A sheet without conditions is fine, and then a default names no column. A
    stratum that was asked for and is missing would change the meaning of the test.
    """
    known = ", ".join(map(str, conditions.columns))
    if chosen.stratify_by is not None and chosen.stratify_by not in conditions:
        raise ConfigError(
            f"The experiment sheet has no column '{chosen.stratify_by}'",
            where="killing.survival.stratify_by",
            fix=f"name one of: {known}",
        )
    effects = {
        chosen.group_by: "movies are shown one by one, conditions are not compared",
        chosen.control_column: "no specific lysis",
    }
    return [
        f"The sheet has no column '{column}': {effect} (columns: {known})"
        for column, effect in effects.items()
        if column is not None and column not in conditions
    ]
