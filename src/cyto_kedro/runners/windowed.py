"""Several units write one output: each its window, the last one publishes."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol, cast

from kedro.io import AbstractDataset, CatalogProtocol
from kedro.pipeline.node import Node

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.window import Window
from cyto_kedro.runners.experiment import RunContext


class Shareable(Protocol):
    """A dataset that many jobs can write together."""

    where: str
    last_save: Any

    def staging(self, run_id: str, fingerprint: str) -> Any:
        """The store in which the windows of one output meet: a folder, or objects."""

    def save_window(self, data: Any, window: Window, stage: Any) -> None:
        """Write the frames of one window into a staging store."""

    def is_begun(self, stage: Any) -> bool:
        """Whether somebody created a staging store."""

    def is_complete(self, stage: Any) -> bool:
        """Whether all frames of a staging store were written."""

    def claim(self, stage: Any, recover: bool = False) -> Any | None:
        """Take a staging store if it is complete and nobody else has; else None."""

    def publish(self, stage: Any) -> None:
        """Make a claimed staging store the output."""


class WindowedOutput(AbstractDataset[Any, Any]):
    """Stands in the catalog for a shareable dataset while one window is computed."""

    def __init__(self, dataset: Shareable, window: Window, stage: Any) -> None:
        self.dataset, self.window, self.stage = dataset, window, stage

    @property
    def last_save(self) -> Any:
        """What the save cost."""
        return self.dataset.last_save

    def load(self) -> NoReturn:
        """A part of a movie is nobody's input."""
        raise RuntimeError(f"{self.dataset.where} is being written in windows")

    def save(self, data: Any) -> None:
        """Write the window."""
        self.dataset.save_window(data, self.window, self.stage)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.dataset.where, "window": str(self.window)}


def shareable(catalog: CatalogProtocol, node: Node) -> tuple[str, Shareable]:
    """The one output of a node that is fanned out over frames.

    Raises:
        ConfigError: Its dataset cannot be written in parts.
    """
    (name,) = node.outputs
    dataset = catalog.get(name)
    if not hasattr(dataset, "save_window"):
        raise ConfigError(
            f"'{name}' cannot be written in windows by several jobs: "
            f"{type(dataset).__name__} is written whole",
            where=f"the catalog entry of '{name}', and fan_out of node {node.name}",
            fix="store it as cyto_kedro.datasets.OmeZarrDataset, or take fan_out off",
        )
    return name, cast("Shareable", dataset)


def staging_of(dataset: Shareable, run_id: str, fingerprint: str) -> Any:
    """The store in which the windows of one output meet.

    It bears the run and the fingerprint: a resumed run finds its own frames there, and
    never those of other parameters or inputs.
    """
    return dataset.staging(run_id, fingerprint)


def publish_if_complete(
    context: RunContext,
    catalog: CatalogProtocol,
    node: Node,
    stage: Any,
    recover: bool = False,
) -> bool:
    """Publish the output if no frame is missing; of several finishers one does it.

    The claim decides: renaming a folder, or putting an object that must be new.

    Args:
        context: The run.
        catalog: The movie's catalog.
        node: The node that makes the output.
        stage: The staging store.
        recover: Take up the claim of a finisher that died; right only when no worker
            of this output is left.
    """
    name, dataset = shareable(catalog, node)
    try:
        claimed = dataset.claim(stage, recover)
    except Exception:
        if dataset.is_begun(stage):
            raise
        return False  # somebody else was first, while this one looked
    if claimed is None:
        return False
    context.outputs.replace(name, node, catalog, lambda: dataset.publish(claimed))
    return True
