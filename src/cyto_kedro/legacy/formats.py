"""pyCyto's YAML formats as typed objects: stage lists, task graphs, resources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cyto_kedro.core.errors import ConfigError

STAGES = ("preprocessing", "segmentation", "tracking", "postprocessing")
#: Execution profiles that pyCyto knows.
PROFILES = ("hybrid", "container", "local", "cluster", "cloud")
DEFAULT_PROFILE = "hybrid"

Document = TypeVar("Document", bound="_Document")


def _as_list(value: object) -> object:
    """A single name where a list is meant; nothing where nothing is written."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _as_mapping(value: object) -> object:
    return {} if value is None else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Mappings = Annotated[dict[str, Any], BeforeValidator(_as_mapping)]


class _Document(BaseModel):
    """Keys that are not known are kept, so that the report can name them."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def unknown(self) -> dict[str, Any]:
        """Keys that pyCyto does not define."""
        return dict(self.__pydantic_extra__ or {})


class Item(_Document):
    """One entry of a stage list."""

    name: str
    tag: str | None = None
    channels: Literal["all"] | list[str | list[str]] = "all"
    input_type: Names = ()
    output_type: Names = ()
    args: Mappings = Field(default_factory=dict)
    output_channel_name: Names = ()
    output: bool = False
    role: Literal["effector", "target", "other"] | None = None


class LabelToSparse(_Document):
    """Which image is measured inside which masks."""

    image_label_pair: list[tuple[str, str]] = Field(default_factory=list)
    output: bool = False


Items = Annotated[list[Item], BeforeValidator(_as_list)]


class Stages(_Document):
    """The stage lists of a legacy file."""

    preprocessing: Items = Field(default_factory=list)
    segmentation: Items = Field(default_factory=list)
    label_to_sparse: LabelToSparse | None = None
    tracking: Items = Field(default_factory=list)
    postprocessing: Items = Field(default_factory=list)


class _Pipeline(_Document):
    description: str | None = None
    microscope: str | None = None
    channels: dict[str, str | None] = Field(default_factory=dict)
    image_range: Mappings = Field(default_factory=dict)
    output_dir: str | None = None
    spacing: float | list[float] | None = None
    frame_interval_min: float | None = Field(default=None, gt=0)
    execution_profile: str | None = None
    contacts: Mappings = Field(default_factory=dict)


class LegacyPipeline(_Pipeline):
    """Format 1: stage lists."""

    fiji_dir: str | None = None
    pipeline: Stages


class Task(_Document):
    """One task of a graph."""

    module: str
    params: Mappings = Field(default_factory=dict)
    dependencies: Names = ()
    tags: Names = ()
    channel: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        default_factory=list
    )
    output_channel_name: Names = ()
    output: bool = False
    role: Literal["effector", "target", "other"] | None = None


class DagPipeline(_Pipeline):
    """Format 2: tasks with dependencies."""

    tasks: dict[str, Task] = Field(min_length=1)


class TaskResources(_Document):
    """Format 3: how one task is executed under one profile."""

    type: Literal["container", "baremetal"] = "baremetal"
    runner: str | None = None
    image: str | None = None
    resources: Mappings = Field(default_factory=dict)


Tasks = Annotated[dict[str, TaskResources], BeforeValidator(_as_mapping)]


class ResourcesFile(_Document):
    """Format 3: profiles of tasks."""

    execution_configs: dict[str, Tasks] = Field(default_factory=dict)
    default_profile: str | None = None


def read_pipeline(path: Path) -> LegacyPipeline | DagPipeline:
    """Read a pipeline file and tell its format by its content.

    Raises:
        ConfigError: It is no pipeline of pyCyto, or a value has the wrong form.
    """
    values = _load(path)
    if "tasks" in values and "pipeline" in values:
        raise ConfigError(
            "The file has both 'tasks' and 'pipeline'",
            where=str(path),
            fix="keep one: task graphs have 'tasks', stage lists have 'pipeline'",
        )
    if "tasks" in values:
        return _typed(DagPipeline, values, path)
    if "pipeline" in values:
        return _typed(LegacyPipeline, values, path)
    what = (
        "This is a resources file, not a pipeline"
        if "execution_configs" in values
        else "This is no pipeline of pyCyto"
    )
    raise ConfigError(
        what,
        where=str(path),
        fix="a pipeline has the key 'pipeline' (stage lists) or 'tasks' (task graph); "
        "resources are given with --resources",
    )


def read_resources(path: Path) -> ResourcesFile:
    """Read a resources file.

    Raises:
        ConfigError: It is none, or a value has the wrong form.
    """
    values = _load(path)
    if "execution_configs" not in values:
        raise ConfigError(
            "This is no resources file of pyCyto",
            where=str(path),
            fix="it has the key 'execution_configs'",
        )
    return _typed(ResourcesFile, values, path)


def sibling_resources(pipeline: Path) -> Path | None:
    """``pipeline-resources.X.yaml`` beside ``pipeline.X.yaml``, if it is there."""
    head, dot, rest = pipeline.name.partition(".")
    beside = pipeline.with_name(f"{head}-resources{dot}{rest}")
    return beside if head == "pipeline" and beside.is_file() else None


def choose_profile(
    wanted: str | None, pipeline: str | None, resources: str | None
) -> str:
    """The command line's, the pipeline's, the resources' profile, or hybrid."""
    return wanted or pipeline or resources or DEFAULT_PROFILE


def _load(path: Path) -> Mapping[str, Any]:
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(
            f"The file cannot be read: {exc.strerror}", where=str(path)
        ) from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise ConfigError(f"The file is no YAML: {exc}", where=str(path)) from exc
    if not isinstance(values, dict):
        raise ConfigError("The file holds no keys", where=str(path))
    return {str(key): value for key, value in values.items()}


def _typed(kind: type[Document], values: Mapping[str, Any], path: Path) -> Document:
    try:
        return kind.model_validate(values)
    except ValidationError as exc:
        lines = [
            f"  - {'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
            for error in exc.errors()
        ]
        raise ConfigError(
            "The file does not have pyCyto's form:\n" + "\n".join(lines),
            where=str(path),
        ) from exc
