"""The reporting pipeline: figures per movie, one page per run."""

from __future__ import annotations

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import EXPERIMENT
from cyto_kedro.pipelines.reporting.nodes import compose_report, draw_movie


def create_pipeline(layout: Layout) -> Pipeline:
    """`reporting.draw_movie` for each movie and `reporting.compose_report` once."""
    kinds = {role: spec.kind for role, spec in layout.roles.items()}
    draw = update_wrapper(partial(draw_movie, kinds=kinds), draw_movie)
    inputs = {
        "calibration": "calibration",
        "options": "params:reporting",
        "frame_stats": "frame_stats",
        "drift": "drift",
    }
    inputs |= _movie_inputs(layout)
    page_inputs = {
        "options": "params:reporting",
        "run_metadata": "run_metadata",
        "conditions": "conditions",
        "summaries": "movie_summary@all",
        "figures": "figures@all",
    }
    if layout.targets and layout.marker_channel("death") is not None:
        page_inputs |= {"survival": "survival", "comparison": "comparison"}
    return Pipeline(
        [
            Node(draw, inputs, "figures@movie", name="draw_movie"),
            Node(
                compose_report,
                page_inputs,
                "report",
                name="compose_report",
                tags=EXPERIMENT,
            ),
        ],
        namespace="reporting",
        prefix_datasets_with_namespace=False,
    )


def _movie_inputs(layout: Layout) -> dict[str, str]:
    """Datasets drawn for each role and pair, keyed `<what>:<role or pair>`."""
    found: dict[str, str] = {}
    for role, spec in layout.roles.items():
        single = len(spec.channels) == 1
        image = f"{spec.channels[0]}.image" if single else f"{role}.merged"
        found |= {
            f"image:{role}": image,
            f"labels:{role}": f"{role}.labels",
            f"tracks:{role}": f"{role}.tracks",
            f"kinematics:{role}": f"{role}.kinematics",
            f"frame_counts:{role}": f"{role}.frame_counts",
        }
    for effector, target in layout.pairs:
        pair = f"{effector}_{target}"
        found[f"episodes:{pair}"] = f"{pair}.contact_episodes"
    if layout.marker_channel("death") is not None:
        for target in layout.targets:
            found |= {
                f"viability:{target}": f"{target}.viability",
                f"deaths:{target}": f"{target}.deaths@movie",
            }
    return found
