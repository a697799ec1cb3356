"""Tables and tracking of pyCyto in terms of ours."""

from __future__ import annotations

from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.plan import Plan, Step, check_known
from cyto_kedro.legacy.state import Artefact, State, Table


def tabulate(state: State, plan: Plan) -> None:
    """`label_to_sparse`: which table shows which channel in which masks."""
    key = plan.tables
    for channel, role in plan.pairs:
        check_known(channel, state.images(), f"{key}.image_label_pair")
        if role in state.channels and role not in state.roles:
            raise ConfigError(
                f"'{role}' has no masks: nothing segments it",
                where=f"{key}.image_label_pair",
                fix="add it to pipeline.segmentation; a file of ready masks with "
                "name: ImageToLabel",
            )
        check_known(role, list(state.roles), f"{key}.image_label_pair")
        shown = state.merged.get(channel, (channel,))[0]
        state.tables[channel] = Table(shown, role)
        state.nodes.setdefault("label_to_sparse", []).append(f"{role}.tabulate")
        masks_file = state.roles[role].get("masks")
        if masks_file is not None and channel != role:
            state.roles[role]["channels"] = [shown]
        grey = "its intensities are in the columns mean_, median_ and sd_" + shown
        if masks_file is not None and channel == role:
            grey = "grey values of masks are ids: the table shows another channel's"
        state.report.add(
            f"{key}.image_label_pair [{channel}, {role}]",
            "mapped",
            f"{role}.detections",
            grey,
        )
        if plan.publish_tables:
            _publish_table(state, channel, state.tables[channel], tracked=False)
    if plan.pairs:
        state.needs("tabulation")
        state.report.add(
            key,
            "changed",
            "tabulation",
            "ids are those of the masks (pyCyto renumbered by size); frames without "
            "cells are counted in frame_counts; lengths in um, i and j in pixels",
        )
    for role in state.roles:
        if not any(table.role == role for table in state.tables.values()):
            state.tables[role] = Table(state.roles[role]["channels"][0], role)


def _publish_table(state: State, name: str, table: Table, tracked: bool) -> None:
    dataset = f"{table.role}.{'tracks' if tracked else 'detections'}"
    state.publish(
        Artefact(
            f"tracking/{state.shown(name)}.csv",
            "table",
            (dataset,),
            role=table.role,
            table=table,
        )
    )


def trackmate(state: State, step: Step) -> None:
    """`TrackMate`: the method lap with its extras off."""
    # What TrackMate does not have; see the options of `lap`.
    plain = {
        "splitting_max_distance_um": None,
        "merging_max_distance_um": None,
        "division": None,
        "motion": "none",
        "field_edge": False,
        "join_single_detections": False,
    }
    _track(state, step, {"name": "lap"}, plain)


def trackpy(state: State, step: Step) -> None:
    """`TrackPy`: the method trackpy."""
    _track(state, step, {"name": "trackpy"}, {})


def _track(
    state: State, step: Step, head: dict[str, Any], tail: dict[str, Any]
) -> None:
    for name in step.singles(list(state.tables)):
        table = state.tables[name]
        place = f"tracking.{table.role}.method"
        values = state.arguments(step, place)
        for limit in ("min_area_um2", "max_area_um2"):
            if values.get(limit) is not None:
                state.put(f"segmentation.{table.role}.{limit}", values[limit])
            values.pop(limit, None)
        state.put(place, head | values | tail)
        state.done_by(step, table.role)
        if step.publish:
            _publish_table(state, name, table, tracked=True)
            path = f"tracking/{state.shown(name)}.xml"
            datasets = (f"{table.role}.tracks", "calibration")
            state.publish(Artefact(path, "trackmate", datasets, role=table.role))
    state.needs("tracking")
