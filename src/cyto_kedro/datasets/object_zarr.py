"""OME-Zarr stores in object storage: written in place, published by a marker.

Objects cannot be renamed. Each save goes to a prefix of its own, and one small object,
put when no frame is missing, names the prefix that counts::

    labels.zarr/current.json             the marker: {"store": "3f2a...", ...}
    labels.zarr/3f2a....zarr/zarr.json   an ordinary OME-Zarr store, for any reader

Until the marker is put, whoever loads sees the store before, or none. Chunk = object =
frame, so that jobs which write other windows never touch the same object.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyto_kedro.core.errors import InputError, StorageError
from cyto_kedro.core.parallel import side_by_side
from cyto_kedro.core.uri import Uri
from cyto_kedro.datasets.object_place import ObjectPlace

if TYPE_CHECKING:
    import zarr
    from zarr.abc.store import Store

_MARKER = "current.json"
_CLAIM = ".claimed"
_LEVEL = "0"


@dataclass(frozen=True)
class Generation:
    """One store below the prefix of an output; stands where a path does elsewhere.

    Args:
        place: The output.
        name: Its own name, without the suffix.
    """

    place: ZarrPlace
    name: str

    @property
    def prefix(self) -> str:
        """Its key in the bucket."""
        return f"{self.place.uri.path}/{self.name}.zarr"

    def __str__(self) -> str:
        return f"{self.place.as_uri()}/{self.name}.zarr"

    def store(self, writing: bool = False) -> Store:
        """What Zarr reads from or writes to.

        When reading, an object that was there and is gone is an error, no black frame.
        """
        from zarr.storage import FsspecStore

        objects = self.place.objects
        store = FsspecStore(
            objects.for_zarr,
            read_only=not writing,
            path=objects.full(self.prefix),
        )
        if writing:
            return store
        return _strict(store, frozenset(self.listing()), str(self))

    def listing(self) -> dict[str, tuple[int, str]]:
        """Objects of the store: size and ETag by key."""
        return self.place.objects.listing(self.prefix)

    def array(self) -> zarr.Array:
        """The full-resolution array, open for writing frames."""
        import zarr

        with self.place.objects.told(self.prefix):
            group = zarr.open_group(self.store(writing=True), mode="r+")
            array: Any = group[_LEVEL]
            # A frame of zeros is written too: no object means not computed.
            return array.with_config({"write_empty_chunks": True})

    def missing(self) -> list[int]:
        """Frames that were not written yet; all of a store not yet created."""
        keys = self.listing()
        if f"{_LEVEL}/zarr.json" not in keys:
            raise FileNotFoundError(str(self))
        array = self.array()
        wanted = [
            f"{array.path}/{array.metadata.encode_chunk_key((frame, 0, 0))}"
            for frame in range(array.shape[0])
        ]
        return [frame for frame, key in enumerate(wanted) if key not in keys]

    def describe(self, documents: Mapping[str, bytes]) -> None:
        """Put the metadata of an empty store; jobs of one output put the same.

        Raises:
            StorageError: Another store is there.
        """
        for name, content in documents.items():
            key = f"{self.prefix}/{name}"
            try:
                self.place.objects.write(key, content, new=True)
            except FileExistsError:
                if self.place.objects.read(key) != content:
                    raise StorageError(
                        "A store of another shape or type is there already",
                        where=str(self),
                        fix="delete it",
                    ) from None


class ZarrPlace(ObjectPlace):
    """The prefix of one output, with its marker and its stores."""

    def new(self) -> Generation:
        """A store that nobody writes yet."""
        return Generation(self, uuid.uuid4().hex[:12])

    def staging(self, run_id: str, fingerprint: str) -> Generation:
        """The store in which the windows of one output meet."""
        return Generation(self, f"{run_id}.{fingerprint[:12]}")

    def current(self) -> Generation:
        """The published store.

        Raises:
            FileNotFoundError: Nothing was published.
            InputError: The marker is damaged.
        """
        text = self.objects.read(self._key(_MARKER))
        if text is None:
            raise FileNotFoundError(self.as_uri())
        try:
            return Generation(self, str(json.loads(text)["store"]))
        except (ValueError, KeyError, TypeError) as exc:
            raise InputError(
                "The marker of the store is damaged",
                where=f"{self.as_uri()}/{_MARKER}",
                fix="delete it and run the node that writes the store again",
            ) from exc

    def exists(self) -> bool:
        """Whether a store was published."""
        return self.objects.facts(self._key(_MARKER)) is not None

    def claim(self, stage: Generation) -> bool:
        """Whether the caller is the first who wants to publish a complete store."""
        try:
            self.objects.write(self._key(stage.name + _CLAIM), b"", new=True)
        except FileExistsError:
            return False
        return True

    def publish(self, stage: Generation) -> None:
        """Make a complete store the one that counts; the ones before are deleted.

        Raises:
            StorageError: Frames are missing.
        """
        missing = stage.missing()
        if missing:
            raise StorageError(
                f"{len(missing)} frames were not written, the first is {missing[0]}",
                where=self.as_uri(),
                fix="run the jobs of these frames again",
            )
        self._mark(stage)
        # Its claim stays too, so that a late finisher does not publish once more.
        mine = (_MARKER, f"{stage.name}.zarr/", f"{stage.name}{_CLAIM}")
        others = [
            self._key(name)
            for name in self.objects.listing(self.uri.path)
            if not name.startswith(mine)
        ]
        self.objects.delete(others)

    def discard(self, stage: Generation) -> None:
        """Delete a store that was not published."""
        self.objects.delete([f"{stage.prefix}/{name}" for name in stage.listing()])

    def content(self) -> tuple[str, int]:
        """Tree hash, equal to that of the same store on a disk, and size."""
        found = self.current()
        keys = found.listing()
        names = sorted(keys)
        hashes = side_by_side(
            lambda name: self.objects.sha256(f"{found.prefix}/{name}"), names
        )
        lines = [f"{n} {digest}\n" for n, digest in zip(names, hashes, strict=True)]
        whole = hashlib.sha256("".join(lines).encode()).hexdigest()
        return whole, sum(size for size, _ in keys.values())

    def state(self) -> str:
        """A hash of names, sizes and ETags."""
        text = json.dumps(sorted(self.current().listing().items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def extent(self) -> tuple[int, int]:
        """All objects below the prefix with the sidecar, and their bytes."""
        found = self.objects.listing(self.uri.path)
        notes, size = super().extent()
        return len(found) + notes, size + sum(each for each, _ in found.values())

    def remove(self) -> None:
        """Delete the marker first: what is left of a stop halfway is no store."""
        found = self.objects.listing(self.uri.path)
        others = [self._key(name) for name in found if name != _MARKER]
        self.objects.delete([self._key(_MARKER), *others])
        super().remove()

    def set_aside(self, label: str) -> str:
        """Copy the published store to ``<stem>.<label>.zarr``."""
        found = self.current()
        uri = self.uri.with_name(f"{self.uri.stem}.{label}{self.uri.suffix}")
        kept = ZarrPlace(uri, objects=self.objects)
        copy = Generation(kept, found.name)
        for name in found.listing():
            self.objects.copy(f"{found.prefix}/{name}", f"{copy.prefix}/{name}")
        kept._mark(copy)
        return kept.as_uri()

    def _mark(self, store: Generation) -> None:
        keys = store.listing()
        facts = {
            "store": store.name,
            "objects": len(keys),
            "bytes": sum(size for size, _ in keys.values()),
        }
        self.objects.write(self._key(_MARKER), json.dumps(facts).encode())

    def _key(self, name: str) -> str:
        return f"{self.uri.path}/{name}"


#: What an image may lie in: a folder, or a store of objects.
StoreAt = Path | Generation


def zarr_place(uri: Uri, credentials: Mapping[str, Any] | None) -> ZarrPlace:
    """The place of an OME-Zarr output."""
    return ZarrPlace(uri, credentials)


def _strict(store: Store, known: frozenset[str], where: str) -> Store:
    from zarr.storage import WrapperStore

    class Strict(WrapperStore):
        """Never takes an object that vanished for a chunk of zeros."""

        def _with_store(self, store: Any) -> Any:
            return Strict(store)

        async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
            found = await super().get(key, *args, **kwargs)
            if found is None and key in known:
                raise InputError(
                    "An object of the store has vanished while it was read",
                    where=f"{where}/{key}",
                    fix="the output was made again meanwhile: load it anew",
                )
            return found

    return Strict(store)
