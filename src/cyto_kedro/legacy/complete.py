"""What a translation needs beyond what the file says: layout, entries of all roles."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cyto_kedro.legacy.roles import markers_of
from cyto_kedro.legacy.state import Artefact, State

_SCRATCH = "${globals:scratch_root}/<dataset>/<movie>/<workflow>"
_TABLES = ("detections", "tracks")


def layout_of(
    name: str, state: State, calibration: Mapping[str, float | None]
) -> dict[str, Any]:
    """Content of ``globals.yml`` but for the path of the sheet."""
    if not state.roles:
        first = next(iter(state.channels))
        state.roles[first] = {"kind": "other", "channels": [first]}
        state.report.add(
            "segmentation",
            "changed",
            f"roles.{first}",
            "the file segments nothing: the first channel stands for the cells",
        )
    mask_files = {
        role for role, spec in state.roles.items() if role not in spec["channels"]
    } & {role for role, spec in state.roles.items() if "masks" in spec}
    channels = {
        one: {"files": files}
        for one, files in state.channels.items()
        if one not in mask_files
    }
    return {
        "dataset": name,
        **_data_root(state.channels.values()),
        "channels": channels,
        "roles": dict(state.roles),
        "markers": markers_of(state, channels),
        **calibration,
    }


def _data_root(files: Iterable[str]) -> dict[str, str]:
    """The folder around all images, which containers are shown; none if it is ``/``."""
    folders = [re.split(r"[*?\[]", file)[0].rpartition("/")[0] for file in files]
    whole = all(folder.startswith("/") for folder in folders)
    root = posixpath.commonpath(folders) if whole else ""
    return {"data_root": root} if root.strip("/") else {}


def complete(state: State) -> None:
    """What every role and channel needs an entry for."""
    if state.get("preprocessing.registration.method") is None:
        state.put("preprocessing.registration.method", {"name": "none"})
    mask_files = {r for r, spec in state.roles.items() if "masks" in spec}
    for channel in state.channels:
        place = f"preprocessing.channels.{channel}.steps"
        unused = channel in mask_files and channel not in _used(state)
        if state.get(place) is None and not unused:
            state.put(place, [])
    for role, spec in state.roles.items():
        if len(spec["channels"]) > 1:
            weights = state.merge_weights.get(role) or _weights(state, role)
            entry = {"weights": weights} if weights else {}
            state.put(f"preprocessing.merge.{role}", entry)
        if "masks" in spec:
            state.parameters.get("segmentation", {}).pop(role, None)
        elif state.get(f"segmentation.{role}.method") is None:
            state.put(f"segmentation.{role}.method", {"name": "classical"})
        if state.get(f"tracking.{role}.method") is None:
            state.put(f"tracking.{role}.method", {"name": "lap"})
            if set(state.pipelines) - {"preprocessing", "segmentation", "tabulation"}:
                note = "the file does not track these cells, but later stages need it"
                state.report.add(
                    f"tracking of {role}", "changed", f"tracking.{role}.method", note
                )


def _weights(state: State, role: str) -> dict[str, float]:
    """pyCyto's own weights of channels that are merged, 1 / mean; empty: all are 1."""
    if role not in state.unweighted:
        return {}
    names = state.merged[role]
    key, ours = state.unweighted[role], f"preprocessing.merge.{role}.weights"
    steps = [state.get(f"preprocessing.channels.{n}.steps") or [] for n in names]
    if all(any(s["name"] == "percentile_normalise" for s in one) for one in steps):
        note = "1 for all, not 1 / mean: the channels are normalised before merging"
        state.report.add(key, "changed", ours, note)
        return {}
    if not all(state.means.get(name, 0) > 0 for name in names):
        note = "1 for all: the images are not there, so 1 / mean is not known"
        state.report.add(key, "changed", ours, note)
        return {}
    note = "1 / mean of each raw channel, as there; measured on a few frames"
    state.report.add(key, "mapped", ours, note)
    return {name: float(f"{1 / state.means[name]:.6g}") for name in names}


def catalog_of(artefacts: Iterable[Artefact]) -> dict[str, Any]:
    """Content of ``catalog.yml``: the tables that the user wants, as CSV, too.

    The entries are those of ``conf/base`` but for the second format: they stay in
    their storage class.
    """
    wanted = {name for a in artefacts if a.kind == "table" for name in a.datasets}
    entries: dict[str, Any] = {}
    for dataset in sorted(wanted):
        role, _, table = dataset.rpartition(".")
        if table in _TABLES:
            entries[dataset] = {
                "type": "cyto_kedro.datasets.TableDataset",
                "filepath": f"{_SCRATCH}/{role}/{table}.parquet",
                "formats": ["parquet", "csv"],
                "validator": f"cyto_kedro.core.schemas.{table.upper()}",
                "metadata": {"kedro-viz": {"layer": "scratch"}},
            }
    return entries


def _used(state: State) -> set[str]:
    return {one for spec in state.roles.values() for one in spec["channels"]}
