"""Objects below a prefix, as an archive or a storage root is seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyto_kedro.core.uri import Uri
from cyto_kedro.datasets.object_store import Objects


class ObjectFolder:
    """Objects below a root, by the rest of their keys.

    Args:
        uri: The root: a bucket, or a prefix in it.
        credentials: As :class:`Objects` takes them.
    """

    def __init__(self, uri: Uri, credentials: Mapping[str, Any] | None = None) -> None:
        self.uri = uri
        self.objects = Objects(uri, credentials)

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

    def _key(self, name: str) -> str:
        return f"{self.uri.path}/{name}" if self.uri.path else name
