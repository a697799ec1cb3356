"""Several units write one output: each its window, the last one publishes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast

from kedro.io import AbstractDataset, CatalogProtocol
from kedro.pipeline.node import Node

from cyto_kedro.core.atomic import STAGING_SUFFIX
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.window import Window
from cyto_kedro.runners.experiment import RunContext


class Shareable(Protocol):
    """A dataset that many jobs can write together."""

    path: Path
    last_save: Any

    def save_window(self, data: Any, window: Window, stage: Path) -> None:
        """Write the frames of one window into a staging store."""

    def is_complete(self, stage: Path) -> bool:
        """Whether all frames of a staging store were written."""

    def publish(self, stage: Path) -> None:
        """Give a complete staging store its final name."""


class WindowedOutput(AbstractDataset[Any, Any]):
    """Stands in the catalog for a shareable dataset while one window is computed."""

    def __init__(self, dataset: Shareable, window: Window, stage: Path) -> None:
        self.dataset, self.window, self.stage = dataset, window, stage
        self.path = dataset.path

    @property
    def last_save(self) -> Any:
        """What the save cost."""
        return self.dataset.last_save

    def load(self) -> NoReturn:
        """A part of a movie is nobody's input."""
        raise RuntimeError(f"{self.path} is being written in windows")

    def save(self, data: Any) -> None:
        """Write the window."""
        self.dataset.save_window(data, self.window, self.stage)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path), "window": str(self.window)}


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


def staging_of(dataset: Shareable, run_id: str, fingerprint: str) -> Path:
    """The store in which the windows of one output meet.

    It bears the run and the fingerprint: a resumed run finds its own frames there, and
    never those of other parameters or inputs.
    """
    name = f".{dataset.path.name}.{run_id}.{fingerprint[:12]}{STAGING_SUFFIX}"
    return dataset.path.with_name(name)


def publish_if_complete(
    context: RunContext,
    catalog: CatalogProtocol,
    node: Node,
    stage: Path,
    recover: bool = False,
) -> bool:
    """Publish the output if no frame is missing; of several finishers one does it.

    Renaming the staging store is the claim: whoever fails to was not first.

    Args:
        context: The run.
        catalog: The movie's catalog.
        node: The node that makes the output.
        stage: The staging store.
        recover: Take up the claim of a finisher that died; right only when no worker
            of this output is left.
    """
    name, dataset = shareable(catalog, node)
    claimed = stage.with_name(f"{stage.name[: -len(STAGING_SUFFIX)]}.claimed.partial")
    if not (recover and claimed.is_dir()):
        try:
            if not dataset.is_complete(stage):
                return False
            os.rename(stage, claimed)
        except Exception:
            if stage.is_dir():
                raise
            return False  # somebody else was first, while this one looked
    context.outputs.replace(name, node, catalog, lambda: dataset.publish(claimed))
    return True
