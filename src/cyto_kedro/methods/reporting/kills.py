"""One row per death: when, by whom, how sure, and the same in a sentence."""

from __future__ import annotations

import pandas as pd

from cyto_kedro.core.schemas import KILLS

_CREDITS = ("credit_hazard", "credit_shared", "credit_nearest", "credit_exclusive")
_FIT = ("onset_low_min", "onset_high_min", "live_lost")


def kill_table(
    target: str,
    deaths: pd.DataFrame,
    evidence: pd.DataFrame,
    attribution: pd.DataFrame | None,
    cards: set[int] | None = None,
) -> pd.DataFrame:
    """The deaths of one role with their likeliest killer (KILLS), in order of time.

    The likeliest killer is the candidate with the largest credit of the hit model; of
    equals the one with the larger shared credit, then the smaller track number.

    Args:
        target: Target role.
        deaths: Table DEATHS.
        evidence: Table DEATH_EVIDENCE.
        attribution: Table ATTRIBUTION; None where there are no effectors.
        cards: Tracks whose evidence card was drawn.
    """
    died = deaths[deaths["reason"] == "died"]
    if died.empty:
        return KILLS.empty()
    table = died[["track_id", "death_frame", "death_time_min"]]
    fit = evidence[["track_id", *_FIT]]
    table = table.merge(fit, on="track_id", how="left", validate="1:1")
    table = table.rename(columns={"track_id": "target_track_id"})
    table = table.merge(_leading(attribution), on="target_track_id", how="left")
    table["n_candidates"] = table["n_candidates"].fillna(0)
    table["window_truncated"] = table["window_truncated"].eq(True)
    table["target"] = target
    drawn = table["target_track_id"].isin(cards or set())
    names = [card_name(target, track) for track in table["target_track_id"]]
    table["card"] = pd.Series(names, table.index, dtype=object).where(drawn, None)
    table["effector"] = table["effector"].astype(object)
    table["effector"] = table["effector"].where(table["effector"].notna(), None)
    table["words"] = [sentence(row) for _, row in table.iterrows()]
    table = table.sort_values(["death_time_min", "target_track_id"], ignore_index=True)
    return KILLS.conform(table[list(KILLS.columns)])


def card_name(target: str, track_id: int) -> str:
    """Name of the evidence card of one death; usable as a file name."""
    return f"{target}_{int(track_id):05d}"


def sentence(kill: pd.Series) -> str:
    """A row of KILLS in words."""
    who = f"{kill['target']} {int(kill['target_track_id'])}"
    text = f"{who} died at {kill['death_time_min']:.0f} min"
    if pd.isna(kill["effector_track_id"]):
        return f"{text}; no effector touched it in the window before."
    text += (
        f"; likeliest killer {kill['effector']} {int(kill['effector_track_id'])} "
        f"({kill['credit_hazard']:.0%} by the hit model"
    )
    others = int(kill["n_candidates"]) - 1
    text += ", the only candidate)" if others == 0 else f", {others} more touched it)"
    if kill["background_probability"] >= 0.5:
        text += f"; more likely nobody ({kill['background_probability']:.0%})"
    return text + "."


def hit_words(hit_model: pd.DataFrame) -> list[str]:
    """What the hit model found, one sentence per effector role (HIT_MODEL)."""
    words = []
    for row in hit_model.to_dict(orient="records"):
        if not row["hits_per_contact_hour"] > 0:
            continue
        words.append(
            f"The hit model gives {row['effector']} {row['expected_kills']:.1f} of "
            f"{row['n_deaths']} deaths: {row['hits_per_contact_hour']:.2g} lethal hits "
            f"per contact hour (95 % {row['hits_low']:.2g} to {row['hits_high']:.2g}), "
            f"{row['delay_mean_min']:.0f} min from contact to death "
            f"({row['delay_low_min']:.0f} to {row['delay_high_min']:.0f}), and "
            f"{row['background_per_hour']:.2g} deaths per target and hour by nobody."
        )
    return words


def _leading(attribution: pd.DataFrame | None) -> pd.DataFrame:
    """The likeliest candidate of each death."""
    columns = [
        "target_track_id",
        "effector",
        "effector_track_id",
        "n_candidates",
        *_CREDITS,
        "background_probability",
        "window_truncated",
        "track_confidence",
    ]
    if attribution is None:
        return KILLS.empty()[columns]
    order = attribution.sort_values(
        ["target_track_id", "credit_hazard", "credit_shared", "effector_track_id"],
        ascending=[True, False, False, True],
    )
    return order.drop_duplicates("target_track_id")[columns]
