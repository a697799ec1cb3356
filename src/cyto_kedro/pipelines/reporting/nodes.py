"""Nodes of the reporting pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.pipelines.reporting import charts
from cyto_kedro.pipelines.reporting.params import ReportingParams
from cyto_kedro.pipelines.reporting.story import compose_page
from cyto_kedro.pipelines.reporting.strip import movie_strip
from cyto_kedro.pipelines.reporting.style import role_colours


def draw_movie(
    calibration: Calibration,
    options: ReportingParams,
    frame_stats: pd.DataFrame,
    drift: pd.DataFrame,
    **data: Any,
) -> dict[str, Any]:
    """All matplotlib figures of one movie by name.

    Args:
        calibration: Geometry and time base.
        options: What to show.
        frame_stats: Table FRAME_STATS.
        drift: Table DRIFT.
        data: Per role and pair, keyed ``<what>:<role or pair>``; ``kinds`` maps each
            role to its kind.
    """
    kinds = data["kinds"]
    colours = role_colours(kinds)

    def each(what: str) -> dict[str, Any]:
        prefix = f"{what}:"
        return {k[len(prefix) :]: v for k, v in data.items() if k.startswith(prefix)}

    figures = {
        "strip": movie_strip(
            calibration,
            each("image"),
            each("labels"),
            each("tracks"),
            colours,
            n_frames=options.strip_frames,
            tail_frames=options.tail_frames,
            scale_bar_um=options.scale_bar_um,
        ),
        "counts": charts.counts(each("frame_counts"), colours),
        "speeds": charts.speeds(each("kinematics"), colours),
        "paths": charts.paths(each("tracks"), colours),
        "quality": charts.quality(frame_stats, drift),
    }
    if each("episodes"):
        figures["dwell_times"] = charts.dwell_times(each("episodes"))
        figures["contact_raster"] = charts.contact_raster(
            each("episodes"), each("deaths"), calibration
        )
    if each("viability"):
        figures["death_signals"] = charts.death_signals(
            each("viability"), each("deaths")
        )
    return figures


def compose_report(
    options: ReportingParams,
    run_metadata: dict[str, Any],
    conditions: pd.DataFrame,
    summaries: dict[str, dict[str, Any]],
    figures: dict[str, dict[str, dict[str, bytes]]],
    survival: pd.DataFrame | None = None,
    comparison: dict[str, Any] | None = None,
) -> str:
    """The report of the experiment as one HTML document."""
    from cyto_kedro.pipelines.reporting.page import render

    page = compose_page(
        options,
        run_metadata,
        conditions,
        summaries,
        figures,
        survival,
        comparison,
    )
    return render(page)
