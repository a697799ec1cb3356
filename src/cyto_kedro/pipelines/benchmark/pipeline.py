"""The benchmark pipeline: one node per stage, then collect, judge and show."""

from __future__ import annotations

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.tags import DRIVER, EXPERIMENT
from cyto_kedro.pipelines import (
    contacts,
    ingest,
    preprocessing,
    segmentation,
    tabulation,
    tracking,
)
from cyto_kedro.pipelines.benchmark.nodes import (
    collect,
    judge_run,
    measure_stage,
    planned_trials,
    show,
)

#: Stages by the names of their folders, with the category whose nodes they run. One
#: follows the other, so that none competes with another for cores.
STAGES = {
    "register_denoise": preprocessing,
    "cellpose": segmentation,
    "trackmate": tracking,
    "contact": contacts,
}


def create_pipeline(layout: Layout) -> Pipeline:
    """The benchmark's own nodes: `benchmark.register_denoise` to `benchmark.show`."""
    nodes: list[Node] = []
    earlier: list[str] = []
    for stage, production in production_of(layout).items():
        nodes.append(_measure(stage, production, earlier))
        earlier += [f"{stage}.units", f"{stage}.trials"]
    if not nodes:
        return Pipeline([])
    stages = tuple(name.removesuffix(".units") for name in earlier[0::2])
    judging = update_wrapper(partial(judge_run, stages=stages), judge_run)
    tags = [EXPERIMENT, DRIVER]
    nodes += [
        Node(
            collect,
            ["params:benchmark", *earlier],
            ["benchmark_trials", "benchmark_scaling", "benchmark_fits"],
            name="collect",
            tags=tags,
        ),
        Node(
            judging,
            [
                "params:benchmark",
                "benchmark_trials",
                "benchmark_scaling",
                "benchmark_references",
                "run_metadata",
            ],
            ["acceptance_report", "benchmark_reference"],
            name="judge",
            tags=tags,
        ),
        Node(
            show,
            [
                "benchmark_scaling",
                "benchmark_fits",
                "benchmark_trials",
                "acceptance_report",
            ],
            ["benchmark_figures", "scaling_analysis"],
            name="show",
            tags=tags,
        ),
    ]
    return Pipeline(nodes, namespace="benchmark", prefix_datasets_with_namespace=False)


def production_of(layout: Layout) -> dict[str, Pipeline]:
    """The production nodes of each stage, as far as contacts need them."""
    parts = {stage: module.create_pipeline(layout) for stage, module in STAGES.items()}
    last = [node.name for node in parts["contact"].nodes]
    if not last:
        return {}
    others = (ingest.create_pipeline(layout), tabulation.create_pipeline(layout))
    whole = sum([*parts.values(), *others], Pipeline([]))
    needed = {node.name for node in whole.to_nodes(*last).nodes}
    found = {
        stage: Pipeline([node for node in part.nodes if node.name in needed])
        for stage, part in parts.items()
    }
    return {stage: part for stage, part in found.items() if part.nodes}


def _measure(stage: str, production: Pipeline, earlier: list[str]) -> Node:
    function = update_wrapper(
        partial(measure_stage, stage=stage, nodes=production), measure_stage
    )
    # A dry run asks for what the node would launch.
    plan = partial(planned_trials, stage=stage, nodes=production)
    function.__dict__["planned_trials"] = plan
    return Node(
        function,
        ["launcher", "params:benchmark", *earlier[-2:]],
        [f"{stage}.units", f"{stage}.trials"],
        name=stage,
        tags=[EXPERIMENT, DRIVER],
    )
