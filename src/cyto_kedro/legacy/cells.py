"""What pyCyto does after tracking, in terms of ours; all modules by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy import images, tracking
from cyto_kedro.legacy.names import kind_of
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
        out = _output(step, number, pair[0])
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


def _output(step: Step, number: int, otherwise: str) -> str:
    return step.outputs[number] if number < len(step.outputs) else otherwise


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
        out = _output(step, number, name)
        condition = (ours, operation, float(value))
        passed = replace(table, conditions=(*table.conditions, condition))
        state.tables[out] = passed
        if step.publish:
            path = f"postprocessing/{step.module}/{state.shown(out)}.csv"
            state.publish(_table_file(path, passed))
    state.needs("features")


def density(state: State, step: Step) -> None:
    """`KernelDensityEstimation`: density maps, as tables and as images."""
    values = state.arguments(step, "networks.density")
    grid_px = max(int(step.args.get("downscale_factor") or 1), 1)
    if values.get("grid_um"):
        state.put("networks.density.grid_um", values["grid_um"])
    for number, name in enumerate(step.singles(list(state.tables))):
        role = state.tables[name].role
        state.done_by(step, role)
        _all_cells(state, step, name)
        if step.publish:
            path = _path(state, step, number, name)
            maps = Artefact(f"{path}.csv", "plain", (f"{role}.density_map",), role=role)
            state.publish(maps)
        if step.wants("image"):
            datasets = (f"{role}.tracks", "calibration")
            state.publish(
                Artefact(f"{path}.tif", "density", datasets, role=role, grid_px=grid_px)
            )
    state.needs("networks")


def triangulation(state: State, step: Step) -> None:
    """`CellTriangulation`: the radius graph with the connecting radius."""
    state.arguments(step, "networks.radius_um")
    state.put("networks.radius_um", None)
    for number, name in enumerate(step.singles(list(state.tables))):
        role = state.tables[name].role
        _all_cells(state, step, name)
        path = _path(state, step, number, name)
        datasets = (f"{role}.tracks", "calibration")
        if step.wants("network"):
            state.publish(Artefact(path, "network", datasets, role=role))
        if step.wants("image"):
            file = f"{path}.tif"
            state.publish(Artefact(file, "network_image", datasets, role=role))
    state.done_by(step)
    state.needs("networks")


def contacts(state: State, step: Step) -> None:
    """`CrossCellContactMeasures`: contacts of pairs of roles."""
    state.arguments(step, "contacts.rule")
    for number, pair in enumerate(step.pairs(list(state.tables))):
        roles = tuple(state.tables[name].role for name in pair)
        if len(roles) != 2 or roles[0] == roles[1]:
            raise ConfigError(
                f"Contacts are measured between two cell types, not {', '.join(roles)}",
                where=step.key,
            )
        first, second = roles
        if (first, second) not in state.pairs:
            state.pairs.append((first, second))
        for name in pair:
            _all_cells(state, step, name)
        path = _path(state, step, number, f"{pair[0]}To{pair[1]}")
        # The pair's name has the effector first, which is known at the end.
        datasets = (f"{first}.tracks", f"{second}.tracks", "<pair>.contacts")
        if step.wants("feature"):
            table = replace(state.tables[pair[0]], conditions=(), features=())
            state.publish(
                Artefact(
                    f"{path}.csv", "contacts", datasets, second, first, table=table
                )
            )
        if step.wants("network"):
            state.publish(Artefact(path, "pairs", datasets, second, first))
        if step.wants("image"):
            file = f"{path}.tif"
            state.publish(Artefact(file, "pairs_image", datasets, second, first))
        state.nodes.setdefault(step.task, []).append(f"<{first}-{second}>")
    state.needs("contacts")


def _path(state: State, step: Step, number: int, otherwise: str) -> str:
    out = state.shown(_output(step, number, otherwise))
    return f"postprocessing/{step.module}/{out}"


def _all_cells(state: State, step: Step, name: str) -> None:
    """Say that a filter before this step does not act on it."""
    if state.tables[name].conditions:
        note = f"all cells of '{state.tables[name].role}', not only those that pass"
        state.report.add(f"{step.key} channels: {name}", "changed", "", note)


def kinematics(state: State, step: Step) -> None:
    """`Kinematics` and `MSD`: tables of motion."""
    values = state.arguments(step, "kinematics")
    if values.get("max_lag_frames") is not None:
        state.put("kinematics.msd.max_lag_frames", values["max_lag_frames"])
    dataset = "msd" if step.module == "MSD" else "kinematics"
    for number, name in enumerate(step.singles(list(state.tables))):
        role = state.tables[name].role
        state.done_by(step, role)
        _all_cells(state, step, name)
        if step.publish:
            path = f"{_path(state, step, number, name)}.csv"
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
        _all_cells(state, step, name)
        if step.publish:
            path = f"{_path(state, step, number, name)}.csv"
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
    "KernelDensityEstimation": density,
    "CellTriangulation": triangulation,
    "CrossCellContactMeasures": contacts,
    "Kinematics": kinematics,
    "MSD": kinematics,
    "CDI": viability,
    "Viability": viability,
}
