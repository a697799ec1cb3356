"""pyCyto's TOML files: roots of notebooks, settings of the benchmark."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.report import Report

_ROOTS = ("data_root", "scratch_root", "output_root")
# What does the work of the benchmark's stages.
_STAGES = {
    "register_denoise": "*.preprocess",
    "cellpose": "*.segment",
    "trackmate": "*.track",
    "contact": "*.measure",
}
_DATASET = ("total_frames", "job_counts")
_LIMITS = ("cpu_tolerance", "gpu_tolerance")
_REQUEST = {
    "cpus": "cpus_per_task",
    "cpus_per_task": "cpus_per_task",
    "cpus-per-task": "cpus_per_task",
    "mem": "mem",
    "memory": "mem",
    "gres": "gres",
    "partition": "partition",
    "time": "time",
}


def read_layers(folder: Path, stem: str) -> dict[str, Any]:
    """``<stem>.def.toml`` with ``<stem>.user.toml`` over it, key by key.

    The defaults may lie in ``config/`` below, as the benchmark's do.

    Raises:
        ConfigError: A file is no TOML.
    """
    found: dict[str, Any] = {}
    for path in (
        folder / "config" / f"{stem}.def.toml",
        folder / f"{stem}.def.toml",
        folder / f"{stem}.user.toml",
    ):
        if not path.is_file():
            continue
        try:
            found = _over(found, tomllib.loads(path.read_text("utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ConfigError(f"The file is no TOML: {exc}", where=str(path)) from exc
    return found


def _over(base: dict[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, Mapping)
        merged[key] = _over(old, value) if both and old is not None else value
    return merged


def translate_toml(values: Mapping[str, Any]) -> tuple[dict[str, Any], Report]:
    """Configuration files by name, from both kinds of file, and the report.

    Args:
        values: Merged content: ``[paths]``, ``[dataset]``, ``[resources.<stage>]``,
            ``[containers]``, tolerances in ``[validation]``.

    Returns:
        Content of ``globals``, ``parameters_benchmark``, ``slurm`` and ``execution``,
        as far as there is something, and what became of each key.
    """
    report, files = Report(), {}
    sections = {k: dict(v) for k, v in values.items() if isinstance(v, Mapping)}
    roots = _taken(sections.pop("paths", {}), "paths", _ROOTS, "globals.yml", report)
    if roots:
        files["globals"] = roots
    bench: dict[str, Any] = {}
    for name, keys in (("dataset", _DATASET), ("validation", _LIMITS)):
        own = sections.pop(name, {})
        bench |= _taken(own, name, keys, "parameters_benchmark.yml", report)
    if bench:
        files["parameters_benchmark"] = {"benchmark": bench}
    rules = _rules(sections.pop("resources", {}), report)
    if rules:
        files["slurm"] = {"nodes": rules}
    image = sections.pop("containers", {}).get("gpu_sif")
    if image is not None:
        files["execution"] = _execution(str(image), report)
    for name in [*sections, *(k for k in values if not isinstance(values[k], Mapping))]:
        report.add(name, "ignored", "", "nothing here reads it")
    return files, report


def _taken(
    own: Mapping[str, Any],
    section: str,
    keys: tuple[str, ...],
    ours: str,
    report: Report,
) -> dict[str, Any]:
    for key in own:
        known = key in keys
        note = "" if known else "nothing here reads it"
        report.add(
            f"{section}.{key}",
            "mapped" if known else "ignored",
            f"{ours}: {key}" if known else "",
            note,
        )
    return {key: own[key] for key in keys if key in own}


def _rules(resources: Mapping[str, Any], report: Report) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    for stage, request in resources.items():
        place = f"resources.{stage}"
        if stage not in _STAGES or not isinstance(request, Mapping):
            report.add(place, "ignored", "", f"stages: {', '.join(_STAGES)}")
            continue
        rule: dict[str, Any] = {}
        for key, value in request.items():
            ours = _REQUEST.get(key)
            if ours is None:
                rule.setdefault("extra", {})[key] = str(value)
            else:
                rule[ours] = value
            target = f"slurm.yml nodes: {_STAGES[stage]}.{ours or f'extra.{key}'}"
            report.add(f"{place}.{key}", "mapped", target)
        rules[_STAGES[stage]] = rule
    return rules


def _execution(image: str, report: Report) -> dict[str, Any]:
    if not image:
        report.add("containers.gpu_sif", "mapped", "default_profile: local", "empty")
        return {"default_profile": "local"}
    report.add("containers.gpu_sif", "mapped", "execution.yml: cluster *.segment")
    profile = {
        "*.segment": {"engine": "apptainer", "image": image},
        # Of conf/base it is a container, too; pyCyto has only this one.
        "default": {"engine": "bare", "image": ""},
    }
    return {"default_profile": "cluster", "profiles": {"cluster": profile}}
