"""What all datasets share: a place, a description, and what may be written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from kedro.io import AbstractDataset

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import ConfigError, StorageError
from cyto_kedro.core.uri import OBJECTS, Place, Uri, locate

if TYPE_CHECKING:
    from cyto_kedro.datasets.object_place import ObjectPlace

In = TypeVar("In")
Out = TypeVar("Out")


class PathDataset(AbstractDataset[In, Out]):
    """A dataset that is one file or folder, on a disk or elsewhere.

    Args:
        filepath: Where it lies: a path, or a URI of a scheme in :attr:`remote`.
        metadata: Free content for plugins, such as the layer in Kedro-Viz.
        credentials: Access to the place of a URI; Kedro takes them by name from
            ``credentials.yml``. Without them the environment is asked.

    Attributes:
        path: The local path; of a URI there is none.
        place: Where a URI leads; None for a local path.

    Raises:
        ConfigError: The address is wrong, or this type does not go there.
    """

    data_type: str = "Arbitrary"
    #: Schemes of URIs that a type takes beside ``file``.
    remote: ClassVar[tuple[str, ...]] = ()

    path: Path

    def __init__(
        self,
        filepath: str | Path,
        metadata: dict[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        self.metadata = metadata
        self.place: Place | None = None
        found = locate(filepath)
        if isinstance(found, Path):
            self.path = found
            self.address: Path | Uri = found
            return
        self.address = found
        if found.scheme not in self.remote:
            known = " and ".join(f"{name}://" for name in ("file", *self.remote))
            raise ConfigError(
                f"{type(self).__name__} cannot be stored at {found.scheme}://",
                where=str(found),
                fix=f"it takes a path or {known}",
            )
        self.place = self._place(found, credentials)

    @property
    def where(self) -> str:
        """The path or URI, for messages."""
        return str(self.address)

    def _place(self, uri: Uri, credentials: Mapping[str, Any] | None) -> Place:
        from cyto_kedro.datasets.object_place import ObjectPlace

        return ObjectPlace(uri, credentials)

    def _exists(self) -> bool:
        return self.path.exists() if self.place is None else self.place.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.where}


class FileDataset(PathDataset[In, Out]):
    """A dataset that is one file; as an object it is read and put as a whole."""

    remote: ClassVar[tuple[str, ...]] = OBJECTS

    @contextmanager
    def reading(self) -> Iterator[Path]:
        """The file, or a local copy of the object.

        Raises:
            FileNotFoundError: There is none.
        """
        if self.place is None:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="cyto_kedro_") as folder:
            copy = Path(folder) / self.address.name
            self._object().download(copy)
            yield copy

    @contextmanager
    def writing(self, suffix: str | None = None) -> Iterator[Path]:
        """A name to write to, which on success becomes the file or the object.

        Args:
            suffix: Write the neighbour with this suffix instead.
        """
        if self.place is None:
            with staged(self.path.with_suffix(suffix) if suffix else self.path) as part:
                yield part
            return
        target = self._object()
        if suffix:
            target = target.sibling(suffix)
        with tempfile.TemporaryDirectory(prefix="cyto_kedro_") as folder:
            copy = Path(folder) / target.uri.name
            yield copy
            target.upload(copy)

    def text(self) -> str:
        """The whole file as text.

        Raises:
            FileNotFoundError: There is none.
        """
        with self.reading() as path:
            return path.read_text("utf-8")

    def write(self, text: str) -> None:
        """Make ``text`` the whole file."""
        with self.writing() as stage:
            stage.write_text(text, encoding="utf-8")

    def _object(self) -> ObjectPlace:
        from cyto_kedro.datasets.object_place import ObjectPlace

        if not isinstance(self.place, ObjectPlace):
            raise TypeError(f"{self.where} is no object")
        return self.place


class ReadOnlyDataset(AbstractDataset[Any, Out]):
    """A dataset that refuses every write."""

    why: ClassVar[str] = "raw data are read-only"

    def save(self, data: Any) -> NoReturn:
        """Refuse.

        Raises:
            StorageError: Always.
        """
        raise StorageError(
            f"Nothing was written: {self.why}",
            where=str(self._describe()),
            fix="give the node another output",
        )
