"""What a registration method measures, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyto_kedro.methods.preprocessing.tables import translations
from cyto_kedro.methods.preprocessing.transforms import fill_untrusted
from cyto_kedro.methods.preprocessing.warps import Field, Transform, as_matrix


@dataclass(frozen=True)
class Estimate:
    """Drift as measured, frame by frame.

    Attributes:
        shifts: (T, 2) dy, dx in px onto the reference; NaN where not trusted.
        quality: (T,) correlation after registration; NaN where not measured.
        linear: (T, 2, 2) linear parts where there is more than a shift.
        nodes: Rows and columns of the control grid of the fields, if there are any.
        fields: (T, N, M, 2) displacement at the nodes in px.
    """

    shifts: np.ndarray
    quality: np.ndarray
    linear: np.ndarray | None = None
    nodes: tuple[np.ndarray, np.ndarray] | None = None
    fields: np.ndarray | None = None

    @property
    def trusted(self) -> np.ndarray:
        """(T,) bool: the frame was registered."""
        return np.isfinite(self.shifts).all(axis=1)

    def filled(self) -> tuple[Transform, ...]:
        """One transform per frame; those not trusted lie between their neighbours'."""
        count, trusted = len(self.shifts), self.trusted

        def between(values: np.ndarray) -> np.ndarray:
            flat = fill_untrusted(values.reshape(count, -1), trusted)
            return flat.reshape(values.shape)

        shifts = between(self.shifts)
        if self.linear is None:
            return translations(shifts)
        linear = np.eye(2) + between(self.linear - np.eye(2))
        fields: list[Field | None] = [None] * count
        if self.fields is not None and self.nodes is not None and trusted.any():
            y, x = self.nodes
            fields = [Field(y, x, values) for values in between(self.fields)]
        return tuple(
            Transform((dy, dx), as_matrix(matrix), field)
            for (dy, dx), matrix, field in zip(
                shifts.tolist(), linear, fields, strict=True
            )
        )
