"""A table contract: columns with dtype, unit and meaning, checked by pandera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from cyto_kedro.core.errors import InputError

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


@dataclass(frozen=True)
class Col:
    """One column: pandas dtype, unit ("" = none), meaning, and bounds."""

    dtype: str
    unit: str
    about: str
    nullable: bool = False
    ge: float | None = None
    le: float | None = None


@dataclass(frozen=True)
class TableSpec:
    """Strict schema of one table; usable as a catalog ``validator:``.

    Args:
        name: Name in messages and in the data dictionary.
        columns: Column contracts in order.
        patterns: Contracts of columns whose name depends on the experiment, by regular
            expression (``^mean_.+$``); they follow the fixed columns.
        unique: Columns that together identify a row.
        open: Further columns of any name and dtype may follow.
    """

    name: str
    columns: dict[str, Col]
    patterns: dict[str, Col] | None = None
    unique: tuple[str, ...] = ()
    open: bool = False

    # The dataclass is frozen but not slotted: caching the schema is safe.
    @cached_property
    def schema(self) -> DataFrameSchema:
        """The pandera schema; pandera is imported on first use."""
        import pandera.pandas as pa

        def column(spec: Col, regex: bool) -> Any:
            checks = []
            if spec.ge is not None:
                checks.append(pa.Check.ge(spec.ge))
            if spec.le is not None:
                checks.append(pa.Check.le(spec.le))
            return pa.Column(
                spec.dtype,
                checks,
                nullable=spec.nullable,
                regex=regex,
                required=not regex,
            )

        fixed = {name: column(spec, False) for name, spec in self.columns.items()}
        loose = {name: column(s, True) for name, s in (self.patterns or {}).items()}
        unique = list(self.unique) or None
        return pa.DataFrameSchema(
            fixed | loose, strict=not self.open, name=self.name, unique=unique
        )

    def validate(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return ``data`` unchanged.

        Raises:
            InputError: A column is missing, unknown, of another dtype or out of
                bounds, or a row is duplicated.
        """
        import pandera.errors

        try:
            self.schema.validate(data, lazy=True)
        except (pandera.errors.SchemaErrors, pandera.errors.SchemaError) as exc:
            cases = getattr(exc, "failure_cases", None)
            shown = cases.head(8).to_string() if cases is not None else str(exc)
            raise InputError(
                f"The table does not follow the contract '{self.name}':\n{shown}",
                fix="the data dictionary lists its columns, dtypes and bounds",
            ) from exc
        return data

    def empty(self) -> pd.DataFrame:
        """A table without rows but with all fixed columns in their dtypes."""
        return pd.DataFrame(
            {name: pd.Series(dtype=col.dtype) for name, col in self.columns.items()}
        )

    def conform(self, data: pd.DataFrame) -> pd.DataFrame:
        """Order the columns and cast them to the contract's dtypes.

        Raises:
            KeyError: A fixed column is missing.
        """
        rest = [name for name in data.columns if name not in self.columns]
        typed = data[list(self.columns)].astype(
            {name: col.dtype for name, col in self.columns.items()}
        )
        return pd.concat([typed, data[rest]], axis=1) if rest else typed

    def dictionary(self) -> list[dict[str, Any]]:
        """Rows of the data dictionary: column, dtype, unit, nullable, meaning."""
        both = self.columns | (self.patterns or {})
        return [
            {
                "table": self.name,
                "column": name,
                "dtype": col.dtype,
                "unit": col.unit,
                "nullable": col.nullable,
                "meaning": col.about,
            }
            for name, col in both.items()
        ]
