"""Execution profiles: which node runs on bare metal, and which in which container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from pydantic import Field, ValidationError, model_validator

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params
from cyto_kedro.runners.container_params import Container

_WHERE = "conf/*/execution.yml"
_DEFAULT = "default"
T = TypeVar("T")


class Profile(Params):
    """One profile: how each node is executed.

    ``nodes`` maps selectors to containers. The most exact one wins: the name of a node,
    a glob such as ``*.segment``, ``tag:x``, ``namespace:x``, ``default``.
    """

    name: str = Field(description="name of the profile")
    nodes: dict[str, Container] = Field(
        default_factory=dict, description="container by node selector"
    )

    def container_for(
        self, node_name: str, tags: Iterable[str], namespace: str | None
    ) -> Container | None:
        """The container of a node; None: bare metal.

        Raises:
            ConfigError: Two selectors of the same rank fit.
        """
        found = select(
            self.nodes, node_name, tags, namespace, where=f"{_WHERE}: {self.name}"
        )
        return None if found is None or found.bare else found


class ExecutionConfig(Params):
    """Content of ``execution.yml``."""

    default_profile: str = Field(
        default="local", description="profile of runs that do not name one"
    )
    profiles: dict[str, dict[str, Container]] = Field(
        default_factory=dict, description="selector -> container, by profile"
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, value: Any) -> Any:
        """``local:`` without entries is bare metal for all nodes."""
        if isinstance(value, Mapping) and isinstance(value.get("profiles"), Mapping):
            profiles = {k: v or {} for k, v in value["profiles"].items()}
            return {**value, "profiles": profiles}
        return value

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> ExecutionConfig:
        """Check the configuration as loaded.

        Raises:
            ConfigError: Each wrong key or value, and what was probably meant.
        """
        try:
            return cls.model_validate(dict(config))
        except ValidationError as exc:
            raise ConfigError(
                "\n".join(_line(error) for error in exc.errors()),
                where=_WHERE,
                fix=f"keys of an entry: {', '.join(Container.model_fields)}",
            ) from exc

    def profile(self, name: str | None = None) -> Profile:
        """A profile by name; the default one without.

        Raises:
            ConfigError: There is none of this name.
        """
        wanted = name or self.default_profile
        if wanted not in self.profiles:
            near = get_close_matches(wanted, self.profiles, n=1)
            meant = f"did you mean '{near[0]}'? " if near else ""
            raise ConfigError(
                f"There is no execution profile '{wanted}'",
                where="--runner-params=profile=..." if name else _WHERE,
                fix=f"{meant}There are: {', '.join(self.profiles) or 'none'}",
            )
        return Profile(name=wanted, nodes=self.profiles[wanted])


def select(
    entries: Mapping[str, T],
    node_name: str,
    tags: Iterable[str],
    namespace: str | None,
    *,
    where: str,
) -> T | None:
    """The entry whose selector fits a node best.

    Order: exact name, glob, ``tag:x``, ``namespace:x``, ``default``.

    Args:
        entries: By selector.
        node_name: Name of the node.
        tags: Its tags.
        namespace: Its namespace; a nested one (``a.b``) is within ``a``, too.
        where: For the error message.

    Raises:
        ConfigError: Two selectors of the same rank fit.
    """
    tags, around = set(tags), _namespaces(namespace)
    ranks = (
        [node_name] if node_name in entries and node_name != _DEFAULT else [],
        [s for s in entries if _is_glob(s) and fnmatchcase(node_name, s)],
        [s for s in entries if s.startswith("tag:") and s[4:].strip() in tags],
        [s for s in entries if s.startswith("namespace:") and s[10:].strip() in around],
        [_DEFAULT] if _DEFAULT in entries else [],
    )
    fitting: list[str] = next((found for found in ranks if found), [])
    if len(fitting) > 1:
        raise ConfigError(
            f"'{node_name}' fits {' and '.join(repr(s) for s in fitting)}",
            where=where,
            fix=f"say what holds with an entry of its own for '{node_name}'",
        )
    return entries[fitting[0]] if fitting else None


def _is_glob(selector: str) -> bool:
    prefixed = selector.startswith(("tag:", "namespace:"))
    return not prefixed and any(c in selector for c in "*?[")


def _namespaces(namespace: str | None) -> set[str]:
    parts = (namespace or "").split(".")
    return {".".join(parts[: i + 1]) for i in range(len(parts))} - {""}


def _line(error: Any) -> str:
    """``profiles.x.y: what is wrong``, with the nearest key for an unknown one."""
    path = [str(part) for part in error["loc"]]
    text = f"{'.'.join(path)}: {error['msg']}"
    if error["type"] == "extra_forbidden":
        known = [*Container.model_fields, *ExecutionConfig.model_fields, "cpus", "mem"]
        near = get_close_matches(path[-1], known, n=1)
        text = f"{'.'.join(path)}: unknown key"
        text += f", did you mean '{near[0]}'?" if near else ""
    return text
