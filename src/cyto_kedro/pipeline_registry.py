"""The pipelines by name, built from the channels and roles of `globals.yml`."""

from __future__ import annotations

from importlib import import_module

from kedro.pipeline import Pipeline

from cyto_kedro.config import BENCHMARK, MAIN_WORKFLOW, active_loader
from cyto_kedro.core.layout import Layout

# In the order of the data flow. Each package offers create_pipeline(layout).
CATEGORIES = (
    "ingest",
    "preprocessing",
    "segmentation",
    "tabulation",
    "tracking",
    "kinematics",
    "contacts",
    "networks",
    "killing",
    "features",
    "results",
    "reporting",
)

# pyCyto's six analysis categories, in terms of ours.
AGGREGATES = {
    "file_io": ("ingest",),
    "kinematics_contact_analysis": ("kinematics", "contacts"),
    "cell_network_triangulation": ("networks",),
}


def pipeline_names() -> tuple[str, ...]:
    """Names of all pipelines, whatever the layout."""
    return (*CATEGORIES, *AGGREGATES, BENCHMARK, MAIN_WORKFLOW)


def register_pipelines() -> dict[str, Pipeline]:
    """All pipelines by name.

    A category's pipeline holds its own nodes and everything upstream of them, so that
    each name can be run from raw data; ``--from-nodes`` cuts it short.
    """
    return pipelines_of(active_loader().layout)


def pipelines_of(layout: Layout) -> dict[str, Pipeline]:
    """The pipelines for one layout of channels and roles."""
    parts = {
        name: Pipeline(
            import_module(f"cyto_kedro.pipelines.{name}").create_pipeline(layout),
            tags=name,
        )
        for name in CATEGORIES
    }
    whole = sum(parts.values(), Pipeline([]))
    groups = {name: (name,) for name in CATEGORIES} | AGGREGATES
    named = {
        name: _with_upstream(whole, [parts[member] for member in members])
        for name, members in groups.items()
    }
    benchmark = import_module("cyto_kedro.pipelines.benchmark").create_pipeline(layout)
    named[BENCHMARK] = named["contacts"] + Pipeline(benchmark, tags=BENCHMARK)
    return named | {MAIN_WORKFLOW: whole, "__default__": whole}


def _with_upstream(whole: Pipeline, parts: list[Pipeline]) -> Pipeline:
    names = [node.name for part in parts for node in part.nodes]
    return whole.to_nodes(*names) if names else Pipeline([])
