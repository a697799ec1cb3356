"""Addresses of what lies elsewhere than on a local disk.

Catalog entries name files by path or by URI::

    /scratch/run/labels.zarr, file:///scratch/run/labels.zarr    a local disk
    s3://bucket/run/labels.zarr                                  an S3 service
    ceph://bucket/run/labels.zarr                                a Ceph RADOS Gateway
    db://host:5432/database/schema.table?run_id=...&movie=...    PostgreSQL

A URI never holds a password: those come from ``credentials.yml`` or the environment.
A root is the beginning of addresses: a bucket or a prefix in it, a database or one of
its tables or schemas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from cyto_kedro.core.errors import ConfigError

#: Schemes of object storage.
OBJECTS = ("s3", "ceph")
#: Scheme of PostgreSQL.
DATABASE = "db"
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_SECRETS = re.compile(r"pass|secret|token|key", re.IGNORECASE)


@dataclass(frozen=True)
class Uri:
    """One address in an object store or a database.

    Args:
        scheme: ``s3``, ``ceph`` or ``db``.
        host: Bucket, or server with its port.
        path: Key without a leading slash, or ``database/table``.
        query: Columns and values that pick the rows of a table.
    """

    scheme: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def suffix(self) -> str:
        """Suffix of the name, with its dot."""
        return PurePosixPath(self.path).suffix

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.path).stem

    def with_name(self, name: str) -> Uri:
        """The address of a neighbour."""
        return replace(self, path=str(PurePosixPath(self.path).with_name(name)))

    def is_below(self, root: Uri) -> bool:
        """Whether it lies below a root, or is that root."""
        if (self.scheme, self.host) != (root.scheme, root.host):
            return False
        if root.path in ("", self.path):
            return True
        if self.scheme == DATABASE and "/" in root.path:  # a table, or a schema of some
            return self.path.startswith(f"{root.path}.")
        return self.path.startswith(f"{root.path}/")

    def __str__(self) -> str:
        text = f"{self.scheme}://{self.host}/{quote(self.path, safe='/{}<>')}"
        return f"{text}?{urlencode(self.query)}" if self.query else text


@runtime_checkable
class Place(Protocol):
    """An output that is no local file, as provenance sees it.

    Its *note* is the sidecar, kept beside the data in the same store.
    """

    def as_uri(self) -> str:
        """The address; never with a secret in it."""

    def exists(self) -> bool:
        """Whether a whole output was published there."""

    def content(self) -> tuple[str, int]:
        """SHA-256 of the content, which is read whole, and its size in bytes."""

    def state(self) -> str:
        """Something cheap that changes whenever the content does."""

    def read_note(self) -> str | None:
        """The sidecar's text, if there is one."""

    def write_note(self, text: str) -> None:
        """Put the sidecar there."""

    def drop_note(self) -> None:
        """Delete the sidecar, if there is one."""

    def set_aside(self, label: str) -> str:
        """Keep a copy of what is there under another address, and return that."""

    def extent(self) -> tuple[int, int]:
        """Objects (or rows) that :meth:`remove` deletes, and about how many bytes."""

    def remove(self) -> None:
        """Delete the output with its sidecar and all that was staged for it."""


class Folder(Protocol):
    """Objects below a root, by the rest of their keys."""

    def as_uri(self) -> str:
        """The address; never with a secret in it."""

    def listing(self) -> dict[str, tuple[int, str]]:
        """Size and ETag of every object."""

    def sha256(self, name: str) -> str:
        """Hash of an object, which is read whole."""

    def read(self, name: str) -> bytes | None:
        """An object; None if there is none."""

    def upload(self, source: Path, name: str) -> None:
        """Put a file there: it is seen whole or not at all."""

    def below(self, name: str) -> Folder:
        """A folder in this one."""


class Root(Protocol):
    """A storage root, to see how much lies below it."""

    def usage(self) -> dict[str, tuple[int, int]]:
        """Objects (or outputs in a table) and bytes, by the address of each part."""


#: Opens the place of an output by its address and type of data.
Opener = Callable[[str, str], Place]


def locate(address: str | Path, root: bool = False) -> Path | Uri:
    """What an address in the catalog stands for.

    Args:
        address: A path or a URI.
        root: It is the beginning of other addresses.

    Raises:
        ConfigError: The scheme is unknown, the address is incomplete, or it holds a
            user or a secret; the message does not repeat those.
    """
    text = str(address)
    found = _SCHEME.match(text)
    if found is None:
        return Path(text)
    scheme = found[1].lower()
    parts = urlsplit(text)
    if scheme == "file":
        return _local(parts.netloc, parts.path)
    if scheme not in (*OBJECTS, DATABASE):
        raise ConfigError(
            f"'{scheme}' is no storage that is known here",
            where=f"{scheme}://{parts.netloc.rpartition('@')[2]}",
            fix="use a path, file://, s3://, ceph:// or db://",
        )
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    _refuse_secrets(scheme, parts.netloc, query)
    uri = Uri(scheme, parts.netloc, unquote(parts.path).strip("/"), query)
    _check_parts(uri, bool(parts.fragment), root)
    return uri


def without(text: str, secrets: Mapping[str, Any]) -> str:
    """A message of somebody else's library without the secrets that it was given."""
    for name, value in secrets.items():
        if value and _SECRETS.search(name):
            text = text.replace(str(value), "***")
    return text


def _local(host: str, path: str) -> Path:
    if host not in ("", "localhost") or not path.startswith("/"):
        raise ConfigError(
            "A file:// address needs three slashes and an absolute path",
            where=f"file://{host}{path}",
        )
    return Path(unquote(path))


def _refuse_secrets(scheme: str, host: str, query: Mapping[str, str]) -> None:
    if "@" in host or any(_SECRETS.search(name) for name in query):
        raise ConfigError(
            "An address must not hold a user or a secret",
            where=f"{scheme}://{host.rpartition('@')[2]}/...",
            fix="put it into conf/local/credentials.yml and name it by `credentials:`",
        )


def _check_parts(uri: Uri, fragment: bool, root: bool) -> None:
    names = uri.path.split("/") if uri.path else []
    if uri.scheme in OBJECTS:
        # An object store takes `..` for a name, and what stands between for its key.
        wrong = bool(uri.query) or any(name in ("", ".", "..") for name in names)
        wrong |= not names and not root
        form = f"{uri.scheme}://bucket/key"
    elif root:
        wrong = not 1 <= len(names) <= 2 or bool(uri.query)
        form = "db://host:port/database/table"
    else:
        wrong = len(names) != 2 or not uri.query
        form = "db://host:port/database/table?run_id=...&movie=..."
    if wrong or fragment or (uri.scheme in OBJECTS and not uri.host):
        raise ConfigError("The address is incomplete", where=str(uri), fix=form)
