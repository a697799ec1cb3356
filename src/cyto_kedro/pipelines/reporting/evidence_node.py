"""The node that draws an evidence card per death and lists all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import EPISODES, KILLS
from cyto_kedro.methods.reporting.crops import (
    Scene,
    evenly,
    frames_around,
    inside,
    read_crops,
    scene_of,
)
from cyto_kedro.methods.reporting.kills import card_name, kill_table
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.reporting.evidence import CardData, credits_of, draw_card
from cyto_kedro.pipelines.reporting.params import CardParams, ReportingParams
from cyto_kedro.pipelines.reporting.strip_svg import Strip, labels_of
from cyto_kedro.pipelines.reporting.style import role_colours


def draw_evidence(
    calibration: Calibration,
    options: ReportingParams,
    killing: KillingParams,
    drift: pd.DataFrame,
    **data: Any,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Evidence cards of the deaths, and all deaths with their likeliest killer.

    Only the frames that the cards show are read.

    Args:
        calibration: Geometry and time base.
        options: How many cards, how many frames, how large.
        killing: The window in which contacts count.
        drift: Table DRIFT.
        data: Per role and pair, keyed ``<what>:<role or pair>``; ``marker`` is the
            image of the death marker; ``kinds`` maps each role to its kind.

    Returns:
        Figures by card name; table KILLS.
    """
    kinds = data["kinds"]
    targets = [role for role, kind in kinds.items() if kind == "target"]
    scenes = {role: _scenes(role, data, calibration, options.cards) for role in targets}
    stacks = {
        name: stack
        for name, stack in data.items()
        if name == "marker" or name.split(":")[0] in ("image", "labels")
    }
    crops = read_crops([s for part in scenes.values() for s in part.values()], stacks)
    figures, tables = {}, []
    for role in targets:
        kills = kill_table(
            role,
            data[f"deaths:{role}"],
            data[f"death_evidence:{role}"],
            data.get(f"attribution:{role}"),
            set(scenes[role]),
        )
        tables.append(kills)
        for _, kill in kills[kills["card"].notna()].iterrows():
            scene = scenes[role][int(kill["target_track_id"])]
            valid = inside(scene, drift)
            card = _card(
                role, kill, scene, crops[scene.key], valid, calibration.times_min, data
            )
            window = killing.attribution.window_min
            figures[scene.key] = draw_card(
                card, role_colours(kinds), calibration, window
            )
    filled = [table for table in tables if len(table)]
    return figures, pd.concat(filled, ignore_index=True) if filled else KILLS.empty()


def _scenes(
    role: str, data: dict[str, Any], calibration: Calibration, options: CardParams
) -> dict[int, Scene]:
    """What to show of each death by track, deaths evenly chosen over time."""
    deaths = data[f"deaths:{role}"]
    died = deaths[deaths["reason"] == "died"].sort_values(["death_frame", "track_id"])
    tracks = data[f"tracks:{role}"]
    scenes = {}
    chosen = died.iloc[evenly(len(died), options.most)]
    both = zip(chosen["track_id"], chosen["death_frame"], strict=True)
    for track, frame in both:
        frames = frames_around(
            int(frame),
            calibration,
            options.before_min,
            options.after_min,
            options.frames,
        )
        own = tracks[tracks["track_id"] == track]
        name = card_name(role, track)
        scenes[int(track)] = scene_of(name, own, frames, calibration, options.size_um)
    return scenes


def _card(
    role: str,
    kill: pd.Series,
    scene: Scene,
    crops: dict[str, Any],
    valid: np.ndarray,
    times_min: np.ndarray,
    data: dict[str, Any],
) -> CardData:
    track = int(kill["target_track_id"])
    candidates = credits_of(data.get(f"attribution:{role}"), track)
    known = candidates[candidates["effector_track_id"].notna()]
    cells = [
        (str(role), int(track))
        for role, track in zip(
            known["effector"], known["effector_track_id"], strict=True
        )
    ]
    masks = {
        cell: labels_of(data[f"tracks:{cell[0]}"], cell[1], scene)
        for cell in [(role, track), *cells]
    }
    viability = data[f"viability:{role}"]
    deaths = data[f"deaths:{role}"]
    died = int(kill["death_frame"])
    titles = tuple(
        "death" if frame == died else f"{minutes:+.0f} min"
        for frame, minutes in zip(
            scene.frames,
            times_min[list(scene.frames)] - float(kill["death_time_min"]),
            strict=True,
        )
    )
    own = deaths.loc[deaths["track_id"] == track, "threshold"]
    return CardData(
        kill=kill,
        strip=Strip(scene, crops, valid, masks, titles, died),
        signal=viability[viability["track_id"] == track],
        threshold=float(own.iloc[0]),
        candidates=candidates,
        episodes=_episodes(role, track, data),
    )


def _episodes(role: str, track: int, data: dict[str, Any]) -> pd.DataFrame:
    """All contacts of one target, with any effector."""
    found = [
        table[(table["target"] == role) & (table["target_track_id"] == track)]
        for name, table in data.items()
        if name.startswith("episodes:")
    ]
    found = [table for table in found if len(table)]
    return pd.concat(found, ignore_index=True) if found else EPISODES.empty()
