"""The project's configuration loader: typed globals, path tokens, merged parameters."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from pydantic import ValidationError

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.experiment import Experiment, Movie, read_experiment
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.nearest import choose
from cyto_kedro.core.scope import BENCHMARK_WORKFLOW, Scope, latest_complete_run

# Kedro 1.7 calls a function that OmegaConf renamed: nothing a user can act on.
warnings.filterwarnings("ignore", message="register_new_resolver", module="kedro")

MAIN_WORKFLOW = "cytotoxicity"
BENCHMARK = "benchmark"
#: Runtime parameter that picks movies of the sheet.
MOVIES_PARAMETER = "movies"
LAYOUT_TOKEN = "<layout>"
#: Environment variable that overrides ``scratch_root``: a disk of one job.
SCRATCH_VARIABLE = "CYTO_KEDRO_SCRATCH_ROOT"
#: The same for ``output_root``: trials of a benchmark keep out of its run folder.
OUTPUT_VARIABLE = "CYTO_KEDRO_OUTPUT_ROOT"
# Parameter groups whose keys are names of roles or channels.
_KEYED_BY_NAME = {
    ("preprocessing", "channels"): "channels",
    ("preprocessing", "merge"): "roles",
    ("segmentation",): "roles",
    ("tracking",): "roles",
}
_ROOT_KEYS = ("data_root", "scratch_root", "output_root", "sheet")


def workflow_name(pipeline_names: list[str] | tuple[str, ...] | None) -> str:
    """Folder name of a run: the pipelines' names, the main workflow by default."""
    names = [n if n != "__default__" else MAIN_WORKFLOW for n in pipeline_names or []]
    if names == [BENCHMARK]:
        return BENCHMARK_WORKFLOW
    return "+".join(sorted(set(names))) or MAIN_WORKFLOW


class CytoConfigLoader(OmegaConfigLoader):
    """Kedro's OmegaConf loader plus what a project of movies needs.

    - ``globals.yml`` is checked against :class:`Layout`; relative roots are taken from
      the folder that holds ``conf``.
    - A catalog entry gets the whole layout where it says ``<layout>``; its paths may
      hold the tokens of :class:`Scope`, filled from :attr:`scope`. Outside a
      run that is the latest complete run's first movie.
    - ``parameters`` of an environment are merged key by key over the base ones. A
      mapping with another ``name`` (another method) replaces the base's; entries for
      roles and channels that the environment no longer uses are dropped.
    """

    # The registry builds the graph without a context at hand: it uses the loader that
    # was made last, which is the one of the running session.
    active: CytoConfigLoader | None = None

    def __init__(self, conf_source: str | Path, *args: Any, **kwargs: Any) -> None:
        super().__init__(conf_source, *args, **kwargs)
        self._check_env()
        self._raw_catalog: dict[str, Any] | None = None
        self._experiment: Experiment | None = None
        self.layout = self._read_layout()
        # Catalog entries see the same roots, wherever the command was started.
        roots = {key: str(getattr(self.layout, key)) for key in _ROOT_KEYS}
        self["globals"] = {**self._globals, **roots}
        self.scope = self._idle_scope()
        CytoConfigLoader.active = self

    @property
    def project_path(self) -> Path:
        """The folder that holds ``conf``: relative roots start here."""
        return Path(self.conf_source).resolve().parent

    @property
    def experiment(self) -> Experiment:
        """The sheet, read once.

        Raises:
            ConfigError: The sheet is missing or wrong.
        """
        if self._experiment is None:
            self._experiment = read_experiment(self.layout)
        return self._experiment

    def movies(self) -> tuple[Movie, ...]:
        """All movies of the sheet, or those of ``--params movies=a;b``."""
        wanted = (self.runtime_params or {}).get(MOVIES_PARAMETER)
        if not wanted:
            return self.experiment.movies
        # Kedro turns digits on the command line into numbers.
        ids = wanted if isinstance(wanted, list | tuple) else str(wanted).split(";")
        return tuple(self.experiment[str(movie)] for movie in ids)

    def __getitem__(self, key: str) -> dict[str, Any]:
        if key != "catalog":
            value = super().__getitem__(key)
            return self._used_only(value) if key == "parameters" else value
        if self._raw_catalog is None:
            self._raw_catalog = super().__getitem__("catalog")
        return self._with_layout(self.scope.fill(self._raw_catalog))

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        if key == "catalog":
            self._raw_catalog = None

    def _with_layout(self, value: Any) -> Any:
        """Put the whole layout where an entry says ``<layout>``."""
        if value == LAYOUT_TOKEN:
            return self.layout.model_dump(mode="json")
        if isinstance(value, dict):
            return {key: self._with_layout(item) for key, item in value.items()}
        return value

    def _check_env(self) -> None:
        """Kedro takes an environment without a folder for an empty one."""
        wanted = self.env or self.default_run_env
        known = environments(self.conf_source)
        if known and wanted not in known:
            folder = Path(self.conf_source) / wanted
            own = wanted == self.default_run_env
            raise ConfigError(
                f"There is no environment '{wanted}'",
                where=str(self.conf_source),
                fix=f"mkdir {folder}" if own else choose(wanted, known),
            )

    def _read_layout(self) -> Layout:
        values = dict(self._globals)
        for key in _ROOT_KEYS:
            if key in values:
                values[key] = self.project_path / str(values[key])
        if SCRATCH_VARIABLE in os.environ:
            values["scratch_root"] = Path(os.environ[SCRATCH_VARIABLE])
        if OUTPUT_VARIABLE in os.environ:
            values["output_root"] = Path(os.environ[OUTPUT_VARIABLE])
        try:
            return Layout.model_validate(values)
        except ValidationError as exc:
            raise ConfigError(
                "globals.yml is wrong:\n" + explain(exc),
                where=f"{self.conf_source}, environment {self.env or 'local'}",
            ) from exc

    def _idle_scope(self) -> Scope:
        root = self.layout.output_root
        benchmark = latest_complete_run(root, BENCHMARK_WORKFLOW) or ""
        scope = Scope(
            MAIN_WORKFLOW,
            latest_complete_run(root, MAIN_WORKFLOW),
            dataset=self.layout.dataset,
            benchmark_id=benchmark,
        )
        try:
            first = self.experiment.movies[0]
        except ConfigError:
            return scope  # No sheet yet: viz and registry still show the graph.
        return replace(scope, dataset=first.dataset, movie=first.id)

    def _merge_configs(
        self,
        config: dict[str, Any],
        env_config: dict[str, Any],
        key: str,
        env_path: str,
    ) -> Any:
        if key == "parameters":
            return _merge(config, env_config)
        return super()._merge_configs(config, env_config, key, env_path)

    def _used_only(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Without base entries of roles and channels that this layout does not have."""
        base = self._base_globals()
        for group, kind in _KEYED_BY_NAME.items():
            retired = set(base.get(kind, {})) - set(getattr(self.layout, kind))
            if group == ("segmentation",):
                # Ready masks take the place of segmentation.
                retired |= {n for n, role in self.layout.roles.items() if role.masks}
            parameters = _without(parameters, group, retired)
        if parameters.get("segmentation") == {}:
            parameters = _without(parameters, (), {"segmentation"})
        return parameters

    def _base_globals(self) -> dict[str, Any]:
        folder = self._get_conf_env_path(self.base_env)
        try:
            return self.load_and_merge_dir_config(
                folder, self.config_patterns["globals"], "globals", set()
            )
        except MissingConfigException:
            return {}


def environments(conf_source: str | Path) -> list[str]:
    """Names of the environments below ``conf``; none if it is packed or remote."""
    folder = Path(conf_source)
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")


def active_loader() -> CytoConfigLoader:
    """The configuration of the running session, else that of the working directory."""
    if CytoConfigLoader.active is None:
        from kedro.framework.project import settings
        from kedro.utils import find_kedro_project

        root = find_kedro_project(Path.cwd()) or Path.cwd()
        CytoConfigLoader(
            str(Path(root) / settings.CONF_SOURCE), **settings.CONFIG_LOADER_ARGS
        )
    loader = CytoConfigLoader.active
    if loader is None:
        raise ConfigError("No configuration is loaded")
    return loader


def explain(error: ValidationError) -> str:
    """Pydantic's findings as one plain line each."""
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"])
        lines.append(f"  - {place}: {item['msg']}" if place else f"  - {item['msg']}")
    return "\n".join(lines)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            same_method = value.get("name", old.get("name")) == old.get("name")
            merged[key] = _merge(old, value) if same_method else value
        else:
            merged[key] = value
    return merged


def _without(
    values: dict[str, Any], group: tuple[str, ...], names: set[str]
) -> dict[str, Any]:
    """A copy without the entries ``names`` of one group."""
    if not group:
        return {key: value for key, value in values.items() if key not in names}
    head, *rest = group
    inner = values.get(head)
    if not isinstance(inner, dict):
        return values
    return values | {head: _without(inner, tuple(rest), names)}
