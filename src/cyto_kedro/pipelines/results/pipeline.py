"""The results pipeline: tables and summary per movie, one table per experiment."""

from __future__ import annotations

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import EXPERIMENT
from cyto_kedro.pipelines.results.nodes import (
    collect_movie,
    collect_results,
    data_dictionary,
    summarise,
)


def create_pipeline(layout: Layout) -> Pipeline:
    """`results.*` for each movie and `experiment.*` once."""
    return _per_movie(layout) + _per_experiment()


def _per_movie(layout: Layout) -> Pipeline:
    channels = tuple(layout.channels)
    kinds = {role: spec.kind for role, spec in layout.roles.items()}
    collect = update_wrapper(partial(collect_movie, channels=channels), collect_movie)
    describe = update_wrapper(partial(summarise, kinds=kinds), summarise)
    nodes = [
        Node(
            collect,
            _collected(layout),
            ["result_table@movie", "cells@movie"],
            name="collect_movie",
        ),
        Node(
            describe,
            {
                "calibration": "calibration",
                "options": "params:results",
                "frame_stats": "frame_stats",
                "drift": "drift",
                "residual_motion": "residual_motion",
            }
            | _summarised(layout),
            "movie_summary@movie",
            name="summarise",
        ),
    ]
    return Pipeline(nodes, namespace="results", prefix_datasets_with_namespace=False)


def _per_experiment() -> Pipeline:
    nodes = [
        Node(
            collect_results,
            ["result_table@all", "cells@all", "conditions"],
            "experiment_results",
            name="collect_results",
        ),
        Node(data_dictionary, "conditions", "data_dictionary", name="data_dictionary"),
    ]
    return Pipeline(
        nodes,
        namespace="experiment",
        prefix_datasets_with_namespace=False,
        tags=EXPERIMENT,
    )


def _collected(layout: Layout) -> dict[str, str]:
    found = {f"tracks:{role}": f"{role}.tracks" for role in layout.roles}
    found |= {f"kinematics:{role}": f"{role}.kinematics" for role in layout.roles}
    found |= {f"contacts:{a}_{b}": f"{a}_{b}.contacts" for a, b in layout.pairs}
    if layout.marker_channel("death") is not None:
        found |= {f"viability:{role}": f"{role}.viability" for role in layout.targets}
    return found


def _summarised(layout: Layout) -> dict[str, str]:
    found = {
        f"{table}:{role}": f"{role}.{table}"
        for table in ("frame_counts", "kinematics", "track_summary", "msd")
        for role in layout.roles
    }
    found |= {f"events:{role}": f"{role}.suspicious_events" for role in layout.roles}
    found |= {f"episodes:{a}_{b}": f"{a}_{b}.contact_episodes" for a, b in layout.pairs}
    if layout.marker_channel("death") is not None:
        found |= {f"deaths:{role}": f"{role}.deaths@movie" for role in layout.targets}
    return found
