"""How nodes are executed, as ``execution.yml`` says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from cyto_kedro.core.params import Params

Engine = Literal["bare", "docker", "podman", "apptainer", "singularity", "kubernetes"]


class Bind(Params):
    """A folder or file of the machine that is visible inside the container."""

    source: Path = Field(description="path on the machine; ~ is the home folder")
    target: Path | None = Field(
        default=None, description="path inside; null = the same as outside"
    )
    read_only: bool = Field(default=False, description="refuse writes inside")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        """``source``, ``source:target`` or ``source:target:ro``."""
        if isinstance(value, Path):
            return {"source": value}
        if not isinstance(value, str):
            return value
        source, *rest = value.split(":")
        if len(rest) > 2 or rest[1:] not in ([], ["ro"], ["rw"]):
            raise ValueError(
                f"'{value}' is not source, source:target or source:target:ro; write a "
                "path with a colon as {source: ..., target: ...}"
            )
        target = rest[0] if rest and rest[0] else None
        return {"source": source, "target": target, "read_only": rest[1:] == ["ro"]}

    @field_validator("source")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        value = value.expanduser()
        if not value.is_absolute():
            raise ValueError(f"a bind needs an absolute path, not '{value}'")
        return value

    @property
    def inside(self) -> Path:
        """The path inside the container."""
        return self.target or self.source

    def fields(self, *, source: str, target: str) -> list[str]:
        """``key=value`` fields of a ``--mount`` flag, with this engine's keys."""
        fields = ["type=bind", f"{source}={self.source}", f"{target}={self.inside}"]
        return fields + (["readonly" if source == "source" else "ro"] * self.read_only)


class Resources(Params):
    """Limits of the container, kept by Docker, Podman and Kubernetes.

    Under SLURM the job's own limits hold (``slurm.yml``).
    """

    cpus: float | None = Field(default=None, gt=0, description="CPU cores")
    mem: str | None = Field(
        default=None, pattern=r"^\d+[KMGT]i?$", description="memory, such as 32G"
    )


class Kubernetes(Params):
    """What a generated Kubernetes Job needs beyond image and resources."""

    node_selector: dict[str, str] = Field(
        default_factory=dict, description="labels of the nodes that may take the job"
    )
    claims: dict[str, str] = Field(
        default_factory=dict,
        description="persistent volume claim by the folder where it is mounted",
    )
    backoff_limit: int = Field(default=1, ge=0, description="restarts after a failure")


class Container(Params):
    """How a node is executed; bare metal if ``image`` is empty."""

    engine: Engine = Field(default="bare", description="what starts the container")
    image: str = Field(
        default="",
        description="path of a .sif file, or name:tag; empty = bare metal",
    )
    gpu: int | Literal["auto"] = Field(
        default="auto",
        description="GPUs inside: auto (or null) = all that are visible, where the "
        "node's method wants one; a number; 0 = never",
    )
    binds: tuple[Bind, ...] = Field(
        default=(), description="more folders to show inside; the run's own always are"
    )
    env: dict[str, str] = Field(
        default_factory=dict, description="environment variables set inside"
    )
    options: tuple[str, ...] = Field(
        default=(), description="more flags for the engine, such as --shm-size=8g"
    )
    resources: Resources = Field(default_factory=Resources, description="limits")
    kubernetes: Kubernetes = Field(
        default_factory=Kubernetes, description="only for engine kubernetes"
    )

    @field_validator("gpu", mode="before")
    @classmethod
    def _gpu(cls, value: Any) -> Any:
        if isinstance(value, int) and (value < 0 or isinstance(value, bool)):
            raise ValueError("gpu is auto, 0 or a number of GPUs")
        return "auto" if value is None else value

    @model_validator(mode="after")
    def _image_fits(self) -> Self:
        if self.engine == "bare" and self.image:
            raise ValueError(
                f"image '{self.image}' needs an engine: docker, podman or apptainer"
            )
        if self.engine in ("apptainer", "singularity") and "://" in self.image:
            raise ValueError(
                f"'{self.image}' would be fetched at run time: build or pull it to a "
                ".sif file once and name that"
            )
        return self

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # pydantic's own cannot take the mappings

    @property
    def bare(self) -> bool:
        """Whether there is no container."""
        return self.engine == "bare" or not self.image

    def image_path(self, project: Path) -> Path | None:
        """The image's file, if it is one; relative paths start at the project."""
        if self.engine not in ("apptainer", "singularity"):
            return None
        return project / Path(self.image).expanduser()
