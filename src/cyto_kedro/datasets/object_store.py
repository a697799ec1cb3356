"""Objects in S3 or a Ceph RADOS Gateway, by s3fs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto_kedro.core.errors import ConfigError, CytoError, StorageError
from cyto_kedro.core.uri import Uri, without

if TYPE_CHECKING:
    from s3fs import S3FileSystem

_TIMEOUT_S = 60.0
_ATTEMPTS = 2
_KNOWN = {"key", "secret", "token", "endpoint_url", "timeout_s"}
# S3's own variables are read by botocore. A gateway has others, so that the keys of
# one service are never sent to the other.
_ENVIRONMENT = {
    "key": "CEPH_ACCESS_KEY_ID",
    "secret": "CEPH_SECRET_ACCESS_KEY",
    "endpoint_url": "CEPH_ENDPOINT_URL",
}
_BLOCK = 2**20


class Objects:
    """One bucket, with requests that end within a bounded time.

    Args:
        uri: Any address in the bucket.
        credentials: ``key``, ``secret``, ``token``, ``endpoint_url`` and ``timeout_s``
            (seconds without an answer after which a request is given up).

    Raises:
        ConfigError: Unknown credentials, or a gateway without an endpoint.
    """

    def __init__(self, uri: Uri, credentials: Mapping[str, Any] | None = None) -> None:
        self.uri = uri
        given = dict(credentials or {})
        if unknown := sorted(set(given) - _KNOWN):
            raise ConfigError(
                f"Unknown in the credentials: {', '.join(unknown)}",
                where=str(uri),
                fix=f"known are {', '.join(sorted(_KNOWN))}",
            )
        if uri.scheme == "ceph":
            found = {name: os.environ.get(var) for name, var in _ENVIRONMENT.items()}
            given = {k: v for k, v in found.items() if v} | given
            if "endpoint_url" not in given:
                raise ConfigError(
                    "A Ceph RADOS Gateway needs an endpoint",
                    where=str(uri),
                    fix="give endpoint_url in credentials.yml, or CEPH_ENDPOINT_URL",
                )
        self._credentials = given

    def __repr__(self) -> str:
        return f"Objects({self.uri.scheme}://{self.uri.host})"

    def __getstate__(self) -> dict[str, Any]:
        # Connections do not survive a process; each makes its own.
        return {"uri": self.uri, "_credentials": self._credentials}

    @cached_property
    def _fs(self) -> S3FileSystem:
        return self._connect(asynchronous=False)

    @cached_property
    def for_zarr(self) -> S3FileSystem:
        """The connection that Zarr uses, in an event loop of its own."""
        found = self._connect(asynchronous=True)
        # s3fs closes the others by itself.
        weakref.finalize(self, _close, found)
        return found

    def _connect(self, asynchronous: bool) -> S3FileSystem:
        try:
            from s3fs import S3FileSystem
        except ImportError as exc:
            raise ConfigError(
                "Object storage needs s3fs, which is not installed",
                where=str(self.uri),
                fix='pip install "cyto-kedro[remote]"',
            ) from exc
        given = self._credentials
        patience = float(given.get("timeout_s", _TIMEOUT_S))
        config: dict[str, Any] = {
            "connect_timeout": min(patience, 10.0),
            "read_timeout": patience,
            "retries": {"max_attempts": _ATTEMPTS, "mode": "standard"},
        }
        if given.get("endpoint_url"):
            # Buckets by path, and no checksums in trailers: gateways know neither.
            config["s3"] = {"addressing_style": "path"}
            config["request_checksum_calculation"] = "when_required"
            config["response_checksum_validation"] = "when_required"
        found = S3FileSystem(
            key=given.get("key"),
            secret=given.get("secret"),
            token=given.get("token"),
            endpoint_url=given.get("endpoint_url"),
            config_kwargs=config,
            use_listings_cache=False,
            skip_instance_cache=True,
            asynchronous=asynchronous,
            session=_session(),
        )
        found.retries = 1  # botocore's attempts are enough
        return found

    def full(self, key: str) -> str:
        """Bucket and key, as s3fs names it."""
        return f"{self.uri.host}/{key}"

    @contextmanager
    def told(self, key: str) -> Iterator[None]:
        """Turn what goes wrong with an object into an error of ours.

        Raises:
            FileNotFoundError: There is no such object, but there is a bucket.
            StorageError: Anything else; holds no secret.
        """
        where = f"{self.uri.scheme}://{self.uri.host}/{key}"
        try:
            yield
        except (CytoError, FileExistsError):
            raise
        except FileNotFoundError:
            self._require_bucket()
            raise FileNotFoundError(where) from None
        except PermissionError as exc:
            raise self._failed("Access was refused", exc, where) from None
        except Exception as exc:
            if _code(exc) in ("412", "PreconditionFailed"):
                raise FileExistsError(where) from None
            raise self._failed("The request failed", exc, where) from None

    def _failed(self, what: str, exc: Exception, where: str) -> StorageError:
        code = _code(exc) or type(exc).__name__
        detail = without(f"{code}: {exc}", self._credentials)
        return StorageError(
            f"{what}: {detail}",
            where=where,
            fix="check endpoint, access key, secret and the rights of this user in "
            "credentials.yml, and that the service runs; then run again",
        )

    def _require_bucket(self) -> None:
        where = f"{self.uri.scheme}://{self.uri.host}"
        try:
            there = self._fs.call_s3("head_bucket", Bucket=self.uri.host)
        except FileNotFoundError:
            there = None
        except Exception as exc:
            raise self._failed("The request failed", exc, where) from None
        if there is None:
            raise StorageError(
                "There is no such bucket",
                where=where,
                fix="create it, or correct the address in the catalog",
            )

    def read(self, key: str) -> bytes | None:
        """An object; None if there is none."""
        try:
            with self.told(key):
                return self._fs.cat_file(self.full(key))
        except FileNotFoundError:
            return None

    def write(self, key: str, content: bytes, new: bool = False) -> None:
        """Put a small object: whole or not at all.

        Raises:
            FileExistsError: ``new`` was asked for, and somebody was faster.
        """
        with self.told(key):
            mode = "create" if new else "overwrite"
            self._fs.pipe_file(self.full(key), content, mode=mode)

    def download(self, key: str, target: Path) -> None:
        """Copy an object into a local file.

        Raises:
            FileNotFoundError: There is none.
        """
        with self.told(key):
            self._fs.get_file(self.full(key), str(target))

    def upload(self, source: Path, key: str) -> None:
        """Put a local file there: it is seen whole or not at all."""
        with self.told(key):
            self._fs.put_file(str(source), self.full(key))

    def listing(self, prefix: str) -> dict[str, tuple[int, str]]:
        """Size and ETag of the objects below a prefix, by the rest of the key.

        Without a prefix these are all objects of the bucket.
        """
        top = self.full(prefix).rstrip("/")
        try:
            with self.told(prefix):
                found = self._fs.find(top, detail=True)
        except FileNotFoundError:
            return {}
        return {
            name.removeprefix(f"{top}/"): (
                int(facts["size"]),
                str(facts.get("ETag", "")),
            )
            for name, facts in found.items()
            if name.startswith(f"{top}/")
        }

    def facts(self, key: str) -> tuple[int, str] | None:
        """Size and ETag of one object; None if there is none."""
        try:
            with self.told(key):
                found = self._fs.info(self.full(key))
        except FileNotFoundError:
            return None
        if found["type"] != "file":
            return None
        return int(found["size"]), str(found.get("ETag", ""))

    def copy(self, key: str, target: str) -> None:
        """Copy an object within the bucket."""
        with self.told(target):
            self._fs.cp_file(self.full(key), self.full(target))

    def delete(self, keys: list[str]) -> None:
        """Delete objects; those that are gone already are no error."""
        for key in keys:
            try:
                with self.told(key):
                    self._fs.rm_file(self.full(key))
            except FileNotFoundError:
                continue

    def sha256(self, key: str) -> str:
        """Hash of an object, which is read in blocks.

        Raises:
            FileNotFoundError: There is none.
        """
        digest = hashlib.sha256()
        with self.told(key), self._fs.open(self.full(key), block_size=8 * _BLOCK) as f:
            while block := f.read(_BLOCK):
                digest.update(block)
        return digest.hexdigest()


def _session() -> Any:
    """A session whose puts end in a bounded time.

    Before each body it would ask by ``Expect: 100-continue``, and aiohttp waits for the
    answer without any limit: a service that stalls would hang a run for ever.
    """
    from aiobotocore.session import AioSession
    from botocore.handlers import add_expect_header

    session = AioSession()
    session.unregister("before-call.s3", add_expect_header)
    return session


def _close(connection: S3FileSystem) -> None:
    """End the session, in the event loop in which it was begun."""
    from zarr.core.sync import _get_loop

    client = connection._s3
    if client is None:
        return
    loop = _get_loop()
    pending = asyncio.run_coroutine_threadsafe(client.close(), loop)
    try:
        asyncio.get_running_loop()  # collected inside that loop: it goes on by itself
    except RuntimeError:
        with suppress(Exception):  # the process ends, and its sockets with it
            pending.result(timeout=1)


def _code(exc: Exception) -> str | None:
    """S3's code of an error, which s3fs turned into one of Python's."""
    response = getattr(exc.__cause__ or exc, "response", None) or {}
    code = response.get("Error", {}).get("Code")
    return None if code is None else str(code)
