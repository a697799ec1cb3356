"""Is there what a run was asked for? Told before the run gets a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kedro.pipeline import Pipeline

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.nearest import choose, did_you_mean


def check_wanted(names: list[str], filters: Mapping[str, Any]) -> None:
    """Refuse what the project does not have.

    Args:
        names: Pipelines; none means the default one.
        filters: As ``KedroSession.run`` takes them.

    Raises:
        ConfigError: Names the first unknown name and the nearest ones.
    """
    from kedro.framework.project import pipelines

    pipelines.set_requested(names or None)
    check_pipelines(names, pipelines.keys())
    chosen = (pipelines[name] for name in names or ["__default__"])
    check_filters(sum(chosen, Pipeline([])), filters)


def check_pipelines(names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names of pipelines that do not exist.

    Raises:
        ConfigError: Names the first one and the nearest.
    """
    offered = [name for name in known if name != "__default__"]
    for name in names:
        if name != "__default__" and name not in offered:
            raise ConfigError(
                f"There is no pipeline '{name}'",
                where="--pipelines",
                fix=choose(name, offered),
            )


def check_filters(pipeline: Pipeline, filters: Mapping[str, Any]) -> None:
    """Refuse nodes, datasets, tags and namespaces that a pipeline does not have.

    Args:
        pipeline: What is to be run.
        filters: As ``KedroSession.run`` takes them; other keys are left alone.

    Raises:
        ConfigError: Names the first one and the nearest.
    """
    for key, (what, option, names_in) in _FILTERS.items():
        known = names_in(pipeline)
        for wanted in filters.get(key) or ():
            if wanted not in known:
                near = did_you_mean(wanted, known)
                raise ConfigError(
                    f"There is no {what} '{wanted}' in this pipeline",
                    where=option,
                    fix=near or "kedro registry describe lists the nodes of a pipeline",
                )


def _nodes(pipeline: Pipeline) -> set[str]:
    return {node.name for node in pipeline.nodes}


def _tags(pipeline: Pipeline) -> set[str]:
    return {tag for node in pipeline.nodes for tag in node.tags}


def _namespaces(pipeline: Pipeline) -> set[str]:
    parts = [(node.namespace or "").split(".") for node in pipeline.nodes]
    return {".".join(p[:n]) for p in parts for n in range(1, len(p) + 1)} - {""}


def _datasets(pipeline: Pipeline) -> set[str]:
    return {name.split("@")[0] for name in pipeline.datasets()} | pipeline.datasets()


_NamesIn = Callable[[Pipeline], set[str]]
_FILTERS: dict[str, tuple[str, str, _NamesIn]] = {
    "node_names": ("node", "--nodes", _nodes),
    "from_nodes": ("node", "--from-nodes", _nodes),
    "to_nodes": ("node", "--to-nodes", _nodes),
    "from_inputs": ("dataset", "--from-inputs", _datasets),
    "to_outputs": ("dataset", "--to-outputs", _datasets),
    "tags": ("tag", "--tags", _tags),
    "namespaces": ("namespace", "--namespaces", _namespaces),
}
