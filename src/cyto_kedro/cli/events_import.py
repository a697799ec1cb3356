"""`kedro cyto events import`: agreement with a person, and corrected results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cyto_kedro.cli.events import FILLED, KEY, ORIGIN
from cyto_kedro.cli.events_replay import Replayed, replay
from cyto_kedro.cli.finished import FinishedRun
from cyto_kedro.core.atomic import staged
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.schemas import REVIEW
from cyto_kedro.methods.reporting.agreement import agreement_table, agreement_words
from cyto_kedro.pipelines.reporting.wording import p_value

# What people write for the three answers.
_ANSWERS = {
    "yes": "yes",
    "y": "yes",
    "true": "yes",
    "1": "yes",
    "no": "no",
    "n": "no",
    "false": "no",
    "0": "no",
    "": "",
    "unclear": "",
    "?": "",
}


@dataclass(frozen=True)
class Outcome:
    """What came of a check by eye.

    Attributes:
        folder: Where agreement and corrected tables lie.
        words: Agreement, and what changed, in sentences.
    """

    folder: Path
    words: list[str]


def origin_of(sheet: Path) -> str:
    """The run that a sheet was exported from.

    Raises:
        InputError: The file that says so is not beside it.
    """
    try:
        return str(json.loads((sheet.parent / ORIGIN).read_text("utf-8"))["run_id"])
    except (OSError, ValueError, KeyError) as exc:
        raise InputError(
            "The sheet does not lie in the folder that it was exported to",
            where=str(sheet),
            fix=f"put it back beside {ORIGIN} and {KEY}",
        ) from exc


def import_events(run: FinishedRun, sheet: Path) -> Outcome:
    """Agreement with the sheet's answers, and all results that hang on them.

    Args:
        run: The run that the sheet was exported from.
        sheet: The filled sheet.

    Raises:
        InputError: The sheet cannot be understood.
    """
    judged = read_sheet(sheet)
    for movie in run.movies():
        known = Calibration.model_validate(run.load("calibration", movie))
        _check_frames(judged[judged["movie"] == movie], known)
    agreement = agreement_table(judged)
    folder = sheet.parent / "corrected"
    found = replay(run, judged)
    words = [agreement_words(row) for _, row in agreement.iterrows()]
    with staged(folder) as stage:
        stage.mkdir()
        agreement.to_csv(stage / "agreement.csv", index=False)
        for movie, tables in found.movies.items():
            _write(stage / movie, tables)
        _write(stage, found.experiment)
    return Outcome(folder, words + _changes(run, found))


def _write(folder: Path, made: dict[str, Any]) -> None:
    """Tables as CSV and documents as JSON, by the names of the run's own files."""
    folder.mkdir(exist_ok=True)
    for name, data in made.items():
        stem = folder / name.split("@")[0].replace(".", "_")
        if isinstance(data, pd.DataFrame):
            data.to_csv(stem.with_name(f"{stem.name}.csv"), index=False)
        elif isinstance(data, dict):
            text = json.dumps(data, indent=1) + "\n"
            stem.with_name(f"{stem.name}.json").write_text(text, encoding="utf-8")


def read_sheet(path: Path) -> pd.DataFrame:
    """The key with the answers of a sheet; rows that are missing there are open.

    Raises:
        InputError: An id is unknown or twice there, an answer is not understood, or a
            frame is no number.
    """
    try:
        sheet = pd.read_csv(path, dtype=str, keep_default_na=False)
        key = REVIEW.conform(pd.read_csv(path.parent / KEY))
    except (OSError, ValueError) as exc:
        raise InputError(f"Not a sheet of events: {exc}", where=str(path)) from exc
    missing = [n for n in ("event_id", *FILLED[:2]) if n not in sheet]
    if missing:
        raise InputError(f"The sheet lacks {', '.join(missing)}", where=str(path))
    _check_ids(sheet["event_id"], key["event_id"], path)
    said = sheet["answer"].str.strip().str.lower()
    strange = sorted(set(said) - set(_ANSWERS))
    if strange:
        rows = ", ".join(sheet.loc[said.isin(strange), "event_id"].head(5))
        raise InputError(
            f"'{strange[0]}' is no answer ({rows})",
            where=str(path),
            fix="write yes or no; leave it empty if you cannot tell",
        )
    frames = pd.to_numeric(sheet["corrected_frame"].str.strip(), errors="coerce")
    wrong = frames.isna() & sheet["corrected_frame"].str.strip().ne("")
    wrong |= frames.notna() & ((frames % 1 != 0) | (frames < 0))
    if wrong.any():
        raise InputError(
            "A corrected frame is no frame number",
            where=f"{path}, {sheet.loc[wrong, 'event_id'].iloc[0]}",
            fix="frames count from 0, as in the pictures",
        )
    answers = pd.DataFrame(
        {
            "event_id": sheet["event_id"],
            "answer": said.map(_ANSWERS),
            "corrected_frame": frames.astype("Int64"),
        }
    )
    joined = key.merge(answers, on="event_id", how="left", validate="1:1")
    return joined.assign(answer=joined["answer"].fillna(""))


def _check_ids(ids: pd.Series, known: pd.Series, path: Path) -> None:
    twice = ids[ids.duplicated()]
    unknown = ids[~ids.isin(known)]
    if len(twice) or len(unknown):
        what = "twice in the sheet" if len(twice) else "not in the key"
        first = (twice if len(twice) else unknown).iloc[0]
        raise InputError(f"Event '{first}' is {what}", where=str(path))


def _check_frames(own: pd.DataFrame, known: Calibration) -> None:
    late = own[own["corrected_frame"].fillna(0) >= known.n_frames]
    if len(late):
        raise InputError(
            f"Frame {late['corrected_frame'].iloc[0]} is beyond the movie",
            where=f"{late['event_id'].iloc[0]}, movie {known.movie}",
            fix=f"frames are 0 to {known.n_frames - 1}",
        )


def _changes(run: FinishedRun, found: Replayed) -> list[str]:
    """What the corrections changed, in words."""
    words = [f"{movie}: {note}" for movie, note in found.notes]
    for role, number in found.divisions.items():
        words.append(f"{role}: {number[0]} divisions before, {number[1]} after")
    if "comparison" not in found.experiment:
        return words
    old, new = run.load("comparison"), found.experiment["comparison"]
    for role, now in new["roles"].items():
        was = old["roles"][role]
        counts = [
            sum(g["n_deaths"] for g in r["groups"] if g["level"] == "movie")
            for r in (was, now)
        ]
        sentence = f"{role}: {counts[0]} deaths before, {counts[1]} after correction"
        if was["test"] is not None and now["test"] is not None:
            tests = [p_value(r["test"]["p_cells"]) for r in (was, now)]
            sentence += f"; log-rank over cells {tests[0]} before, {tests[1]} after"
        words.append(sentence)
    return words
