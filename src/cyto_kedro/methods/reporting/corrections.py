"""Deaths and kills after a person has looked at them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import ATTRIBUTION, DEATHS


def correct_deaths(
    deaths: pd.DataFrame, judged: pd.DataFrame, calibration: Calibration
) -> pd.DataFrame:
    """DEATHS with rejected deaths taken back, found ones added, frames put right.

    A cell whose death is rejected lived until its track ended: at the end of the movie,
    or lost. Cells that nobody judged stay as they are.

    Args:
        deaths: Table DEATHS of one role.
        judged: Rows of kind ``death`` of this role and movie: ``track_id``, ``frame``,
            ``answer``, ``corrected_frame`` (<NA> = as asked).
        calibration: Time base.
    """
    table = deaths.copy().set_index("track_id")
    exits: dict[Any, Any] = table["exit_frame"].to_dict()
    reasons: dict[Any, Any] = table["reason"].to_dict()
    last = calibration.n_frames - 1
    for row in judged[judged["answer"].isin(["yes", "no"])].to_dict(orient="records"):
        track = int(row["track_id"])
        if row["answer"] == "no":
            if reasons[track] == "died":
                ended = exits[track] >= last
                table.at[track, "reason"] = "end_of_movie" if ended else "lost"
                table.at[track, "death_frame"] = pd.NA
                table.at[track, "death_time_min"] = np.nan
                table.at[track, "censored"] = True
            continue
        frame = row["corrected_frame"]
        if pd.isna(frame):
            # A confirmed call keeps its own, finer time.
            if reasons[track] == "died":
                continue
            frame = row["frame"]
        table.at[track, "reason"] = "died"
        table.at[track, "death_frame"] = int(frame)
        table.at[track, "death_time_min"] = float(calibration.times_min[int(frame)])
        table.at[track, "censored"] = False
    return DEATHS.conform(table.reset_index()[list(DEATHS.columns)])


def correct_attribution(
    attribution: pd.DataFrame, deaths: pd.DataFrame, judged: pd.DataFrame
) -> pd.DataFrame:
    """ATTRIBUTION of the corrected deaths with rejected candidates left out.

    A confirmed killer takes all credit (several share it); what is left after a
    rejection is scaled to sum up again. A death that a person added has no candidates
    here: its contacts were not asked for.

    Args:
        attribution: Table ATTRIBUTION of one target role.
        deaths: Its corrected DEATHS.
        judged: Rows of kind ``kill`` of this role and movie: ``track_id`` (victim),
            ``other_role``, ``other_track_id`` (candidate), ``answer``.
    """
    died = set(deaths.loc[deaths["reason"] == "died", "track_id"])
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
    kept = attribution[attribution["target_track_id"].isin(died)]
    # Record by record: a death without candidates has columns of <NA> alone.
    rows = [
        row
        for _, part in kept.groupby("target_track_id")
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
