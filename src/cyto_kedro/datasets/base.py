"""What all datasets share: a path, a description, and what may be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

from kedro.io import AbstractDataset

from cyto_kedro.core.errors import StorageError

In = TypeVar("In")
Out = TypeVar("Out")


class PathDataset(AbstractDataset[In, Out]):
    """A dataset that is one file or folder.

    Args:
        filepath: Where it lies.
        metadata: Free content for plugins, such as the layer in Kedro-Viz.
    """

    data_type: str = "Arbitrary"

    def __init__(
        self, filepath: str | Path, metadata: dict[str, Any] | None = None
    ) -> None:
        self.path = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self.path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.path)}


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
