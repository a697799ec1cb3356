"""Tables as Parquet with CSV beside it for other programs, or in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from kedro_datasets._typing import TablePreview

from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.core.uri import DATABASE, OBJECTS, Place, Uri
from cyto_kedro.datasets.base import FileDataset
from cyto_kedro.datasets.database import TablePlace

Format = Literal["parquet", "csv"]
_PREVIEW_ROWS = 20


class TableDataset(FileDataset[pd.DataFrame, pd.DataFrame]):
    """A pandas table, loaded from Parquet with the dtypes that it was saved with.

    Args:
        filepath: The ``.parquet`` file, an object's URI, or the rows of a table:
            ``db://host/database/table?run_id=...&movie=...``; a CSV gets the same stem.
        formats: ``[parquet]`` or ``[parquet, csv]``.
        metadata: Free content for plugins.
        credentials: Access to the place of a URI.
    """

    data_type: str = "Table"
    remote = (*OBJECTS, DATABASE)

    def __init__(
        self,
        filepath: str | Path,
        formats: list[Format] | tuple[Format, ...] = ("parquet",),
        metadata: dict[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata, credentials)
        self._csv = "csv" in formats
        if isinstance(self.place, TablePlace):
            wrong = tuple(formats) != ("parquet",)
        else:
            known = self.address.suffix == ".parquet"
            wrong = not known or bool(set(formats) - {"parquet", "csv"})
        if wrong:
            raise ConfigError(
                "A table needs a .parquet path and formats among parquet and csv; in a "
                "database it has no format",
                where=self.where,
            )

    @property
    def paths(self) -> list[Path]:
        """All local files of the table, the one that is loaded first."""
        if self.place is not None:
            return []
        csv = [self.path.with_suffix(".csv")] if self._csv else []
        return [self.path, *csv]

    @property
    def places(self) -> list[Place]:
        """All objects of the table, the one that is loaded first."""
        if self.place is None:
            return []
        return [self.place, *([self._object().sibling(".csv")] if self._csv else [])]

    def load(self) -> pd.DataFrame:
        """Read the table."""
        if isinstance(self.place, TablePlace):
            return self.place.load().to_pandas()
        try:
            with self.reading() as path:
                return pd.read_parquet(path, engine="pyarrow")
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as exc:
            raise InputError(
                f"The table cannot be read: {exc}",
                where=self.where,
                fix="delete it and run the node that writes it again",
            ) from exc

    def save(self, data: pd.DataFrame) -> None:
        """Write Parquet (Zstandard) last: where it exists, the CSV is complete too."""
        if not isinstance(data, pd.DataFrame):
            raise InputError(
                f"Expected a DataFrame, got {type(data).__name__}", where=self.where
            )
        if isinstance(self.place, TablePlace):
            import pyarrow as pa

            self.place.save(pa.Table.from_pandas(data, preserve_index=False))
            return
        if self._csv:
            with self.writing(".csv") as stage:
                data.to_csv(stage, index=False)
        with self.writing() as stage:
            data.to_parquet(stage, engine="pyarrow", compression="zstd", index=False)

    def preview(self, nrows: int = _PREVIEW_ROWS) -> TablePreview:
        """The first rows."""
        head = self.load().head(nrows) if self.place else self._first(nrows)
        shown = head.astype(object).where(head.notna(), None)
        return TablePreview(shown.to_dict(orient="split"))

    def _first(self, nrows: int) -> pd.DataFrame:
        import pyarrow.parquet as pq

        # Only the first rows are decoded: result tables have a million of them.
        batches = pq.ParquetFile(self.path).iter_batches(batch_size=nrows)
        first = next(batches, None)
        return self.load().head(0) if first is None else first.to_pandas()

    def _place(self, uri: Uri, credentials: Mapping[str, Any] | None) -> Place:
        if uri.scheme == DATABASE:
            return TablePlace(uri, credentials)
        return super()._place(uri, credentials)
