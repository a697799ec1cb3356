"""What all modules share: arguments, data, and running in a container."""

from __future__ import annotations

import logging
import os
import pickle
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.legacy.cells import APPLY
from cyto_kedro.legacy.formats import TaskResources
from cyto_kedro.legacy.modules import MODULES
from cyto_kedro.legacy.plan import Step
from cyto_kedro.legacy.report import Report
from cyto_kedro.legacy.resources import container_entry
from cyto_kedro.legacy.state import Options, State, Table

logger = logging.getLogger(__name__)

_ONE = "image"  # the only channel and role of a notebook's data


class Module:
    """One of pyCyto's classes.

    Args:
        spacing: Pixel size (um). At the default, lengths are pixels, as in pyCyto.
        frame_interval_min: Time between frames (min).
        execution_config: ``{type: container, runner: docker, image: ...}`` runs it in
            a container that holds this package; bare metal by default.
        options: What pyCyto cannot say; see :class:`legacy.state.Options`.
        args: pyCyto's arguments.

    Raises:
        ConfigError: An argument that the module does not have, or a wrong value.
    """

    name: ClassVar[str]
    #: Take the arguments as they are written, not as a pipeline would.
    plainly: ClassVar[bool] = False

    def __init__(
        self,
        *,
        spacing: float = 1.0,
        frame_interval_min: float = 1.0,
        execution_config: Mapping[str, Any] | None = None,
        options: Options | None = None,
        **args: Any,
    ) -> None:
        self.spacing, self.frame_interval_min = spacing, frame_interval_min
        self.args, self.options = args, options or Options()
        self._given = TaskResources.model_validate(dict(execution_config or {}))
        self.state = self._translated()
        for row in self.state.report.of("changed"):
            logger.info("%s: %s", row.key, row.note)

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Apply it to ``data``, which stays as it is.

        Raises:
            InputError: Something that the module needs is not in ``data``.
        """
        if self._given.type == "container":
            return _in_container(self, self._given, dict(data))
        return self.run(dict(data))

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """The work itself, on bare metal."""
        raise NotImplementedError

    @property
    def report(self) -> Report:
        """What became of each argument."""
        return self.state.report

    def calibration(self, shape: tuple[int, int, int]) -> Calibration:
        """Pixel size and times for a stack of this TYX shape."""
        return Calibration.regular(shape, self.spacing, self.frame_interval_min)

    def _translated(self) -> State:
        state = State(self.spacing, self.options, Report(), {_ONE: _ONE})
        state.roles[_ONE] = {"channels": [_ONE]}
        state.tables[_ONE] = Table(_ONE, _ONE)
        step = Step(f"{self.name}()", self.name, self.name, self.args, [_ONE])
        if self.plainly or MODULES[self.name].grouped or self.name not in APPLY:
            state.parameters["args"] = state.arguments(step, self.name)
        else:
            APPLY[self.name](state, step)
        return state

    def parameter(self, path: str) -> Any:
        """A translated parameter of the only role, as ``segmentation.image.method``."""
        return self.state.get(path.replace("*", _ONE))


def need(data: Mapping[str, Any], *keys: str) -> Any:
    """The first of these keys that is there.

    Raises:
        InputError: None of them is.
    """
    for key in keys:
        if key in data:
            return data[key]
    raise InputError(
        f"The data has no '{keys[0]}'",
        where=f"keys: {', '.join(data) or 'none'}",
        fix=f"give one of: {', '.join(keys)}",
    )


def as_stack(value: Any) -> Any:
    """A TYX stack; a single YX image is a movie of one frame."""
    stack = value if hasattr(value, "ndim") else np.asarray(value)
    if stack.ndim == 2:
        return stack[np.newaxis]
    if stack.ndim != 3:
        raise InputError(
            f"A stack of frames has three axes, not {stack.ndim}", fix="T, Y, X"
        )
    return stack


def _in_container(
    module: Module, given: TaskResources, data: dict[str, Any]
) -> dict[str, Any]:
    """Do the work in a container; files are private and gone afterwards."""
    from cyto_kedro.runners.containers import Bind, Container, check, command, run

    container = Container.model_validate(container_entry(given, "execution_config"))
    project = Path.cwd()
    check(container, project=project)
    with tempfile.TemporaryDirectory(prefix="cyto_kedro_api_") as folder:
        place = Path(folder)
        task = (module.name, module.spacing, module.frame_interval_min)
        (place / "in.pickle").write_bytes(
            pickle.dumps((*task, module.options, module.args, data))
        )
        name = f"cyto-api-{os.getpid()}-{os.urandom(3).hex()}"
        line = command(
            container,
            ["python", "-m", "cyto_kedro.api.base", folder],
            workdir=project,
            binds=[Bind(source=place)],
            env={},
            name=name,
            gpu=container.gpu != 0,
        )
        with (place / "log").open("wb") as log:
            status = run(
                line, engine=container.engine, name=name, stdout=log, stderr=log
            )
        answer = place / "out.pickle"
        if not status.ok or not answer.is_file():
            tail = (place / "log").read_text("utf-8", errors="replace")[-2000:]
            raise ConfigError(
                f"{module.name} failed in its container: {status.describe()}\n{tail}",
                where=f"image '{container.image}'",
                fix="leave out execution_config to run it on bare metal",
            )
        found: dict[str, Any] = pickle.loads(answer.read_bytes())
    return found


def main(folder: str) -> None:
    """Inside the container: read the task, do it, leave the result."""
    from cyto_kedro import api

    place = Path(folder)
    name, spacing, interval, options, args, data = pickle.loads(
        (place / "in.pickle").read_bytes()
    )
    classes = (getattr(api, one) for one in api.__all__)
    known = {one.name: one for one in classes if hasattr(one, "name")}
    module = known[name](
        spacing=spacing, frame_interval_min=interval, options=options, **args
    )
    (place / "out.pickle").write_bytes(pickle.dumps(module(data)))


if __name__ == "__main__":
    main(sys.argv[1])
