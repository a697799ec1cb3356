"""Which stages run in a container, and the command that does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kedro.pipeline.node import Node

from cyto_kedro.runners.containers import (
    Bind,
    Container,
    check,
    command,
    image_id,
    refuse_under_slurm,
)
from cyto_kedro.runners.experiment import RunContext
from cyto_kedro.runners.local import Wrap
from cyto_kedro.runners.profiles import ExecutionConfig, Profile
from cyto_kedro.runners.stages import Stage

_WRITTEN = ("scratch_root", "output_root")


@dataclass
class Images:
    """The execution profile of a run.

    Args:
        profile: From ``execution.yml``.
        project: Folder of the project; visible in every container, and the working
            directory there.
        binds: Folders that workers read and write.
        note: Told which images are used, for the run's metadata.
    """

    profile: Profile
    project: Path
    binds: list[Bind]
    note: Callable[[str, Any], None] = lambda key, value: None
    _stages: dict[str, Stage] = field(default_factory=dict)
    _noted: dict[Container, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, context: RunContext, profile: str | None) -> Images:
        """The profile by name, else the default one of ``execution.yml``."""
        config = ExecutionConfig.read(context.config("execution"))
        roots = context.config("globals")
        binds = [Bind(source=Path(roots["data_root"]).absolute(), read_only=True)]
        binds += [Bind(source=Path(roots[key]).absolute()) for key in _WRITTEN]
        binds += [Bind(source=context.conf_source.absolute(), read_only=True)]
        chosen = config.profile(profile)
        return cls(chosen, context.project, binds, context.record.note)

    def container_of(self, node: Node, gpu: bool) -> Container | None:
        """The container of a node; None on bare metal."""
        tags = set(node.tags) | ({"gpu"} if gpu else set())
        return self.profile.container_for(node.name, tags, node.namespace)

    def check(self, stages: list[Stage], under_slurm: bool) -> None:
        """Refuse images that are missing or cannot run the worker.

        Raises:
            ConfigError: With the reason and what to do.
        """
        self._stages = {stage.name: stage for stage in stages}
        containers = {stage.placement.container for stage in stages} - {None}
        for container in sorted(containers, key=repr):
            if under_slurm:
                refuse_under_slurm(container)
            check(container, project=self.project)
            if not container.bare and container not in self._noted:
                self._noted[container] = self._described(container)
        if self._noted:
            self.note("containers", list(self._noted.values()))

    def _described(self, container: Container) -> dict[str, Any]:
        file = container.image_path(self.project)
        return {
            "engine": container.engine,
            "image": container.image,
            "file": None if file is None else str(file),
            "id": None if file is not None else image_id(container),
        }

    def wrap_of_stage(self, name: str) -> Wrap | None:
        """Turns a worker's command into one in the stage's container."""
        return self.wrap_of(self._stages[name])

    def wrap_of(self, stage: Stage) -> Wrap | None:
        """As :meth:`wrap_of_stage`; None on bare metal."""
        container = stage.placement.container
        if container is None:
            return None

        def wrap(argv: list[str], name: str) -> list[str]:
            return command(
                container,
                argv,
                workdir=self.project,
                binds=self.binds,
                env={},
                name=name,
                gpu=stage.placement.gpu,
            )

        return wrap
