"""Which tables a run writes, under which names, and what their columns mean."""

from __future__ import annotations

from typing import Any

from cyto_kedro.core import schemas
from cyto_kedro.core.table import TableSpec

# Below the folder of the run; each table lies beside it as Parquet too.
OUTPUT: tuple[tuple[str, TableSpec], ...] = (
    ("experiment_results.csv", schemas.EXPERIMENT_RESULT),
    ("survival.csv", schemas.SURVIVAL),
    ("competing_risks.csv", schemas.COMPETING_RISKS),
    ("lysis.csv", schemas.LYSIS),
    ("rates.csv", schemas.RATES),
    ("serial_killing.csv", schemas.SERIAL_KILLING),
    ("kill_distribution.csv", schemas.KILL_DISTRIBUTION),
    ("first_kill.csv", schemas.FIRST_KILL),
    ("et_ratio.csv", schemas.ET_RATIO),
    ("superplot.csv", schemas.SUPERPLOT),
    ("comparisons.csv", schemas.COMPARISONS),
    ("et_dependence.csv", schemas.ET_DEPENDENCE),
    ("control_threshold.csv", schemas.CONTROL_THRESHOLD),
    ("<movie>/result_table.csv", schemas.RESULT),
    ("<movie>/cells.csv", schemas.CELLS),
    ("<movie>/<role>_track_summary.csv", schemas.TRACK_SUMMARY),
    ("<movie>/<role>_msd.csv", schemas.MSD),
    ("<movie>/<role>_persistence.csv", schemas.PERSISTENCE),
    ("<movie>/<role>_motion_fit.csv", schemas.MOTION_FIT),
    ("<movie>/<role>_suspicious_events.csv", schemas.SUSPICIOUS_EVENTS),
    ("<movie>/<effector>_<target>_contact_episodes.csv", schemas.EPISODES),
    ("<movie>/<effector>_<target>_contact_motion.csv", schemas.CONTACT_MOTION),
    ("<movie>/<effector>_<target>_contact_rates.csv", schemas.CONTACT_RATES),
    ("<movie>/<role>_deaths.csv", schemas.DEATHS),
    ("<movie>/<role>_death_evidence.csv", schemas.DEATH_EVIDENCE),
    ("<movie>/<target>_attribution.csv", schemas.ATTRIBUTION),
    ("<movie>/<target>_attribution_chance.csv", schemas.ATTRIBUTION_CHANCE),
    ("<movie>/<target>_killers.csv", schemas.KILLERS),
    ("<movie>/<target>_sensitivity.csv", schemas.SENSITIVITY),
    ("<movie>/<target>_attribution_density.csv", schemas.ATTRIBUTION_DENSITY),
    ("<movie>/<target>_hit_model.csv", schemas.HIT_MODEL),
    ("<movie>/kills.csv", schemas.KILLS),
    ("<movie>/<target>_killing_capacity.csv", schemas.KILLING_CAPACITY),
    ("<movie>/<target>_delayed_viability.csv", schemas.DELAYED_VIABILITY),
    ("<movie>/<role>_selection.csv", schemas.SELECTION),
    ("<movie>/<role>_selection_steps.csv", schemas.SELECTION_STEPS),
    ("<movie>/cross_features.csv", schemas.FEATURES),
    ("<movie>/channel_correlation.csv", schemas.CHANNEL_CORRELATION),
    ("<movie>/network_metrics.csv", schemas.NETWORK_METRICS),
    ("<movie>/network_mixing.csv", schemas.NETWORK_MIXING),
    ("<movie>/<role>_density_map.csv", schemas.DENSITY),
)
# Below <scratch_root>/<dataset>/<movie>/<workflow>.
SCRATCH: tuple[tuple[str, TableSpec], ...] = (
    ("frame_stats.parquet", schemas.FRAME_STATS),
    ("drift.parquet", schemas.DRIFT),
    ("deformation.parquet", schemas.DEFORMATION),
    ("residual_motion.parquet", schemas.RESIDUAL_MOTION),
    ("<channel>/intensity_range.parquet", schemas.INTENSITY_RANGE),
    ("<role>/detections.parquet", schemas.DETECTIONS),
    ("<role>/frame_counts.parquet", schemas.FRAME_COUNTS),
    ("<role>/tracks.parquet", schemas.TRACKS),
    ("<role>/kinematics.parquet", schemas.KINEMATICS),
    ("<effector>_<target>/contacts.parquet", schemas.CONTACTS),
    ("<effector>_<target>/nearest_target.parquet", schemas.NEAREST),
    ("<role>/viability.parquet", schemas.VIABILITY),
)


def dictionary_rows(conditions: dict[str, str]) -> list[dict[str, Any]]:
    """One row per column: table, storage, file, column, dtype, unit, meaning.

    Args:
        conditions: dtype of each condition column, which end the experiment table.
    """
    rows: list[dict[str, Any]] = []
    for storage, tables in (("output", OUTPUT), ("scratch", SCRATCH)):
        for file, spec in tables:
            start = {"table": spec.name, "storage": storage, "file": file}
            rows += [
                start | row | {"column": _readable(row["column"])}
                for row in spec.dictionary()
            ]
            if spec is schemas.EXPERIMENT_RESULT:
                rows += [start | _condition(*item) for item in conditions.items()]
    return rows


def _condition(name: str, dtype: str) -> dict[str, Any]:
    return {
        "column": name,
        "dtype": dtype,
        "unit": "",
        "nullable": True,
        "meaning": "condition column of the experiment sheet",
    }


def _readable(column: str) -> str:
    """``mean_<channel>`` for the pattern ``^mean_.+$``; other names as they are."""
    return column.removeprefix("^").removesuffix("$").replace(".+", "<channel>")
