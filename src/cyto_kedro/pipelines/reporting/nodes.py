"""Nodes of the reporting pipeline."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.methods.killing.sensitivity import stability
from cyto_kedro.methods.reporting import prism
from cyto_kedro.methods.reporting.checks import check_movie
from cyto_kedro.methods.reporting.kills import hit_words
from cyto_kedro.pipelines.networks.params import NetworksParams
from cyto_kedro.pipelines.reporting import (
    charts,
    killing_charts,
    motion_charts,
    superplots,
)
from cyto_kedro.pipelines.reporting.comparison import survival_curves
from cyto_kedro.pipelines.reporting.figure_data import (
    as_csv,
    kill_tables,
    movie_tables,
)
from cyto_kedro.pipelines.reporting.network_charts import snapshots
from cyto_kedro.pipelines.reporting.params import ReportingParams
from cyto_kedro.pipelines.reporting.story import RunData, compose_page
from cyto_kedro.pipelines.reporting.strip import movie_strip
from cyto_kedro.pipelines.reporting.style import role_colours

_KILL_TABLES = (
    "killers",
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
            role to its kind; ``mixing`` is table NETWORK_MIXING, with two
            roles or more; ``kills`` table KILLS, with a death marker.

    Returns:
        Figures by name; CSV text by name.
    """
    colours = role_colours(data["kinds"])
    parts = {name: _each(data, name) for name in _PARTS}
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
        "quality": charts.quality(frame_stats, drift),
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


def _each(data: dict[str, Any], what: str) -> dict[str, Any]:
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
    }
    # What could not be asked is not drawn: no death, no chance level.
    if len(own):
        figures |= {
            f"chance_{target}": killing_charts.chance(found["attribution_chance"]),
            f"density_{target}": killing_charts.density(found["attribution_density"]),
            f"sensitivity_{target}": killing_charts.sensitivity(found["sensitivity"]),
        }
    tables = kill_tables(target, own, calibration, found)
    said = [stability(found["sensitivity"]), *hit_words(found["hit_model"])]
    tables[f"notes_{target}"] = pd.DataFrame({"sentence": said})
    return figures, tables


def draw_experiment(
    conditions: pd.DataFrame,
    survival: pd.DataFrame,
    comparison: dict[str, Any],
    tables_of: dict[str, dict[str, str]],
    *deaths: dict[str, pd.DataFrame],
    targets: tuple[str, ...],
    roles: tuple[str, ...],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Figures that compare the movies, and the numbers behind them.

    Args:
        conditions: The experiment sheet.
        survival: Table SURVIVAL.
        comparison: Comparison of the conditions, per target role.
        tables_of: CSV text behind the figures of each movie; holds the tracks.
        deaths: For each target role: table DEATHS of every movie.
        targets: Target roles in the order of ``deaths``.
        roles: All roles.

    Returns:
        Figures by name; CSV text by name.
    """
    figures, tables = _superplots(conditions, comparison["group_by"], tables_of, roles)
    for role, by_movie in zip(targets, deaths, strict=True):
        groups = comparison["roles"][role]["groups"]
        levels = {g["level"] for g in groups} - {"movie"}
        names = [g["group"] for g in groups if not levels or g["level"] in levels]
        figures[f"survival_{role}"] = survival_curves(survival, names, role)
        tables[f"survival_{role}_curves"] = prism.survival_curves(survival, role, names)
        group_of = _group_of(list(by_movie), conditions, comparison["group_by"])
        tables[f"survival_{role}_cells"] = prism.survival_cells(by_movie, group_of)
    return figures, as_csv(tables)


def _group_of(
    movies: list[str], conditions: pd.DataFrame, column: str
) -> dict[str, str]:
    """The group of each movie; each its own where the sheet names none."""
    if column not in conditions:
        return {movie: movie for movie in movies}
    known = conditions.set_index("movie")[column]
    return {movie: str(known[movie]) for movie in movies}


def _superplots(
    conditions: pd.DataFrame,
    group_by: str,
    tables_of: dict[str, dict[str, str]],
    roles: tuple[str, ...],
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Cells and replicates of each role by group; a movie is a replicate."""
    figures, tables = {}, {}
    group_of = _group_of(list(tables_of), conditions, group_by)
    wanted = {f"tracks_{role}": superplots.MEASURES for role in roles}
    wanted |= {f"killers_{role}": superplots.KILLS for role in roles}
    for name, measures in wanted.items():
        parts = [
            pd.read_csv(io.StringIO(texts[name])).assign(
                group=group_of[movie], replicate=movie
            )
            for movie, texts in tables_of.items()
            if name in texts
        ]
        parts = [part for part in parts if len(part)]
        if not parts:
            continue
        cells = pd.concat(parts, ignore_index=True)
        what, _, role = name.partition("_")
        title = {"tracks": f"{role} cells", "killers": f"Killers of {role}"}[what]
        figures[f"superplot_{name}"] = superplots.superplot(cells, measures, title)
        tables[f"superplot_{name}_cells"] = cells
        means = superplots.replicate_means(cells, measures)
        tables[f"superplot_{name}_replicates"] = means
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
        killing: With a death marker: ``comparison``, ``kills``, ``cards``,
            ``experiment_figures`` and ``experiment_tables``
            (:class:`~cyto_kedro.pipelines.reporting.story.RunData`).
    """
    from cyto_kedro.pipelines.reporting.page import render

    data = RunData(run_metadata, conditions, summaries, figures, tables, **killing)
    return render(compose_page(options, data))
