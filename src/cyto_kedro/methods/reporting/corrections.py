"""Deaths, contacts and kills after a person has looked at them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION, CONTACTS, DEATHS, VIABILITY
from cyto_kedro.methods.killing.death import DEAD_AT_ENTRY, DIED, end_reasons


def correct_deaths(
    deaths: pd.DataFrame,
    judged: pd.DataFrame,
    tracks: pd.DataFrame,
    calibration: Calibration,
    border_margin_um: float,
) -> pd.DataFrame:
    """DEATHS with rejected deaths taken back, found ones added, frames put right.

    A cell whose death is rejected lived until its track ended, by division, at the end
    of the movie, at the edge, or lost. One that was dead when it came into view was
    dead at entry. Cells that nobody judged stay as they are.

    Args:
        deaths: Table DEATHS of one role.
        judged: Rows of kind ``death`` of this role and movie: ``track_id``, ``frame``,
            ``answer``, ``corrected_frame`` (<NA> = as asked).
        tracks: Table TRACKS of the role.
        calibration: Geometry and time base.
        border_margin_um: A track that ends this near to the edge left the field.
    """
    table = deaths.copy().set_index("track_id")
    reasons: dict[Any, Any] = table["reason"].to_dict()
    entries: dict[Any, Any] = table["entry_frame"].to_dict()
    tail = tracks.sort_values("frame").drop_duplicates("track_id", keep="last")
    ends = end_reasons(tracks, tail, calibration, border_margin_um)
    end_of = dict(zip(tail["track_id"], ends, strict=True))
    for row in judged[judged["answer"].isin(["yes", "no"])].to_dict(orient="records"):
        track = int(row["track_id"])
        if row["answer"] == "no":
            if reasons[track] == DIED:
                _set_end(table, track, end_of[track])
            continue
        frame = row["corrected_frame"]
        if pd.isna(frame):
            # A confirmed call keeps its own, finer time.
            if reasons[track] == DIED:
                continue
            frame = row["frame"]
        if int(frame) <= entries[track]:
            _set_end(table, track, DEAD_AT_ENTRY)
            continue
        table.at[track, "reason"] = DIED
        table.at[track, "death_frame"] = int(frame)
        table.at[track, "death_time_min"] = float(calibration.times_min[int(frame)])
        table.at[track, "censored"] = False
    return DEATHS.conform(table.reset_index()[list(DEATHS.columns)])


def _set_end(table: pd.DataFrame, track: int, reason: str) -> None:
    table.at[track, "reason"] = reason
    table.at[track, "death_frame"] = pd.NA
    table.at[track, "death_time_min"] = np.nan
    table.at[track, "censored"] = True


def correct_viability(
    viability: pd.DataFrame, deaths: pd.DataFrame, judged: pd.DataFrame
) -> pd.DataFrame:
    """VIABILITY with ``alive`` by the corrected deaths of the cells that were judged.

    Signal and probability stay: they are what was measured.

    Args:
        viability: Table VIABILITY of one role.
        deaths: Its corrected DEATHS.
        judged: Rows of kind ``death``, as for :func:`correct_deaths`.
    """
    answered = judged.loc[judged["answer"].isin(["yes", "no"]), "track_id"]
    own = deaths.set_index("track_id")
    dead_from = own["death_frame"].astype("Float64").fillna(np.inf).astype("float64")
    dead_from[own["reason"] == DEAD_AT_ENTRY] = -np.inf
    rows = viability["track_id"].isin(answered)
    until = dead_from.reindex(viability.loc[rows, "track_id"]).to_numpy()
    alive = viability["alive"].copy()
    alive[rows] = viability.loc[rows, "frame"].to_numpy() < until
    return VIABILITY.conform(viability.assign(alive=alive))


def correct_contacts(
    contacts: pd.DataFrame, episodes: pd.DataFrame, judged: pd.DataFrame
) -> pd.DataFrame:
    """CONTACTS with rejected episodes taken back, found contacts added.

    A rejection clears ``in_contact`` in the whole episode around the frame that was
    judged, a find sets it in that frame; distances stay as measured.

    Args:
        contacts: Table CONTACTS of one pair of roles.
        episodes: Table EPISODES made from it.
        judged: Rows of kind ``contact``: ``track_id`` (effector), ``other_track_id``
            (target), ``frame``, ``answer``.
    """
    touching = contacts["in_contact"].copy()
    pair = ["effector_track_id", "target_track_id"]
    for row in judged[judged["answer"].isin(["yes", "no"])].to_dict(orient="records"):
        asked = (int(row["track_id"]), int(row["other_track_id"]))
        own = (contacts[pair] == asked).all(axis=1).fillna(False).astype(bool)
        frame = contacts["frame"]
        if row["answer"] == "yes":
            touching |= own & (frame == row["frame"])
            continue
        around = episodes[(episodes[pair] == asked).all(axis=1)]
        around = around[around["first_frame"] <= row["frame"]]
        around = around[around["last_frame"] >= row["frame"]]
        for first, last in zip(
            around["first_frame"], around["last_frame"], strict=True
        ):
            touching &= ~(own & frame.between(first, last))
    return CONTACTS.conform(contacts.assign(in_contact=touching))


def correct_attribution(
    attribution: pd.DataFrame, judged: pd.DataFrame
) -> pd.DataFrame:
    """ATTRIBUTION with rejected candidates left out.

    A confirmed killer takes all credit (several share it); what is left after a
    rejection is scaled to sum up again.

    Args:
        attribution: Table ATTRIBUTION of one target role, of the corrected deaths.
        judged: Rows of kind ``kill`` of this role and movie: ``track_id`` (victim),
            ``other_role``, ``other_track_id`` (candidate), ``answer``.
    """
    answers = {
        (int(v), str(r), int(k)): str(a)
        for v, r, k, a in zip(
            judged["track_id"],
            judged["other_role"],
            judged["other_track_id"],
            judged["answer"],
            strict=True,
        )
    }
    # Record by record: a death without candidates has columns of <NA> alone.
    rows = [
        row
        for _, part in attribution.groupby("target_track_id")
        for row in _of_one_death(part, answers).to_dict(orient="records")
    ]
    return ATTRIBUTION.conform(pd.DataFrame(rows)) if rows else ATTRIBUTION.empty()


def _of_one_death(
    part: pd.DataFrame, answers: dict[tuple[int, str, int], str]
) -> pd.DataFrame:
    said = pd.Series([_said(row, answers) for _, row in part.iterrows()], part.index)
    if not said.isin(["yes", "no"]).any():
        return part
    if (said == "yes").any():
        own = part[said == "yes"].copy()
        share = 1 / len(own)
        for rule in ("nearest", "shared", "hazard"):
            own[f"credit_{rule}"] = share
        own["credit_exclusive"] = float(len(own) == 1)
        return own.assign(background_probability=0.0, n_candidates=len(own))
    own = part[said != "no"].copy()
    return _rescaled(own) if len(own) else _nobody(part)


def _said(row: pd.Series, answers: dict[tuple[int, str, int], str]) -> str:
    if pd.isna(row["effector_track_id"]):
        return ""
    victim, killer = int(row["target_track_id"]), int(row["effector_track_id"])
    return answers.get((victim, str(row["effector"]), killer), "")


def _rescaled(own: pd.DataFrame) -> pd.DataFrame:
    """Credits of the candidates that are left, each rule by its own meaning."""
    shared = own["credit_shared"].sum()
    if shared > 0:
        own["credit_shared"] /= shared
    left = own["credit_hazard"].sum() + own["background_probability"].iloc[0]
    if left > 0:
        own["credit_hazard"] /= left
        own["background_probability"] /= left
    # The last to touch; of several, the nearest.
    order = own.sort_values(
        ["last_contact_min", "min_distance_um"], ascending=[False, True]
    )
    own["credit_nearest"] = (own.index == order.index[0]).astype(float)
    own["credit_exclusive"] = float(len(own) == 1)
    own["n_candidates"] = len(own)
    return own


def _nobody(part: pd.DataFrame) -> pd.DataFrame:
    """A death whose candidates were all rejected."""
    row = part.iloc[:1].copy()
    row["effector"], row["effector_track_id"] = None, pd.NA
    for name in ("nearest", "exclusive", "shared", "hazard"):
        row[f"credit_{name}"] = 0.0
    for name in ("contact_min", "last_contact_min", "min_distance_um"):
        row[name] = np.nan
    return row.assign(n_candidates=0, background_probability=1.0)
