"""The project's configuration for commands that do not run a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.config import CytoConfigLoader
from cyto_kedro.session import CytoSession


def open_context(
    metadata: ProjectMetadata, env: str | None, parameters: dict[str, Any] | None = None
) -> tuple[KedroContext, CytoConfigLoader]:
    """The context and configuration of an environment, as `kedro run` would see it."""
    session = CytoSession.create(
        project_path=Path(metadata.project_path), env=env, runtime_params=parameters
    )
    context = session.load_context()
    loader = context.config_loader
    if not isinstance(loader, CytoConfigLoader):
        raise TypeError("settings.CONFIG_LOADER_CLASS must be CytoConfigLoader")
    return context, loader
