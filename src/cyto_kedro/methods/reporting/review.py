"""Which events a person looks at: all that were called, and as many that were not.

A sheet of called events alone cannot show agreement beyond chance, and a person who
knows what was called tends to confirm it. So rows that were not called are drawn at
random, all are shuffled, and what was called is kept in another file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.schemas import REVIEW
from cyto_kedro.methods.reporting.crops import evenly

#: What a person can be asked about.
KINDS = ("death", "kill", "division", "contact")
_COLUMNS = [
    "kind",
    "role",
    "track_id",
    "other_role",
    "other_track_id",
    "frame",
    "called",
]


def review_events(
    movie: str,
    calibration: Calibration,
    tracks: Mapping[str, pd.DataFrame],
    deaths: Mapping[str, pd.DataFrame],
    attribution: Mapping[str, pd.DataFrame],
    contacts: Iterable[tuple[pd.DataFrame, pd.DataFrame]],
    controls: float,
    most: int,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Deaths, kills, divisions and contacts of one movie, and controls.

    Args:
        movie: Movie id.
        calibration: Time base.
        tracks: TRACKS of every role.
        deaths: DEATHS of the target roles.
        attribution: ATTRIBUTION of the target roles; may lack some.
        contacts: CONTACTS and EPISODES of each pair of roles.
        controls: Events that were not called, per called one.
        most: Called events of each kind and role, evenly chosen over time.
        random: Draws the controls.

    Returns:
        Table REVIEW without ``event_id`` and ``question``.
    """
    parts = []
    for role, table in deaths.items():
        parts.append(_deaths(role, table, controls, most, random))
        if role in attribution:
            parts.append(_kills(role, attribution[role], controls, most, random))
    for role, table in tracks.items():
        parts.append(_divisions(role, table, controls, most, random))
    for pairs, episodes in contacts:
        parts.append(_contacts(pairs, episodes, controls, most, random))
    filled = [part for part in parts if len(part)]
    table = pd.concat(filled or [pd.DataFrame(columns=_COLUMNS)], ignore_index=True)
    table.insert(0, "movie", movie)
    table["time_min"] = calibration.times_min[table["frame"].astype(np.int64)]
    return table


def numbered(events: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Shuffled events of all movies with ids and questions (REVIEW)."""
    if events.empty:
        return REVIEW.empty()
    table = events.iloc[random.permutation(len(events))].reset_index(drop=True)
    table["event_id"] = [f"E{number:04d}" for number in range(1, len(table) + 1)]
    table["question"] = [_question(row) for _, row in table.iterrows()]
    return REVIEW.conform(table[list(REVIEW.columns)])


def _question(row: pd.Series) -> str:
    who = f"{row['role']} {int(row['track_id'])}"
    when = f"{row['time_min']:.0f} min"
    if row["kind"] == "death":
        return f"Does {who} die at about {when}?"
    if row["kind"] == "division":
        return f"Does {who} divide at about {when}?"
    other = f"{row['other_role']} {int(row['other_track_id'])}"
    if row["kind"] == "contact":
        return f"Do {who} and {other} touch at {when}?"
    return f"Did {other} kill {who}, which was called dead at {when}?"


def _deaths(
    role: str,
    deaths: pd.DataFrame,
    controls: float,
    most: int,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Deaths, and living cells at the times of deaths if they were in view then."""
    died = deaths[deaths["reason"] == "died"].sort_values(["death_frame", "track_id"])
    died = died.iloc[evenly(len(died), most)]
    called = _rows("death", role, died["track_id"], died["death_frame"], True)
    alive = deaths[deaths["censored"] & (deaths["reason"] != "dead_at_entry")]
    # A single sight cannot be judged.
    alive = alive[alive["exit_frame"] > alive["entry_frame"]]
    alive = _drawn(alive, controls * max(len(died), 1), random)
    frames = random.integers(alive["entry_frame"] + 1, alive["exit_frame"] + 1)
    return _joined(called, _rows("death", role, alive["track_id"], frames, False))


def _kills(
    role: str,
    attribution: pd.DataFrame,
    controls: float,
    most: int,
    random: np.random.Generator,
) -> pd.DataFrame:
    """The likeliest killer of each death, and other candidates."""
    named = attribution[attribution["effector_track_id"].notna()].sort_values(
        ["death_frame", "target_track_id", "credit_hazard", "credit_shared"],
        ascending=[True, True, False, False],
    )
    # Where nobody is likelier, the model names no killer.
    first = ~named.duplicated("target_track_id")
    likely = named["credit_hazard"] > named["background_probability"]
    leading = named[first & likely]
    leading = leading.iloc[evenly(len(leading), most)]
    others = _drawn(named[~first], controls * max(len(leading), 1), random)
    parts = []
    for table, called in ((leading, True), (others, False)):
        rows = _rows(
            "kill", role, table["target_track_id"], table["death_frame"], called
        )
        rows["other_role"] = table["effector"].to_numpy()
        rows["other_track_id"] = table["effector_track_id"].to_numpy()
        parts.append(rows)
    return _joined(*parts)


def _divisions(
    role: str,
    tracks: pd.DataFrame,
    controls: float,
    most: int,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Mothers at their last frame, and other cells at some frame of theirs."""
    daughters = tracks.drop_duplicates("track_id")["parent_track_id"].value_counts()
    mothers = daughters.index[daughters >= 2].astype("int64")
    span = tracks.groupby("track_id")["frame"].agg(["min", "max"])
    last = span.loc[span.index.isin(mothers), "max"].sort_values(kind="stable")
    last = last.iloc[evenly(len(last), most)]
    called = _rows("division", role, last.index, last, True)
    other = span[~span.index.isin(mothers) & (span["max"] > span["min"])]
    other = _drawn(other, controls * len(last), random)
    frames = random.integers(other["min"], other["max"])
    return _joined(called, _rows("division", role, other.index, frames, False))


def _contacts(
    contacts: pd.DataFrame,
    episodes: pd.DataFrame,
    controls: float,
    most: int,
    random: np.random.Generator,
) -> pd.DataFrame:
    """Each contact where the cells are nearest, and pairs that only came near."""
    tracked = contacts.dropna(subset=["effector_track_id", "target_track_id"])
    pair = ["effector", "target", "effector_track_id", "target_track_id"]
    spans = episodes[[*pair, "episode", "first_frame", "last_frame"]]
    rows = tracked.merge(
        spans.astype({p: tracked[p].dtype for p in pair}), "left", pair
    )
    rows["within"] = rows["frame"].between(rows["first_frame"], rows["last_frame"])
    rows = rows.sort_values(["distance_um", "frame"], kind="stable")
    nearest = rows[rows["within"] & rows["in_contact"]].drop_duplicates(
        [*pair, "episode"]
    )
    nearest = nearest.sort_values(["frame", *pair]).iloc[evenly(len(nearest), most)]
    ever = rows.groupby([*pair, "frame"])["within"].transform("any")
    near = rows[~ever].drop_duplicates([*pair, "frame"])
    near = near.sort_values([*pair, "frame"])
    # One of each pair: pairs that stay near for long are not more of a question.
    shuffled = near.iloc[random.permutation(len(near))].drop_duplicates(pair)
    near = _drawn(shuffled.sort_values(pair), controls * max(len(nearest), 1), random)
    parts = []
    for table, called in ((nearest, True), (near, False)):
        own = _rows(
            "contact", "", table["effector_track_id"], table["frame"], called
        ).assign(
            role=table["effector"].to_numpy(), other_role=table["target"].to_numpy()
        )
        own["other_track_id"] = table["target_track_id"].to_numpy()
        parts.append(own)
    return _joined(*parts)


def _drawn(
    table: pd.DataFrame, count: float, random: np.random.Generator
) -> pd.DataFrame:
    """At most ``count`` rows at random, in their order."""
    size = min(len(table), int(np.ceil(count)))
    return table.iloc[np.sort(random.choice(len(table), size, replace=False))]


def _rows(
    kind: str, role: str, track: object, frame: object, called: bool
) -> pd.DataFrame:
    table = pd.DataFrame(
        {"track_id": np.asarray(track, np.int64), "frame": np.asarray(frame, np.int64)}
    )
    nobody = pd.array([pd.NA] * len(table), "Int64")
    return table.assign(
        kind=kind, role=role, called=called, other_role=None, other_track_id=nobody
    )


def _joined(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    both = [part for part in (first, second) if len(part)] or [first]
    return pd.concat(both, ignore_index=True)[_COLUMNS]
