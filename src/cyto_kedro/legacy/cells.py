"""What pyCyto does after tracking, in terms of ours; all modules by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy import images, neighbours, tracking
from cyto_kedro.legacy.names import kind_of
from cyto_kedro.legacy.neighbours import all_cells, output_of, path_of
from cyto_kedro.legacy.plan import Step
from cyto_kedro.legacy.state import Artefact, State, Table

# pyCyto measures them in each channel.
_INTENSITIES = ("mean", "median", "sd")
# Its lengths are pixels: ours in pixels by name, or in um after conversion.
_PIXEL_COLUMNS = {"size": "area_px", "x": "j", "y": "i"} | {
    f"bbox_{a}{part}": f"bbox_{b}{part}"
    for a, b in (("x", "j"), ("y", "i"))
    for part in ("start", "size")
}
_LENGTHS = ("perimeter", "feret_diameter", "feret_radius")
_BOUNDS: dict[str, tuple[str, ...]] = {
    "<": ("max",),
    "<=": ("max",),
    ">": ("min",),
    ">=": ("min",),
}
_BOUNDS |= {"==": ("min", "max")}
_OPERATIONS = {"divide": "ratio", "subtract": "difference"}


def cross_table(state: State, step: Step) -> None:
    """`CrossTableOperation`: a feature made of one column of two tables."""
    for number, pair in enumerate(step.pairs(list(state.tables))):
        values = state.arguments(step, "features.operations")
        operation = str(values.get("operation"))
        if operation not in _OPERATIONS or len(pair) != 2:
            raise ConfigError(
                f"'{operation}' of {', '.join(pair)} is not supported",
                where=step.key,
                fix=f"two tables, and one of: {', '.join(_OPERATIONS)}",
            )
        column = str(values.get("column"))
        sides = [_operand(state, step, name, column) for name in pair]
        out = output_of(step, number, pair[0])
        shown = f"{column}_{operation}"
        feature = f"{out}_{shown}"
        added: dict[str, Any] = {
            "feature": feature,
            "operation": _OPERATIONS[operation],
        }
        added |= {"left": sides[0], "right": sides[1]}
        before = state.get("features.operations") or []
        state.put("features.operations", [*before, added])
        first = state.tables[pair[0]]
        table = replace(first, features=(*first.features, (shown, feature)))
        state.tables[out] = table
        if step.publish:
            path = f"postprocessing/{step.module}/{state.shown(out)}.csv"
            state.publish(_table_file(path, table))
    state.done_by(step)
    state.needs("features")


def _table_file(path: str, table: Table) -> Artefact:
    more = ("cross_features",) if table.features else ()
    datasets = (f"{table.role}.tracks", *more)
    return Artefact(path, "table", datasets, role=table.role, table=table)


def _operand(state: State, step: Step, name: str, column: str) -> dict[str, str]:
    table = state.tables[name]
    return {"table": f"{table.role}.tracks", "column": _column(column, table, step)}


def _column(column: str, table: Table, step: Step) -> str:
    """Our name of pyCyto's column.

    Raises:
        ConfigError: The column was made by `CrossTableOperation`.
    """
    if column in dict(table.features):
        raise ConfigError(
            f"'{column}' was made by CrossTableOperation: nothing can be made of it",
            where=step.key,
            fix="use a column of the table itself, or filter the written file",
        )
    if column in _INTENSITIES:
        return f"{column}_{table.channel}"
    return _PIXEL_COLUMNS.get(column, column)


def feature_filter(state: State, step: Step) -> None:
    """`FeatureFilter`: a step of the selection of tracks."""
    for number, name in enumerate(step.singles(list(state.tables))):
        values = state.arguments(step, "features.filters")
        operation, value = str(values.get("operation")), values.get("value")
        if operation not in _BOUNDS or not isinstance(value, int | float):
            raise ConfigError(
                f"'{operation} {value}' is not supported",
                where=step.key,
                fix=f"a number, and one of: {' '.join(_BOUNDS)}",
            )
        if operation in "<>":
            state.report.add(
                f"{step.key} {step.word}.operation",
                "changed",
                "features.filters",
                "bounds of the selection include the value itself, the written table "
                "does not",
            )
        column, table = str(values.get("column")), state.tables[name]
        if column in _LENGTHS:
            value = round(value * state.pixel_um, 4)
        ours = _column(column, table, step)
        added: dict[str, Any] = {"name": "points", "column": ours}
        added |= dict.fromkeys(_BOUNDS[operation], value)
        before = state.get("features.filters") or []
        state.put("features.filters", [*before, added | {"roles": [table.role]}])
        state.done_by(step, table.role)
        out = output_of(step, number, name)
        condition = (ours, operation, float(value))
        passed = replace(table, conditions=(*table.conditions, condition))
        state.tables[out] = passed
        if step.publish:
            path = f"postprocessing/{step.module}/{state.shown(out)}.csv"
            state.publish(_table_file(path, passed))
    state.needs("features")


def kinematics(state: State, step: Step) -> None:
    """`Kinematics` and `MSD`: tables of motion."""
    values = state.arguments(step, "kinematics")
    if values.get("max_lag_frames") is not None:
        state.put("kinematics.msd.max_lag_frames", values["max_lag_frames"])
    dataset = "msd" if step.module == "MSD" else "kinematics"
    for number, name in enumerate(step.singles(list(state.tables))):
        role = state.tables[name].role
        state.done_by(step, role)
        all_cells(state, step, name)
        if step.publish:
            path = f"{path_of(state, step, number, name)}.csv"
            state.publish(Artefact(path, "plain", (f"{role}.{dataset}",), role=role))
    state.needs("kinematics")


def viability(state: State, step: Step) -> None:
    """`CDI` and `Viability`: the death signal of targets."""
    state.arguments(step, "killing.death")
    if step.module == "CDI":
        state.put("killing.death.signal", "cdi")
        state.put("killing.death.alive_probability", "one_minus_cdi")
    for number, name in enumerate(step.singles(list(state.tables))):
        role = state.tables[name].role
        if kind_of(role) is None:
            state.kinds.setdefault(role, "target")
        state.done_by(step, role)
        all_cells(state, step, name)
        if step.publish:
            path = f"{path_of(state, step, number, name)}.csv"
            state.publish(Artefact(path, "plain", (f"{role}.viability",), role=role))
    state.needs("killing")


#: How each module of :data:`modules.MODULES` is applied, where it can be.
APPLY: dict[str, Callable[[State, Step], None]] = {
    "ChannelMerge": images.channel_merge,
    "PercentileNormalization": images.percentile_normalization,
    "GammaCorrection": images.gamma_correction,
    "CrossChannelCorrelation": images.correlation,
    "register_denoise": images.register_denoise,
    "CellPose": images.cellpose,
    "StarDist": images.stardist,
    "ImageToLabel": images.image_to_label,
    "TrackMate": tracking.trackmate,
    "TrackPy": tracking.trackpy,
    "CrossTableOperation": cross_table,
    "FeatureFilter": feature_filter,
    "KernelDensityEstimation": neighbours.density,
    "CellTriangulation": neighbours.triangulation,
    "CrossCellContactMeasures": neighbours.contacts,
    "Kinematics": kinematics,
    "MSD": kinematics,
    "CDI": viability,
    "Viability": viability,
}
