"""Roots of outputs that lie on no disk, by storage class."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.params import Params
from cyto_kedro.core.uri import Uri, locate

#: What becomes of data: raw is kept untouched, scratch may go, output is kept.
StorageClass = Literal["raw", "scratch", "output"]


class RemoteRoots(Params):
    """Where outputs lie that are on no disk: beginnings of URIs, by storage class."""

    raw: tuple[str, ...] = Field(
        default=(), description="nothing below is ever written, such as s3://archive"
    )
    scratch: tuple[str, ...] = Field(
        default=(),
        description="heavy, may be purged; `kedro cyto purge` deletes below these only",
    )
    output: tuple[str, ...] = Field(default=(), description="results, kept")

    @model_validator(mode="after")
    def _roots_are_apart(self) -> Self:
        found = [
            (kind, _remote(text)) for kind, roots in self.by_class() for text in roots
        ]
        for kind, root in found:
            for other, inner in found:
                if kind != other and inner.is_below(root):
                    raise ValueError(f"{other} root {inner} lies in {kind} root {root}")
        return self

    def by_class(self) -> tuple[tuple[StorageClass, tuple[str, ...]], ...]:
        """The roots of each storage class."""
        return (("raw", self.raw), ("scratch", self.scratch), ("output", self.output))

    def class_of(self, address: str) -> StorageClass | None:
        """Storage class of a URI; None if it lies below no root."""
        uri = locate(address)
        for kind, roots in self.by_class():
            if isinstance(uri, Uri) and any(uri.is_below(_remote(r)) for r in roots):
                return kind
        return None


def _remote(text: str) -> Uri:
    try:
        found = locate(text, root=True)
    except ConfigError as exc:
        raise ValueError(str(exc)) from exc
    if not isinstance(found, Uri):
        raise ValueError(f"'{text}' is no URI: roots on disks have keys of their own")
    return found
