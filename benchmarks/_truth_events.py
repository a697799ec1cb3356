"""Score contacts, deaths, killers and drift of a movie against its truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from _truth import Matches, error, row

DEATH_TOLERANCE_FRAMES = 3


# -- contacts -------------------------------------------------------------------------


def score_contacts(
    contacts: pd.DataFrame, truth: pd.DataFrame, effector: Matches, target: Matches
) -> Iterator[dict[str, object]]:
    """Touching pairs per frame, through the matches of both cells."""
    role = "tcell-cancer"
    sides = {"effector": effector, "target": target}
    found = contacts[contacts["in_contact"]]
    visible = truth[["frame", "effector_id", "target_id"]]
    detected = visible
    for side, matches in sides.items():
        names = {"label": f"{side}_label", "cell_id": f"{side}_id"}
        pairs = matches.pairs.rename(columns=names)
        found = found.merge(pairs, on=["frame", f"{side}_label"], how="left")
        seen = matches.truth.rename(columns=names)[["frame", f"{side}_id"]]
        visible = visible.merge(seen, on=["frame", f"{side}_id"])
        detected = detected.merge(
            pairs[["frame", f"{side}_id"]], on=["frame", f"{side}_id"]
        )
    keys = ["frame", "effector_id", "target_id"]
    right = found.dropna(subset=keys)[keys].astype(np.int64).merge(visible, on=keys)
    yield row(role, "contact precision", len(right), len(found))
    yield row(role, "contact recall", len(right), len(visible))
    yield row(
        role, "contact recall, both cells detected", len(right), len(detected[keys])
    )


# -- deaths and killers ---------------------------------------------------------------


def match_deaths(
    deaths: pd.DataFrame, owner: pd.Series, truth: pd.DataFrame
) -> pd.DataFrame:
    """True deaths with the found death of the cell's track nearest in time.

    Args:
        deaths: Our table DEATHS of one role.
        owner: True cell by track id.
        truth: Truth table of deaths.

    Returns:
        Columns of ``truth`` plus track_id and found_min; one row per matched death.
    """
    found = deaths[deaths["death_frame"].notna()]
    found = found.assign(target_id=found["track_id"].map(owner))
    names = {"death_frame": "found_frame", "death_time_min": "found_min"}
    columns = ["target_id", "track_id", "found_frame", "found_min"]
    pairs = truth.merge(found.rename(columns=names)[columns], on="target_id")
    pairs = pairs.assign(off=(pairs["found_frame"] - pairs["death_frame"]).abs())
    near = pairs[pairs["off"] <= DEATH_TOLERANCE_FRAMES]
    return near.sort_values(["target_id", "off"]).drop_duplicates("target_id")


def score_deaths(
    role: str, deaths: pd.DataFrame, owner: pd.Series, truth: pd.DataFrame
) -> Iterator[dict[str, object]]:
    """Deaths within +-3 frames on the right cell, and the error of their times."""
    matched = match_deaths(deaths, owner, truth)
    hits = len(matched)
    found = int(deaths["death_frame"].notna().sum())
    yield row(role, "death precision", hits, found)
    yield row(role, "death recall", hits, len(truth))
    late = matched["found_min"] - matched["death_min"]
    yield error(
        role, "death time error (min), mean absolute", float(late.abs().mean()), hits
    )


def score_attribution(
    role: str,
    attribution: pd.DataFrame,
    matched: pd.DataFrame,
    killed: int,
    effectors: pd.DataFrame,
) -> Iterator[dict[str, object]]:
    """Credit that our rules give to the true killer.

    Args:
        role: Target role.
        attribution: Our table ATTRIBUTION.
        matched: Matched deaths of :func:`match_deaths`.
        killed: Killed targets in the truth: a missed death names no killer.
        effectors: Points of the T cell tracks from :func:`named`. A suspect is who its
            track shows at the hit.
    """
    kills = matched[matched["cause"] == "killed"]
    rows = kills.merge(attribution, left_on="track_id", right_on="target_track_id")
    shown = [
        shown_cell(effectors, suspect, hit)
        for suspect, hit in zip(
            rows["effector_track_id"], rows["hit_frame"], strict=True
        )
    ]
    guilty = rows[np.array(shown) == rows["effector_id"].to_numpy(float)]
    nearest, shared = guilty["credit_nearest"].sum(), guilty["credit_shared"].sum()
    by_lot = (1.0 / guilty["n_candidates"]).sum()
    yield row(role, "killer named by the nearest rule", float(nearest), killed)
    yield row(role, "shared credit on the true killer, mean", float(shared), killed)
    yield row(role, "the same by lot among candidates", float(by_lot), killed)


def shown_cell(points: pd.DataFrame, track: object, frame: float) -> float:
    """True cell that a track shows in the frame nearest to this one; NaN if none."""
    if pd.isna(track):
        return float("nan")
    seen = points[(points["track_id"] == track) & points["cell_id"].notna()]
    if seen.empty:
        return float("nan")
    nearest = (seen["frame"] - frame).abs().to_numpy().argmin()
    return float(seen["cell_id"].iloc[nearest])


# -- drift ----------------------------------------------------------------------------


def score_drift(
    drift: pd.DataFrame, truth: pd.DataFrame
) -> Iterator[dict[str, object]]:
    """Our shift undoes the motion of the stage: their sum is the error."""
    both = drift.merge(truth, on="frame", suffixes=("", "_true"))
    wrong = np.hypot(
        both["dy_px"] + both["dy_px_true"], both["dx_px"] + both["dx_px_true"]
    )
    n = len(both)
    yield error("movie", "drift error (px), mean", float(wrong.mean()), n)
    yield error("movie", "drift error (px), largest", float(wrong.max()), n)
