"""The reporting pipeline: figures per movie, one page per run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import EXPERIMENT
from cyto_kedro.pipelines.reporting.evidence_node import draw_evidence
from cyto_kedro.pipelines.reporting.experiment_node import draw_experiment
from cyto_kedro.pipelines.reporting.nodes import compose_report, draw_movie
from cyto_kedro.pipelines.reporting.population_charts import CHARTS

_OF_RATIOS = ("et_ratio", "et_dependence")


def create_pipeline(layout: Layout) -> Pipeline:
    """`reporting.draw_movie` and `reporting.draw_evidence` for each movie,
    `reporting.draw_experiment` and `reporting.compose_report` once.
    """
    kinds: dict[str, str] = {r: spec.kind for r, spec in layout.roles.items()}
    nodes = [
        Node(
            _bound(draw_movie, kinds=kinds, shown_as=_shown_as(layout)),
            _movie_inputs(layout),
            ["figures@movie", "figure_data@movie"],
            name="draw_movie",
        ),
    ]
    page_inputs = {
        "options": "params:reporting",
        "run_metadata": "run_metadata",
        "conditions": "conditions",
        "summaries": "movie_summary@all",
        "figures": "figures@all",
        "tables": "figure_data@all",
        "experiment_figures": "experiment_figures",
        "experiment_tables": "experiment_figure_data",
    }
    compared: dict[str, str] = {}
    if layout.targets and layout.marker_channel("death") is not None:
        page_inputs |= {
            "comparison": "comparison",
            "kills": "kills@all",
            "cards": "evidence_cards@all",
            "comparisons": "comparisons",
        }
        nodes.append(
            Node(
                _bound(draw_evidence, kinds=kinds),
                _evidence_inputs(layout),
                ["evidence_cards@movie", "kills@movie"],
                name="draw_evidence",
            )
        )
        compared = _compared(layout)
    nodes.append(_experiment_node(layout, compared))
    nodes.append(
        Node(
            _bound(compose_report, effectors=layout.effectors),
            page_inputs,
            "report",
            name="compose_report",
            tags=EXPERIMENT,
        )
    )
    return Pipeline(nodes, namespace="reporting", prefix_datasets_with_namespace=False)


def _bound(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """``function`` with layout facts bound; Kedro still reads its name and hints."""
    return update_wrapper(partial(function, **fixed), function)


def _shown_as(layout: Layout) -> dict[str, str]:
    """Which role, or death, a channel stands for; the first role that uses it."""
    death = layout.marker_channel("death")
    found = {} if death is None else {death: "death"}
    for role, spec in layout.roles.items():
        for channel in spec.channels:
            found.setdefault(channel, role)
    return found


def _experiment_node(layout: Layout, compared: dict[str, str]) -> Node:
    """What compares the movies; motion also where nobody's death is seen."""
    return Node(
        _bound(draw_experiment, targets=layout.targets, roles=tuple(layout.roles)),
        {
            "conditions": "conditions",
            "options": "params:killing",
            "tables_of": "figure_data@all",
        }
        | compared,
        ["experiment_figures", "experiment_figure_data"],
        name="draw_experiment",
        tags=EXPERIMENT,
    )


def _compared(layout: Layout) -> dict[str, str]:
    """Tables of deaths over all movies that are drawn."""
    of_killers = ("rates", "kill_distribution", "first_kill", *_OF_RATIOS)
    names = (*CHARTS, *_OF_RATIOS)
    drawn = [n for n in names if layout.effectors or n not in of_killers]
    found = {f"table:{name}": name for name in drawn} | {"survival": "survival"}
    return found | {f"deaths:{role}": f"{role}.deaths@all" for role in layout.targets}


def _evidence_inputs(layout: Layout) -> dict[str, str]:
    """What the evidence cards show, keyed `<what>:<role or pair>`."""
    found = {
        "calibration": "calibration",
        "options": "params:reporting",
        "killing": "params:killing",
        "drift": "drift",
        "marker": f"{layout.marker_channel('death')}.image",
    }
    wanted = ("image:", "labels:", "tracks:", "episodes:", "viability:", "deaths:")
    found |= {k: v for k, v in _movie_inputs(layout).items() if k.startswith(wanted)}
    for target in layout.targets:
        found[f"death_evidence:{target}"] = f"{target}.death_evidence"
        if layout.effectors:
            found[f"attribution:{target}"] = f"{target}.attribution"
    return found


def _movie_inputs(layout: Layout) -> dict[str, str]:
    """What is drawn of a movie, keyed `<what>:<role or pair>`."""
    found = {
        "calibration": "calibration",
        "options": "params:reporting",
        "networks": "params:networks",
        "frame_stats": "frame_stats",
        "drift": "drift",
        "residual_motion": "residual_motion",
    }
    if len(layout.roles) > 1:
        found["mixing"] = "network_mixing"
    for role, spec in layout.roles.items():
        single = len(spec.channels) == 1
        image = f"{spec.channels[0]}.image" if single else f"{role}.merged"
        found |= {
            f"image:{role}": image,
            f"labels:{role}": f"{role}.labels",
            f"tracks:{role}": f"{role}.tracks",
            f"kinematics:{role}": f"{role}.kinematics",
            f"frame_counts:{role}": f"{role}.frame_counts",
            f"track_summary:{role}": f"{role}.track_summary",
            f"density_map:{role}": f"{role}.density_map",
        }
    for effector, target in layout.pairs:
        pair = f"{effector}_{target}"
        found[f"contacts:{pair}"] = f"{pair}.contacts"
        found[f"episodes:{pair}"] = f"{pair}.contact_episodes"
        found[f"contact_motion:{pair}"] = f"{pair}.contact_motion"
    if layout.targets and layout.marker_channel("death") is not None:
        found["kills"] = "kills@movie"
        for target in layout.targets:
            found |= _target_inputs(target, bool(layout.effectors))
    return found


def _target_inputs(target: str, attributed: bool) -> dict[str, str]:
    found = {
        f"viability:{target}": f"{target}.viability",
        f"deaths:{target}": f"{target}.deaths@movie",
    }
    if attributed:
        names = (
            "killing_capacity",
            "hit_model",
            "attribution_chance",
            "sensitivity",
            "attribution_density",
        )
        found |= {f"{name}:{target}": f"{target}.{name}" for name in names}
        found[f"killers:{target}"] = f"{target}.killers@movie"
    return found
