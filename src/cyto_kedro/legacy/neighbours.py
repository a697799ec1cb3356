"""Densities, networks and contacts of pyCyto in terms of ours."""

from __future__ import annotations

from dataclasses import replace

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.plan import Step
from cyto_kedro.legacy.state import Artefact, State


def output_of(step: Step, number: int, otherwise: str) -> str:
    """Name of the step's result number ``number``."""
    return step.outputs[number] if number < len(step.outputs) else otherwise


def density(state: State, step: Step) -> None:
    """`KernelDensityEstimation`: density maps, as tables and as images."""
    values = state.arguments(step, "networks.density")
    grid_px = max(int(step.args.get("downscale_factor") or 1), 1)
    if values.get("grid_um"):
        state.put("networks.density.grid_um", values["grid_um"])
    for number, name in enumerate(step.singles(list(state.tables))):
        role = state.tables[name].role
        state.done_by(step, role)
        all_cells(state, step, name)
        if step.publish:
            path = path_of(state, step, number, name)
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
        all_cells(state, step, name)
        path = path_of(state, step, number, name)
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
            all_cells(state, step, name)
        path = path_of(state, step, number, f"{pair[0]}To{pair[1]}")
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


def path_of(state: State, step: Step, number: int, otherwise: str) -> str:
    """Where a result goes below ``output_dir``, without suffix."""
    out = state.shown(output_of(step, number, otherwise))
    return f"postprocessing/{step.module}/{out}"


def all_cells(state: State, step: Step, name: str) -> None:
    """Say in the report that a filter before this step does not act on it."""
    if state.tables[name].conditions:
        note = f"all cells of '{state.tables[name].role}', not only those that pass"
        state.report.add(f"{step.key} channels: {name}", "changed", "", note)
