"""Objects below a prefix, as an archive or a storage root is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cyto_kedro.core.uri import Uri
from cyto_kedro.datasets.object_store import Objects


class ObjectFolder:
    """Objects below a root, by the rest of their keys.

    Args:
        uri: The root: a bucket, or a prefix in it.
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
        return f"ObjectFolder({self.uri})"

    def as_uri(self) -> str:
        """The address."""
        return str(self.uri)

    def listing(self) -> dict[str, tuple[int, str]]:
        """Size and ETag of every object."""
        return self.objects.listing(self.uri.path)

    def sha256(self, name: str) -> str:
        """Hash of an object, which is read whole."""
        return self.objects.sha256(self._key(name))

    def read(self, name: str) -> bytes | None:
        """An object; None if there is none."""
        return self.objects.read(self._key(name))

    def upload(self, source: Path, name: str) -> None:
        """Put a file there: it is seen whole or not at all."""
        self.objects.upload(source, self._key(name))

    def below(self, name: str) -> ObjectFolder:
        """A folder in this one."""
        uri = replace(self.uri, path=self._key(name))
        return ObjectFolder(uri, objects=self.objects)

    def usage(self) -> dict[str, tuple[int, int]]:
        """Objects and bytes by the address of each first part below the root."""
        found: dict[str, tuple[int, int]] = {}
        for name, (size, _) in self.listing().items():
            part = replace(self.uri, path=self._key(name.partition("/")[0]))
            files, total = found.get(str(part), (0, 0))
            found[str(part)] = files + 1, total + size
        return found

    def _key(self, name: str) -> str:
        return f"{self.uri.path}/{name}" if self.uri.path else name
