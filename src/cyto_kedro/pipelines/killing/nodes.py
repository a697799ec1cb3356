"""Nodes of the killing pipeline."""

from __future__ import annotations

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.killing.attribution import attribute
from cyto_kedro.methods.killing.chance import attribution_chance, hit_model_chance
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
from cyto_kedro.pipelines.killing.attribution_params import AttributionParams
from cyto_kedro.pipelines.killing.checks import dose_of, prior_of
from cyto_kedro.pipelines.killing.death_params import DeathParams
from cyto_kedro.pipelines.killing.params import KillingParams


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
