"""Views over all movies of an experiment: read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.experiment import read_experiment
from cyto_kedro.core.layout import Layout
from cyto_kedro.core.uri import Place
from cyto_kedro.datasets.base import ReadOnlyDataset

MOVIE_TOKEN = "%movie%"


class MovieCollectionDataset(ReadOnlyDataset[dict[str, Any]]):
    """What a per-movie dataset holds for each movie, as ``{movie id: data}``.

    Movies come in the order of the sheet; those without the file (they failed, or were
    not part of the run) are left out.

    Args:
        layout: Content of ``globals.yml``.
        dataset: Configuration of the per-movie dataset; its ``filepath`` holds
            ``%movie%``.
        metadata: Free content for plugins.
    """

    data_type: str = "Arbitrary"
    why: ClassVar[str] = "a view over all movies is read-only"

    def __init__(
        self,
        layout: dict[str, Any],
        dataset: dict[str, Any],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if MOVIE_TOKEN not in str(dataset.get("filepath", "")):
            raise ConfigError(
                f"The filepath of a movie collection needs {MOVIE_TOKEN}",
                where=str(dataset.get("filepath")),
            )
        self._layout, self._dataset, self.metadata = layout, dataset, metadata

    def load(self) -> dict[str, Any]:
        """Load each movie's copy."""
        return {
            movie: dataset.load()
            for movie, dataset in self._members().items()
            if dataset.exists()
        }

    def source_files(self) -> list[Path | Place]:
        """Files and places of the movies that have one."""
        members: dict[str, Any] = self._members()
        present = [member for member in members.values() if member.exists()]
        return [member.place or Path(member.path) for member in present]

    def _members(self) -> dict[str, AbstractDataset[Any, Any]]:
        experiment = read_experiment(Layout.model_validate(self._layout))
        pattern = str(self._dataset["filepath"])
        return {
            movie: AbstractDataset.from_config(
                movie,
                {**self._dataset, "filepath": pattern.replace(MOVIE_TOKEN, movie)},
            )
            for movie in experiment.ids
        }

    def _exists(self) -> bool:
        return bool(self.source_files())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._dataset["filepath"], "type": self._dataset["type"]}


class ConditionsDataset(ReadOnlyDataset[pd.DataFrame]):
    """The experiment sheet: dataset, movie and the conditions of each movie.

    Args:
        layout: Content of ``globals.yml``.
        metadata: Free content for plugins.
    """

    data_type: str = "Table"
    why: ClassVar[str] = "the experiment sheet is read-only"

    def __init__(
        self, layout: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> None:
        self._layout, self.metadata = layout, metadata

    def load(self) -> pd.DataFrame:
        """One row per movie."""
        return read_experiment(self._typed()).conditions()

    def preview(self) -> TablePreview:
        """The sheet."""
        return TablePreview(self.load().astype(object).to_dict(orient="split"))

    def source_files(self) -> list[Path]:
        """The sheet."""
        return [self._typed().sheet]

    def _typed(self) -> Layout:
        return Layout.model_validate(self._layout)

    def _exists(self) -> bool:
        return self._typed().sheet.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"sheet": str(self._layout.get("sheet"))}
