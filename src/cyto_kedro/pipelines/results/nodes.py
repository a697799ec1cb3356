"""Nodes of the results pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.results import experiment, summary
from cyto_kedro.methods.results.quality import drift_um, quality_warnings
from cyto_kedro.methods.results.table import result_table
from cyto_kedro.pipelines.results.params import ResultsParams


def collect_movie(**data: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The result table of one movie, and how its rows join to masks and tracks.

    Args:
        data: TRACKS and KINEMATICS of each role as ``tracks:<role>`` and
            ``kinematics:<role>``, CONTACTS as ``contacts:<pair>``, VIABILITY as
            ``viability:<target>``; ``channels`` names the layout's channels.

    Returns:
        Tables RESULT and CELLS.
    """
    return result_table(
        _each(data, "tracks"),
        _each(data, "kinematics"),
        _each(data, "contacts"),
        _each(data, "viability"),
        data["channels"],
    )


def summarise(
    calibration: Calibration,
    options: ResultsParams,
    frame_stats: pd.DataFrame,
    drift: pd.DataFrame,
    residual_motion: pd.DataFrame,
    **data: Any,
) -> dict[str, Any]:
    """The numbers on top of a movie's report and its quality warnings, JSON-able.

    Args:
        calibration: Geometry and time base.
        options: Limits of the warnings.
        frame_stats: Table FRAME_STATS.
        drift: Table DRIFT.
        residual_motion: Table RESIDUAL_MOTION.
        data: FRAME_COUNTS, KINEMATICS, TRACK_SUMMARY and MSD of each role as
            ``frame_counts:<role>``, ``kinematics:<role>``, ``track_summary:<role>`` and
            ``msd:<role>``; SUSPICIOUS_EVENTS as ``events:<role>``; EPISODES as
            ``episodes:<pair>``, DEATHS as ``deaths:<target>``; ``kinds`` maps each
            role to its kind.
    """
    counts, tracks = _each(data, "frame_counts"), _each(data, "track_summary")
    kinematics, msd = _each(data, "kinematics"), _each(data, "msd")
    roles = {
        role: summary.role_facts(
            kind, counts[role], kinematics[role], tracks[role], msd[role]
        )
        for role, kind in data["kinds"].items()
    }
    deaths, episodes = _each(data, "deaths"), _each(data, "episodes")
    events = _each(data, "events")
    return summary.movie_facts(calibration) | {
        "drift_max_um": summary.number(drift_um(drift, calibration).max()),
        "roles": roles,
        "suspicious": {r: summary.event_counts(t) for r, t in events.items()},
        "deaths": {role: summary.death_facts(t) for role, t in deaths.items()},
        "contacts": {pair: summary.contact_facts(t) for pair, t in episodes.items()},
        "warnings": quality_warnings(
            calibration,
            options.qc,
            frame_stats,
            drift,
            residual_motion,
            counts,
            tracks,
        ),
    }


def collect_results(
    results: dict[str, pd.DataFrame],
    cells: dict[str, pd.DataFrame],
    conditions: pd.DataFrame,
) -> pd.DataFrame:
    """Table EXPERIMENT_RESULT: all movies' rows with the sheet's condition columns.

    Args:
        results: RESULT by movie; a movie that failed is absent.
        cells: CELLS by movie.
        conditions: One row per movie of the sheet.
    """
    return experiment.experiment_table(results, cells, conditions)


def data_dictionary(conditions: pd.DataFrame) -> pd.DataFrame:
    """Every column that a run writes, with its file, dtype, unit and meaning.

    Args:
        conditions: The sheet, whose condition columns are listed too.
    """
    return experiment.dictionary_table(conditions)


def _each(data: dict[str, Any], what: str) -> dict[str, pd.DataFrame]:
    start = f"{what}:"
    return {k[len(start) :]: t for k, t in data.items() if k.startswith(start)}
