"""One object as an output: read and put as a whole, its sidecar beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyto_kedro.core.uri import Uri
from cyto_kedro.datasets.object_store import Objects

_NOTE = ".sidecar.json"


class ObjectPlace:
    """One object, and its sidecar beside it.

    Args:
        uri: Its address.
        credentials: As :class:`Objects` takes them.
        objects: The bucket, if somebody has opened it already.
    """

    def __init__(
        self,
        uri: Uri,
        credentials: Mapping[str, Any] | None = None,
        objects: Objects | None = None,
    ) -> None:
        self.uri = uri
        self.objects = objects or Objects(uri, credentials)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri})"

    def sibling(self, suffix: str) -> ObjectPlace:
        """The same place with another suffix."""
        uri = self.uri.with_name(self.uri.stem + suffix)
        return ObjectPlace(uri, objects=self.objects)

    def as_uri(self) -> str:
        """The address."""
        return str(self.uri)

    def exists(self) -> bool:
        """Whether the object is there; an object is always whole."""
        return self.objects.facts(self.uri.path) is not None

    def download(self, target: Path) -> None:
        """Copy it into a local file.

        Raises:
            FileNotFoundError: There is no object.
        """
        self.objects.download(self.uri.path, target)

    def upload(self, source: Path) -> None:
        """Put a local file there."""
        self.objects.upload(source, self.uri.path)

    def content(self) -> tuple[str, int]:
        """SHA-256 and size."""
        facts = self.objects.facts(self.uri.path)
        return self.objects.sha256(self.uri.path), facts[0] if facts else 0

    def state(self) -> str:
        """Size and ETag."""
        return str(self.objects.facts(self.uri.path))

    def read_note(self) -> str | None:
        """The sidecar's text."""
        found = self.objects.read(self.uri.path + _NOTE)
        return None if found is None else found.decode()

    def write_note(self, text: str) -> None:
        """Put the sidecar beside it."""
        self.objects.write(self.uri.path + _NOTE, text.encode())

    def drop_note(self) -> None:
        """Delete the sidecar."""
        self.objects.delete([self.uri.path + _NOTE])

    def extent(self) -> tuple[int, int]:
        """The object and its sidecar, and their bytes."""
        keys = (self.uri.path, self.uri.path + _NOTE)
        found = [f for key in keys if (f := self.objects.facts(key)) is not None]
        return len(found), sum(size for size, _ in found)

    def remove(self) -> None:
        """Delete the object, then its sidecar."""
        self.objects.delete([self.uri.path, self.uri.path + _NOTE])

    def set_aside(self, label: str) -> str:
        """Copy the object to ``<stem>.<label><suffix>``."""
        kept = self.uri.with_name(f"{self.uri.stem}.{label}{self.uri.suffix}")
        self.objects.copy(self.uri.path, kept.path)
        return str(kept)
