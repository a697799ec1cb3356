"""Nodes of the reporting pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.killing.sensitivity import stability
from cyto_kedro.methods.reporting.checks import check_movie
from cyto_kedro.methods.reporting.kills import hit_words
from cyto_kedro.pipelines.networks.params import NetworksParams
from cyto_kedro.pipelines.reporting import charts, killing_charts, motion_charts
from cyto_kedro.pipelines.reporting.experiment_story import RunData
from cyto_kedro.pipelines.reporting.figure_data import (
    as_csv,
    kill_tables,
    movie_tables,
)
from cyto_kedro.pipelines.reporting.network_charts import snapshots
from cyto_kedro.pipelines.reporting.params import ReportingParams
from cyto_kedro.pipelines.reporting.story import compose_page
from cyto_kedro.pipelines.reporting.strip import movie_strip
from cyto_kedro.pipelines.reporting.style import (
    channel_colours,
    only_filled,
    role_colours,
)

_KILL_TABLES = (
    "killers",
    "killing_capacity",
    "hit_model",
    "attribution_chance",
    "sensitivity",
    "attribution_density",
)


def draw_movie(
    calibration: Calibration,
    options: ReportingParams,
    networks: NetworksParams,
    frame_stats: pd.DataFrame,
    drift: pd.DataFrame,
    residual_motion: pd.DataFrame,
    **data: Any,
) -> tuple[dict[str, Any], dict[str, str]]:
    """All matplotlib figures of one movie, and the numbers behind them.

    Args:
        calibration: Geometry and time base.
        options: What to show.
        networks: Edge limits.
        frame_stats: Table FRAME_STATS.
        drift: Table DRIFT.
        residual_motion: Table RESIDUAL_MOTION.
        data: Per role and pair, keyed ``<what>:<role or pair>``; ``kinds`` maps each
            role to its kind, ``shown_as`` each channel to a role or to ``death``;
            ``mixing`` is table NETWORK_MIXING, with two roles or more; ``kills`` table
            KILLS, with a death marker.

    Returns:
        Figures that show something, by name; CSV text by name. The table ``left_out``
        says which figures there are not, and why.
    """
    colours = role_colours(data["kinds"])
    parts = {name: each_of(data, name) for name in _PARTS}
    figures = {
        "strip": movie_strip(
            calibration,
            parts["image"],
            parts["labels"],
            parts["tracks"],
            colours,
            n_frames=options.strip_frames,
            tail_frames=options.tail_frames,
            scale_bar_um=options.scale_bar_um,
        ),
        "counts": charts.counts(parts["frame_counts"], colours),
        "speeds": charts.speeds(parts["kinematics"], colours),
        "paths": charts.paths(parts["tracks"], colours),
        "quality": charts.quality(
            frame_stats, drift, channel_colours(data["shown_as"], colours)
        ),
        "networks": snapshots(
            parts["tracks"], parts["contacts"], networks, calibration, colours
        ),
        "crowding": motion_charts.density_maps(parts["density_map"]),
    }
    if "mixing" in data:
        figures["mixing"] = motion_charts.mixing(data["mixing"])
    if parts["episodes"]:
        figures["dwell_times"] = charts.dwell_times(parts["episodes"])
        figures["contact_raster"] = charts.contact_raster(
            parts["episodes"], parts["deaths"], calibration
        )
        figures["around_contacts"] = motion_charts.around_contacts(
            parts["contact_motion"]
        )
    if parts["viability"]:
        figures["death_signals"] = charts.death_signals(
            parts["viability"], parts["deaths"]
        )
    tables = movie_tables(frame_stats, drift, residual_motion, parts)
    tables["checks"] = check_movie(
        calibration, frame_stats, drift, residual_motion, parts["frame_counts"]
    )
    if "mixing" in data:
        tables["mixing"] = data["mixing"]
    for target in parts["killers"]:
        drawn, behind = _draw_kills(target, calibration, data, parts)
        figures |= drawn
        tables |= behind
    figures, why = only_filled(figures)
    tables["left_out"] = pd.DataFrame(why.items(), columns=["figure", "reason"])
    return figures, as_csv(tables)


_PARTS = (
    "image",
    "labels",
    "tracks",
    "kinematics",
    "frame_counts",
    "contacts",
    "episodes",
    "contact_motion",
    "density_map",
    "track_summary",
    "viability",
    "deaths",
    *_KILL_TABLES,
)


def each_of(data: dict[str, Any], what: str) -> dict[str, Any]:
    start = f"{what}:"
    return {k[len(start) :]: v for k, v in data.items() if k.startswith(start)}


def _draw_kills(
    target: str, calibration: Calibration, data: dict[str, Any], parts: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Figures of one target role's kills, and the numbers behind them."""
    kills = data["kills"]
    own = kills[kills["target"] == target]
    found = {name: parts[name][target] for name in _KILL_TABLES}
    figures = {
        f"timeline_{target}": killing_charts.timeline(own, calibration),
        f"serial_killers_{target}": killing_charts.serial_killers(found["killers"]),
        f"capacity_{target}": killing_charts.capacity(found["killing_capacity"]),
    }
    # What could not be asked is not drawn: no death or no effector, no chance level.
    asked = len(own) and len(found["killers"])
    if asked:
        figures |= {
            f"chance_{target}": killing_charts.chance(found["attribution_chance"]),
            f"density_{target}": killing_charts.density(found["attribution_density"]),
            f"sensitivity_{target}": killing_charts.sensitivity(found["sensitivity"]),
        }
    tables = kill_tables(target, own, calibration, found)
    said = [stability(found["sensitivity"]), *hit_words(found["hit_model"])]
    if not asked:
        missing = "no effector was in view" if len(own) else "nobody died"
        said = [f"There was nothing to attribute: {missing}."]
    tables[f"notes_{target}"] = pd.DataFrame({"sentence": said})
    return figures, tables


def compose_report(
    options: ReportingParams,
    run_metadata: dict[str, Any],
    conditions: pd.DataFrame,
    summaries: dict[str, dict[str, Any]],
    figures: dict[str, dict[str, dict[str, bytes]]],
    tables: dict[str, dict[str, str]],
    **killing: Any,
) -> str:
    """The report of the experiment as one HTML document.

    Args:
        options: Title, and how much is shown.
        run_metadata: Content of ``run_metadata.json``.
        conditions: The experiment sheet.
        summaries: Summary of each movie.
        figures: Figures of each movie by name and format.
        tables: CSV text behind them, of each movie by name.
        killing: With a death marker: ``comparison``, ``comparisons``, ``kills``,
            ``cards``, ``experiment_figures`` and ``experiment_tables``
            (:class:`~cyto_kedro.pipelines.reporting.experiment_story.RunData`).
    """
    from cyto_kedro.pipelines.reporting.page import render

    data = RunData(run_metadata, conditions, summaries, figures, tables, **killing)
    return render(compose_page(options, data))
