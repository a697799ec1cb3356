"""Kedro's own `run`, with errors that a user can act on shown as messages."""

from __future__ import annotations

import copy
import functools
from importlib import import_module
from typing import Any

import click
from kedro.validation.exceptions import ParameterValidationError

from cyto_kedro.cli.options import (
    RUNNERS,
    complete_env,
    complete_pipeline,
    complete_runner,
)
from cyto_kedro.core.errors import ConfigError, CytoError
from cyto_kedro.core.nearest import choose

# What a user can act on; anything else is a defect and keeps its traceback.
_USER_ERRORS = (CytoError, ParameterValidationError)
_COMPLETE = {
    "env": complete_env,
    "pipeline": complete_pipeline,
    "pipelines": complete_pipeline,
    "runner": complete_runner,
}


def plain(error: Exception) -> Exception:
    """A message for the first cause that a user can act on, else the error itself."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _USER_ERRORS):
            return click.ClickException(str(cause))
        cause = cause.__cause__
    return error


def kedro_run() -> click.Command:
    """Kedro's `run` with plain errors and completion of names."""
    from kedro.framework.cli.project import run

    ours = copy.copy(run)
    inner = run.callback
    if inner is None:
        return run

    @functools.wraps(inner)
    def callback(*args: Any, **options: Any) -> object:
        try:
            check_runner(options.get("runner"))
            return inner(*args, **options)
        except Exception as exc:
            raise plain(exc) from exc

    ours.callback = callback
    ours.params = [_completed(option) for option in run.params]
    return ours


def check_runner(name: str | None) -> None:
    """Refuse a runner that does not exist.

    Raises:
        ConfigError: Names the nearest one.
    """
    if not name:
        return
    module, _, attribute = name.rpartition(".")
    try:
        found = hasattr(import_module(module or "kedro.runner"), attribute)
    except ModuleNotFoundError:
        found = False
    if not found:
        raise ConfigError(
            f"There is no runner '{name}'", where="--runner", fix=choose(name, RUNNERS)
        )


def _completed(option: click.Parameter) -> click.Parameter:
    complete = _COMPLETE.get(option.name or "")
    if complete is None:
        return option
    ours = copy.copy(option)
    ours._custom_shell_complete = complete
    return ours
