"""Typed models, JSON, HTML, and values of no particular kind."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from kedro_datasets._typing import JSONPreview
from pydantic import BaseModel, ValidationError

from cyto_kedro.core.errors import ConfigError, InputError, StorageError
from cyto_kedro.datasets.base import FileDataset

# Only these are looked up by dotted path: a catalog must not run any code it likes.
_MODEL_PACKAGE = "cyto_kedro.core."


class ModelDataset(FileDataset[BaseModel, BaseModel]):
    """A pydantic model of ``cyto_kedro.core`` as JSON.

    Args:
        filepath: The ``.json`` file.
        model: Dotted path of the class.
        metadata: Free content for plugins.
        credentials: Access to the place of a URI.
    """

    def __init__(
        self,
        filepath: str | Path,
        model: str,
        metadata: dict[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata, credentials)
        module, _, name = model.rpartition(".")
        if not f"{module}.".startswith(_MODEL_PACKAGE):
            raise ConfigError(
                f"'{model}' is not a model of {_MODEL_PACKAGE[:-1]}",
                where=str(filepath),
            )
        self._model = (module, name)

    def load(self) -> BaseModel:
        """Read and validate.

        Raises:
            InputError: The file does not follow the model.
        """
        try:
            return self._class().model_validate_json(self.text())
        except ValidationError as exc:
            raise InputError(
                f"The file does not follow {self._model[1]}: {exc}",
                where=self.where,
                fix="delete it and run the node that writes it again",
            ) from exc

    def save(self, data: BaseModel) -> None:
        """Write the model."""
        if not isinstance(data, self._class()):
            raise InputError(
                f"Expected a {self._model[1]}, got {type(data).__name__}",
                where=self.where,
            )
        self.write(data.model_dump_json(indent=2) + "\n")

    def preview(self) -> JSONPreview:
        """The file."""
        return JSONPreview(self.text())

    def _class(self) -> type[BaseModel]:
        found = getattr(import_module(self._model[0]), self._model[1], None)
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            raise ConfigError(f"There is no model {'.'.join(self._model)}")
        return found


class JsonDataset(FileDataset[Any, Any]):
    """Nested dicts and lists as JSON; NumPy values become plain ones.

    JSON has no NaN or infinity: they are written as null and come back as None.
    """

    def load(self) -> Any:
        """Read the file."""
        return from_json(self.text(), self.where)

    def save(self, data: Any) -> None:
        """Write the value."""
        self.write(to_json(data, self.where))

    def preview(self) -> JSONPreview:
        """The file."""
        return JSONPreview(self.text())


class TextDataset(FileDataset[str, str]):
    """A text file in UTF-8, such as the HTML report."""

    def load(self) -> str:
        """Read the file."""
        return self.text()

    def save(self, data: str) -> None:
        """Write the text."""
        self.write(data)


class ArbitraryDataset(FileDataset[Any, Any]):
    """A value of no particular kind; the suffix decides how it is stored.

    ``.json`` takes what JSON can hold, ``.npz`` a dict of arrays. ``.pkl`` must be
    allowed explicitly and lie below the scratch root: loading a pickle runs code, so
    that only files which this project wrote itself may be loaded.

    Args:
        filepath: The file.
        allow_pickle: Allow a ``.pkl`` file.
        scratch_root: Root below which it must lie.
        metadata: Free content for plugins.
        credentials: Access to the place of a URI.
    """

    def __init__(
        self,
        filepath: str | Path,
        allow_pickle: bool = False,
        scratch_root: str | Path | None = None,
        metadata: dict[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata, credentials)
        suffix = self.address.suffix
        if suffix not in (".json", ".npz", ".pkl"):
            raise ConfigError(
                f"'{suffix}' is not a suffix of an arbitrary value",
                where=str(filepath),
                fix="use .json or .npz, or .pkl with allow_pickle: true",
            )
        if suffix == ".pkl":
            if self.place is not None:
                raise ConfigError("A pickle may only lie on a disk", where=self.where)
            _check_pickle(self.path, allow_pickle, scratch_root)

    def load(self) -> Any:
        """Read the value."""
        if self.address.suffix == ".json":
            return from_json(self.text(), self.where)
        if self.address.suffix == ".npz":
            with (
                self.reading() as path,
                np.load(path, allow_pickle=False) as arrays,
            ):
                return dict(arrays)
        import pickle

        with self.path.open("rb") as stream:
            return pickle.load(stream)

    def save(self, data: Any) -> None:
        """Write the value."""
        if self.address.suffix == ".json":
            self.write(to_json(data, self.where))
            return
        with self.writing() as stage, stage.open("wb") as stream:
            if self.address.suffix == ".npz":
                arrays: dict[str, Any] = _arrays(data, self.where)
                np.savez_compressed(stream, **arrays)
            else:
                import pickle

                pickle.dump(data, stream)


def from_json(text: str, where: str) -> Any:
    """The value that a JSON text holds.

    Raises:
        InputError: It is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        raise InputError(f"Not JSON: {exc}", where=where) from exc


def to_json(data: Any, where: str) -> str:
    """A value as JSON text; NumPy values become plain ones, NaN null.

    Raises:
        InputError: Something in it has no JSON form.
    """
    return json.dumps(_plain(data, where), indent=2, allow_nan=False) + "\n"


def _check_pickle(path: Path, allowed: bool, scratch_root: str | Path | None) -> None:
    if not allowed or scratch_root is None:
        raise ConfigError(
            "A pickle must be allowed explicitly",
            where=str(path),
            fix="use .json or .npz, or set allow_pickle: true and scratch_root",
        )
    if Path(scratch_root).resolve() not in path.resolve().parents:
        raise StorageError(
            "A pickle may only lie below the scratch root",
            where=str(path),
            fix=f"move it below {scratch_root}, or use .json or .npz",
        )


def _arrays(data: Any, where: str) -> dict[str, np.ndarray]:
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise InputError(".npz takes a dict of arrays by name", where=where)
    arrays = {key: np.asarray(value) for key, value in data.items()}
    objects = [key for key, value in arrays.items() if value.dtype.hasobject]
    if objects:
        raise InputError(
            f"Not numeric: {', '.join(objects)}", where=where, fix="use .json"
        )
    return arrays


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item, where) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise InputError(
        f"{type(value).__name__} has no JSON form",
        where=where,
        fix="convert it in the node that makes it",
    )
