"""pyCyto's execution configs in terms of ``execution.yml`` and ``slurm.yml``."""

from __future__ import annotations

import re
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.legacy.formats import PROFILES, ResourcesFile, TaskResources
from cyto_kedro.legacy.names import nearest
from cyto_kedro.legacy.plan import Plan
from cyto_kedro.legacy.report import Report, Verdict
from cyto_kedro.legacy.state import State

LOCAL = "local"
_BARE = {"engine": "bare"}
# Of conf/base, whose default is a container: its image has to be taken back.
_BOXED = ("container", "cluster", "cloud")
_ENGINES = {"docker": "docker", "podman": "podman"}
_ENGINES |= dict.fromkeys(("singularity", "apptainer"), "apptainer")
_MEMORY = re.compile(r"^(\d+)\s*([KMGT])(i?)B?$", re.IGNORECASE)
_ALIASES = {"memory": "mem", "cpus-per-task": "cpus", "cpus_per_task": "cpus"}
_KNOWN = ("mem", "cpus", "gpu", "gres", "partition", "time", "batch_size")
# Ours by pyCyto's.
_REQUESTS = {"cpus": "cpus_per_task", "mem": "mem", "gres": "gres"}
_REQUESTS |= {"partition": "partition", "time": "time"}
_ONLY_SLURM = ("partition", "gres", "time", "batch_size")


def execution_of(
    resources: ResourcesFile | None, profile: str, plan: Plan, state: State
) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """``execution.yml``, ``slurm.yml``, and whether the profile has any container.

    Raises:
        ConfigError: There is no such profile, or a value has the wrong form.
    """
    report = state.report
    if resources is None:
        if profile not in PROFILES:
            raise _no_profile(profile, list(PROFILES))
        note = "without a resources file every task runs on bare metal"
        report.add("execution_profile", "mapped", "default_profile", note)
        return {}, {}, False
    known = resources.execution_configs
    if profile not in known and profile != LOCAL:
        raise _no_profile(profile, list(known))
    profiles: dict[str, Any] = {}
    for name, tasks in known.items():
        profiles[name] = _profile(name, tasks, plan, state)
    profiles.setdefault(LOCAL, {"default": _default(LOCAL)})
    report.add("execution_profile", "mapped", "default_profile", profile)
    if resources.default_profile is not None:
        used = "used" if resources.default_profile == profile else "another one is used"
        report.add("default_profile", "mapped", "default_profile", used)
    for name in resources.unknown:
        report.add(name, "ignored", "", "no key of pyCyto's format")
    execution = {"default_profile": profile, "profiles": profiles}
    boxed = any(entry["engine"] != "bare" for entry in profiles[profile].values())
    slurm = _slurm(known, profile, state)
    _tell_resources(known, state)
    return execution, slurm, boxed


def _no_profile(name: str, known: list[str]) -> ConfigError:
    return ConfigError(
        f"There is no execution profile '{name}'",
        where="execution_configs",
        fix=f"{nearest(name, known)}there are: {', '.join(known)}",
    )


def _profile(
    name: str, tasks: dict[str, TaskResources], plan: Plan, state: State
) -> dict[str, Any]:
    """Entries by node; tasks that the profile leaves out run on bare metal."""
    entries: dict[str, Any] = {}
    for task in tasks:
        if task not in plan.tasks:
            key = f"execution_configs.{name}.{task}"
            state.report.add(key, "ignored", "", "the pipeline has no such task")
    for task in plan.tasks:
        given = tasks.get(task)
        key = f"execution_configs.{name}.{task}"
        nodes = state.nodes.get(task, [])
        for node in nodes:
            entries[node] = _entry(given, name, key, state.report)
        if given is not None:
            _told(given, key, f"profiles.{name}: {', '.join(nodes)}", state.report)
    return entries | {"default": _default(name)}


def _default(profile: str) -> dict[str, Any]:
    return {"engine": "bare", "image": ""} if profile in _BOXED else dict(_BARE)


def _told(given: TaskResources, key: str, ours: str, report: Report) -> None:
    """What became of how a task is executed; its resources are told elsewhere."""
    boxed = given.type == "container"
    if "type" in given.model_fields_set:
        report.add(f"{key}.type", "mapped", ours)
    if given.image is not None:
        note = "the image must hold this package" if boxed else "nothing runs in it"
        report.add(f"{key}.image", "changed" if boxed else "ignored", ours, note)
    runner = f"{key}.runner"
    if given.runner is not None and not any(row.key == runner for row in report.rows):
        report.add(runner, "mapped" if boxed else "ignored", "engine")
    for name in given.unknown:
        report.add(f"{key}.{name}", "ignored", "", "no key of pyCyto's format")


def container_entry(given: TaskResources, key: str) -> dict[str, Any]:
    """One task's entry of ``execution.yml``, without a profile around it."""
    return _entry(given, "", key, Report())


def _entry(
    given: TaskResources | None, profile: str, key: str, report: Report
) -> dict[str, Any]:
    if given is None or given.type == "baremetal":
        return dict(_BARE)
    if not given.image:
        raise ConfigError("A container needs an image", where=key, fix="image: ...")
    runner = given.runner or "docker"
    if runner not in _ENGINES:
        raise ConfigError(
            f"There is no container runner '{runner}'",
            where=key,
            fix=f"{nearest(runner, _ENGINES)}there are: docker, singularity",
        )
    values = _normal(given.resources, key)
    engine = _ENGINES[runner]
    selector = values.pop("node_selector", None)
    if runner == "singularity":
        report.add(f"{key}.runner", "changed", "engine", "its successor, apptainer")
    entry: dict[str, Any] = {"engine": engine, "image": given.image}
    if selector or profile == "cloud":
        entry["engine"] = "kubernetes"
        note = "written as a Kubernetes Job; submitting it is up to you"
        report.add(f"{key}.runner", "changed", "engine: kubernetes", note)
    if selector:
        entry["kubernetes"] = {"node_selector": dict(selector)}
    if "gpu" in values:
        entry["gpu"] = int(values["gpu"])
    limits = {name: values[name] for name in ("cpus", "mem") if name in values}
    # Apptainer has no limits of its own: those of the job hold.
    if limits and entry["engine"] != "apptainer":
        entry["resources"] = limits
    return entry


def _normal(given: dict[str, Any], key: str) -> dict[str, Any]:
    """Resources under one name each, memory as we write it."""
    values = {_ALIASES.get(name, name): value for name, value in given.items()}
    if "mem" in values:
        match = _MEMORY.match(str(values["mem"]).strip())
        if match is None:
            raise ConfigError(
                f"'{values['mem']}' is not an amount of memory",
                where=f"{key}.resources",
                fix="write 8Gi, 32G or 32768M",
            )
        amount, unit, binary = match.groups()
        values["mem"] = amount + unit.upper() + binary.lower()
    return values


def _slurm(
    known: dict[str, dict[str, TaskResources]], profile: str, state: State
) -> dict[str, Any]:
    """Requests by node, of the profile itself if it speaks of SLURM, else cluster's."""

    def speaks(name: str) -> bool:
        keys = {
            k for t in known.get(name, {}).values() for k in _normal(t.resources, name)
        }
        return bool(keys & set(_ONLY_SLURM))

    source = next((name for name in (profile, "cluster") if speaks(name)), None)
    if source is None:
        return {}
    rules: dict[str, Any] = {}
    for task, given in known[source].items():
        key = f"execution_configs.{source}.{task}.resources"
        values = _normal(given.resources, key)
        for node in state.nodes.get(task, ()):
            rule = _rule(values, node, key, state)
            if rule:
                rules[node] = rule
        _tell_requests(given.resources, state.nodes.get(task, []), key, state.report)
    return {"nodes": rules} if rules else {}


def _tell_requests(
    given: dict[str, Any], nodes: list[str], key: str, report: Report
) -> None:
    for name in given if nodes else ():
        known = _ALIASES.get(name, name)
        if known not in ("batch_size", "node_selector"):
            ours = _REQUESTS.get(known, "gres" if known == "gpu" else f"extra.{known}")
            place = f"slurm.yml nodes: {', '.join(nodes)}.{ours}"
            report.add(f"{key}.{name}", "mapped", place)


def _tell_resources(known: dict[str, dict[str, TaskResources]], state: State) -> None:
    """Resources that are no request to SLURM: limits of containers, or nothing."""
    told = {row.key for row in state.report.rows}
    for profile, tasks in known.items():
        for task, given in tasks.items():
            key = f"execution_configs.{profile}.{task}.resources"
            for name in given.resources if task in state.nodes else ():
                if f"{key}.{name}" not in told:
                    verdict, ours, note = _limit(name, given)
                    state.report.add(f"{key}.{name}", verdict, ours, note)


def _limit(name: str, given: TaskResources) -> tuple[Verdict, str, str]:
    known = _ALIASES.get(name, name)
    boxed = given.type == "container"
    limited = boxed and given.runner not in ("singularity", "apptainer")
    if boxed and known == "gpu":
        return "mapped", "execution.yml: gpu", ""
    if limited and known in ("mem", "cpus"):
        return "mapped", f"execution.yml: resources.{known}", ""
    if known == "node_selector" and boxed:
        return "mapped", "execution.yml: kubernetes.node_selector", ""
    return "ignored", "", "a request to SLURM, to which this profile submits nothing"


def _rule(values: dict[str, Any], node: str, key: str, state: State) -> dict[str, Any]:
    rule = {_REQUESTS[name]: values[name] for name in _REQUESTS if name in values}
    if values.get("gpu") and "gres" not in rule:
        rule["gres"] = f"gpu:{int(values['gpu'])}"
    extra = {
        name: str(value)
        for name, value in values.items()
        if name not in (*_KNOWN, "node_selector")
    }
    if extra:
        rule["extra"] = extra
    frames = values.get("batch_size")
    if frames is not None:
        ours_key = f"slurm.yml nodes: {node}.fan_out.frames"
        if node.endswith((".segment", ".preprocess", ".merge")):
            rule["fan_out"] = {"frames": int(frames)}
            note = "frames per array task; params.batch_size is tiles per GPU batch"
            state.report.add(f"{key}.batch_size", "mapped", ours_key, note)
        else:
            note = f"{node} looks at all frames together"
            state.report.add(f"{key}.batch_size", "ignored", "", note)
    return rule
