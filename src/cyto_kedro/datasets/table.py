"""Tables as Parquet, and CSV beside it for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd
from kedro_datasets._typing import TablePreview

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import ConfigError, InputError
from cyto_kedro.datasets.base import PathDataset

Format = Literal["parquet", "csv"]
_PREVIEW_ROWS = 20


class TableDataset(PathDataset[pd.DataFrame, pd.DataFrame]):
    """A pandas table, loaded from Parquet with the dtypes that it was saved with.

    Args:
        filepath: The ``.parquet`` file; a CSV gets the same stem.
        formats: ``[parquet]`` or ``[parquet, csv]``.
        metadata: Free content for plugins.
    """

    data_type: str = "Table"

    def __init__(
        self,
        filepath: str | Path,
        formats: list[Format] | tuple[Format, ...] = ("parquet",),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata)
        if self.path.suffix != ".parquet" or set(formats) - {"parquet", "csv"}:
            raise ConfigError(
                "A table needs a .parquet path and formats among parquet and csv",
                where=str(filepath),
            )
        self._csv = self.path.with_suffix(".csv") if "csv" in formats else None

    @property
    def paths(self) -> list[Path]:
        """All files of the table, the one that is loaded first."""
        return [self.path] if self._csv is None else [self.path, self._csv]

    def load(self) -> pd.DataFrame:
        """Read the Parquet file."""
        try:
            return pd.read_parquet(self.path, engine="pyarrow")
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as exc:
            raise InputError(
                f"The table cannot be read: {exc}",
                where=str(self.path),
                fix="delete it and run the node that writes it again",
            ) from exc

    def save(self, data: pd.DataFrame) -> None:
        """Write Parquet (Zstandard) last: where it exists, the CSV is complete too."""
        if not isinstance(data, pd.DataFrame):
            raise InputError(
                f"Expected a DataFrame, got {type(data).__name__}", where=str(self.path)
            )
        if self._csv is not None:
            with staged(self._csv) as stage:
                data.to_csv(stage, index=False)
        with staged(self.path) as stage:
            data.to_parquet(stage, engine="pyarrow", compression="zstd", index=False)

    def preview(self, nrows: int = _PREVIEW_ROWS) -> TablePreview:
        """The first rows."""
        import pyarrow.parquet as pq

        # Only the first rows are decoded: result tables have a million of them.
        batches = pq.ParquetFile(self.path).iter_batches(batch_size=nrows)
        first = next(batches, None)
        head = self.load().head(0) if first is None else first.to_pandas()
        shown = head.astype(object).where(head.notna(), None)
        return TablePreview(shown.to_dict(orient="split"))
