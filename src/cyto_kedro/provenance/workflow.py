"""`workflow.json` in the run folder: the graph that was run, node by node."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.tags import EXPERIMENT

WORKFLOW = "workflow.json"


def write_workflow(folder: Path, name: str, pipeline: Pipeline) -> Path:
    """Write down the nodes of a run in the order of execution.

    Args:
        folder: The run folder.
        name: Name of the workflow.
        pipeline: One movie's graph and the nodes that run once.
    """
    nodes = [
        {
            "name": node.name,
            "function": f"{node.func.__module__}.{node.func.__qualname__}",
            "inputs": list(node.inputs),
            "outputs": list(node.outputs),
            "runs": "once" if EXPERIMENT in node.tags else "per movie",
        }
        for node in pipeline.nodes
    ]
    content = {"workflow": name, "kedro": metadata.version("kedro"), "nodes": nodes}
    path = folder / WORKFLOW
    write_text(path, json.dumps(content, indent=1) + "\n")
    return path


def read_workflow(folder: Path) -> dict[str, Any] | None:
    """The graph of a run; None if it was not written down."""
    try:
        found = json.loads((folder / WORKFLOW).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
