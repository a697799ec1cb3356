"""Opens what lies elsewhere for commands: addresses with the project's credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.startup import ProjectMetadata

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.uri import DATABASE, Folder, Place, Root, Uri, locate


class Places:
    """Addresses of a configuration.

    The credentials of an address are those of a catalog entry in the same bucket or on
    the same server; without such an entry the environment is asked.

    Args:
        config: The project's ``catalog`` and, if there are any, ``credentials``.
        layout: The roots.
    """

    def __init__(self, config: Mapping[str, Any], layout: Layout) -> None:
        self.layout = layout
        try:
            self._credentials: Mapping[str, Any] = config["credentials"]
        except (KeyError, MissingConfigException):
            self._credentials = {}
        self._names = dict(_named(config["catalog"]))
        self._buckets: dict[tuple[str, str], Any] = {}

    @classmethod
    def of(cls, metadata: ProjectMetadata, env: str | None) -> Places:
        """Those of an environment of a project."""
        from cyto_kedro.cli.project import open_context

        loader = open_context(metadata, env)[1]
        return cls(loader, loader.layout)

    def open(self, address: str, data_type: str) -> Place:
        """The place of an output.

        Raises:
            ConfigError: The address is wrong, or a library is missing.
        """
        from cyto_kedro.datasets.places import open_place

        access = self._access(locate(address))
        return open_place(address, data_type, access, self._buckets)

    def archive(self, address: str, credentials: str | None = None) -> Path | Folder:
        """Where runs are archived.

        Args:
            address: A folder, a bucket, or a prefix in it.
            credentials: Name of an entry in ``credentials.yml``.

        Raises:
            ConfigError: It is a database, or there are no such credentials.
        """
        from cyto_kedro.datasets.object_folder import ObjectFolder

        uri = locate(address, root=True)
        if isinstance(uri, Path):
            return uri
        if uri.scheme == DATABASE:
            raise ConfigError(
                "Files are not archived in a database",
                where=address,
                fix="use a path, file://, s3:// or ceph://",
            )
        return ObjectFolder(uri, self._access(uri, credentials))

    def root(self, address: str) -> Root:
        """A storage root, to see how much lies below it.

        Raises:
            ConfigError: The address is wrong, or a library is missing.
        """
        from cyto_kedro.datasets.database_root import DatabaseRoot
        from cyto_kedro.datasets.object_folder import ObjectFolder

        uri = locate(address, root=True)
        if not isinstance(uri, Uri):
            raise ConfigError("This is a local path, no URI", where=address)
        kind = DatabaseRoot if uri.scheme == DATABASE else ObjectFolder
        return kind(uri, self._access(uri))

    def _access(self, uri: Any, name: str | None = None) -> Mapping[str, Any] | None:
        if name is None:
            name = self._names.get((uri.scheme, uri.host))
        if name is None:
            return None
        if name not in self._credentials:
            raise ConfigError(
                f"There are no credentials '{name}'",
                where="conf/*/credentials.yml",
                fix=f"known are: {', '.join(sorted(self._credentials)) or 'none'}",
            )
        return self._credentials[name]


def _named(entries: Any) -> Iterator[tuple[tuple[str, str], str]]:
    """Scheme and host of addresses in the catalog, with the name of credentials."""
    if not isinstance(entries, Mapping):
        return
    address, name = entries.get("filepath"), entries.get("credentials")
    if isinstance(address, str) and isinstance(name, str):
        try:
            uri = locate(address)
        except ConfigError:  # of a dataset that is not ours
            return
        if isinstance(uri, Uri):
            yield (uri.scheme, uri.host), name
    for entry in entries.values():
        yield from _named(entry)
