"""Tables, tracks, contacts and networks in pyCyto's call style."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from cyto_kedro.api.base import Module, as_stack, need
from cyto_kedro.cli.legacy_tables import (
    contact_graphs,
    contact_table,
    radius_graphs,
)
from cyto_kedro.core.calibration import Calibration
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.methods.contacts.movie import measure_contacts
from cyto_kedro.methods.contacts.rules import EdgeRule, OverlapRule, limits_of
from cyto_kedro.methods.features.operations import OPERATIONS
from cyto_kedro.methods.preprocessing.tables import drift_table
from cyto_kedro.methods.spatial.density import DensityOptions, density_map
from cyto_kedro.methods.tabulation.table import tabulate_movie
from cyto_kedro.methods.tracking import TRACKERS
from cyto_kedro.pipelines.tracking.params import TrackingParams

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATIONS = {"divide": "ratio", "subtract": "difference"}
_TABLE = ("dataframe", "feature")
_TABLES = ("dataframes", "features")


def _named(table: pd.DataFrame) -> dict[str, Any]:
    return {"dataframe": table, "feature": table}


class LabelToSparse(Module):
    """One row per cell and frame."""

    name = "label_to_sparse"

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``image`` and ``label`` -> ``dataframe``: table DETECTIONS."""
        labels = as_stack(need(data, "label"))
        image = as_stack(need(data, "image"))
        calibration = self.calibration(labels.shape)
        frames = labels.shape[0]
        still = drift_table(np.zeros((frames, 2)), np.ones(frames), labels.shape[1:])
        table, _ = tabulate_movie(
            labels,
            {"image": image},
            calibration,
            still,
            role="cells",
            own_channel="image",
        )
        return data | _named(table)


class _Tracker(Module):
    """A method of tracking."""

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``dataframe`` of :class:`LabelToSparse` -> TRACKS with ``TrackID``."""
        table: pd.DataFrame = need(data, *_TABLE)
        options = TrackingParams.model_validate(self.parameter("tracking.*")).method
        low, high = (
            self.parameter(f"segmentation.*.{limit}_area_um2")
            for limit in ("min", "max")
        )
        area = table["area_um2"]
        kept = table[(area >= (low or 0)) & (area <= (high or np.inf))]
        labels = data.get("label")
        shape = _shape(table, None if labels is None else as_stack(labels))
        tracks = TRACKERS[options.name].track(
            kept, self.calibration(shape), options, labels
        )
        return data | _named(tracks.assign(TrackID=tracks["track_id"]))


class TrackMate(_Tracker):
    """``linking_max_distance, gap_closing_max_distance, max_frame_gap``, sizes."""

    name = "TrackMate"


class TrackPy(_Tracker):
    """``search_range, memory``."""

    name = "TrackPy"


def _shape(
    table: pd.DataFrame, stack: Any, frames: int | None = None
) -> tuple[int, int, int]:
    """T, Y, X of the movie; without a stack, what the boxes of the cells span."""
    if stack is not None:
        return tuple(stack.shape)
    if table.empty:
        return frames or 1, 1, 1
    far = table[["bbox_istart", "bbox_jstart"]].to_numpy()
    far = far + table[["bbox_isize", "bbox_jsize"]].to_numpy()
    return int(table["frame"].max()) + 1, int(far[:, 0].max()), int(far[:, 1].max())


def _tracked(table: pd.DataFrame) -> pd.DataFrame:
    """A table that was not tracked: every row is a cell of its own."""
    if "track_id" in table:
        return table
    return table.assign(track_id=np.arange(1, len(table) + 1))


class CellTriangulation(Module):
    """The smallest radius that joins all cells of a frame."""

    name = "CellTriangulation"

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``dataframe`` -> ``network``: one graph per frame, nodes are labels."""
        table = need(data, *_TABLE)
        stack = data.get("image", data.get("label"))
        shape = _shape(table, None if stack is None else as_stack(stack))
        graphs = radius_graphs(_tracked(table), self.calibration(shape))
        return data | {"network": graphs}


class CrossCellContactMeasures(Module):
    """Which cells of two kinds are in contact; ``mode='overlap'`` counts as pyCyto."""

    name = "CrossCellContactMeasures"

    def __init__(self, *, mode: str = "edge", **args: Any) -> None:
        if mode not in ("edge", "overlap"):
            raise ConfigError(f"mode is '{mode}'", fix="edge or overlap")
        self.mode = mode
        super().__init__(**args)

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``labels`` and ``dataframes`` of two kinds -> ``dataframe``, ``network``."""
        first, second = (as_stack(stack) for stack in need(data, "labels", "label"))
        one, other = (_tracked(table) for table in need(data, *_TABLES))
        calibration: Calibration = self.calibration(first.shape)
        rule = OverlapRule() if self.mode == "overlap" else EdgeRule()
        contacts = measure_contacts(
            first,
            second,
            one,
            other,
            calibration,
            limits_of(rule, calibration.spacing_um),
            effector="first",
            target="second",
        )
        roles = {"first": one, "second": other}
        graphs = contact_graphs(roles, contacts, calibration.n_frames)
        table = contact_table(one, other, contacts, "first")
        return _named(table) | {"network": graphs}


class KernelDensityEstimation(Module):
    """Cells per area: ``downscale_factor`` is the grid in pixels."""

    name = "KernelDensityEstimation"

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``dataframe`` -> ``dataframe``: a density map, table DENSITY."""
        table = _tracked(need(data, *_TABLE))
        stack = data.get("image", data.get("label"))
        shape = _shape(table, None if stack is None else as_stack(stack))
        options = DensityOptions(**(self.parameter("networks.density") or {}))
        return data | _named(density_map(table, self.calibration(shape), options))


class CrossTableOperation(Module):
    """``column`` of one table and another: ``operation`` divide or subtract."""

    name = "CrossTableOperation"

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``dataframes`` -> the first with ``<column>_<operation>``, by cell."""
        left, right = need(data, *_TABLES)
        args = self.parameter("args")
        column, name = args["column"], args["operation"]
        if name not in _OPERATIONS:
            raise ConfigError(
                f"There is no operation '{name}'", fix=", ".join(_OPERATIONS)
            )
        cell = ["frame", "label"]
        other = right[[*cell, column]].rename(columns={column: "_other"})
        joined = left.merge(other, on=cell, how="left", validate="1:1")
        values = OPERATIONS[_OPERATIONS[name]](
            joined[column].to_numpy(float), joined.pop("_other").to_numpy(float)
        )
        return _named(joined.assign(**{f"{column}_{name}": values}))


class FeatureFilter(Module):
    """Rows where ``column operation value`` holds, exactly as written."""

    name = "FeatureFilter"
    plainly = True

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``dataframe`` -> ``dataframe``."""
        table = need(data, *_TABLE)
        args = self.parameter("args")
        if args.get("operation") not in _COMPARE:
            raise ConfigError(
                f"There is no comparison '{args.get('operation')}'",
                fix=" ".join(_COMPARE),
            )
        keep = _COMPARE[args["operation"]]
        kept = table[keep(table[args["column"]], args["value"])]
        return data | _named(kept)
