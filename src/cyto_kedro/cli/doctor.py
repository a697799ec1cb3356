"""`kedro cyto doctor`: can this machine run this project, and what to do if not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.pipeline import Pipeline

from cyto_kedro.cli import doctor_machine as machine
from cyto_kedro.cli.findings import Finding, checked
from cyto_kedro.config import CytoConfigLoader
from cyto_kedro.core.params import Params
from cyto_kedro.datasets.bio import READERS
from cyto_kedro.hooks import preflight
from cyto_kedro.runners.profiles import ExecutionConfig
from cyto_kedro.runners.resources import NodePlan, SlurmConfig
from cyto_kedro.session import EXAMPLE, CytoSession


@dataclass(frozen=True)
class _Opened:
    """The project as a run would see it; each part is read when it is asked for."""

    context: KedroContext
    loader: CytoConfigLoader

    @classmethod
    def of(cls, project: Path, env: str | None) -> _Opened:
        """Open the project; raises what is wrong with ``globals.yml``."""
        session = CytoSession.create(project_path=project, env=env)
        context = session.load_context()
        loader: Any = context.config_loader
        return cls(context, loader)

    @cached_property
    def pipeline(self) -> Pipeline:
        """What `kedro run` runs."""
        from kedro.framework.project import pipelines

        pipelines.set_requested(None)
        return pipelines["__default__"]

    @cached_property
    def catalog(self) -> Any:
        """Datasets and parameters; raises what is wrong with these."""
        return self.context.catalog

    @cached_property
    def groups(self) -> dict[str, dict[str, Params]]:
        """Typed parameters by node."""
        return {
            node.name: preflight.groups_of(node, self.catalog)
            for node in self.pipeline.nodes
        }

    @cached_property
    def on_gpu(self) -> list[str]:
        """Nodes whose chosen method wants a GPU."""
        return [
            node
            for node, groups in self.groups.items()
            if any(group.uses_gpu for group in groups.values())
        ]

    @property
    def waits_for_example(self) -> bool:
        """Whether the first run is going to simulate the movies."""
        layout = self.loader.layout
        return layout.dataset == EXAMPLE and not layout.sheet.exists()

    @cached_property
    def movies(self) -> tuple[Any, ...]:
        """Movies of the sheet; none yet if the example is still to be simulated."""
        return () if self.waits_for_example else self.loader.movies()


def examine(project: Path, env: str | None = None) -> list[Finding]:
    """All checks, in the order in which they should be mended.

    Args:
        project: The project's folder.
        env: Kedro environment.

    Returns:
        One finding per check; checks that a broken configuration prevents are left out.
    """
    findings = [
        checked("Python", lambda: machine.about_python(project)),
        checked("packages", lambda: machine.about_packages(project)),
        checked("extras", lambda: machine.about_extras(project)),
    ]
    opened: list[_Opened] = []

    def open_globals() -> str:
        opened.append(_Opened.of(project, env))
        layout = opened[0].loader.layout
        roles = ", ".join(f"{name} ({r.kind})" for name, r in layout.roles.items())
        return f"dataset '{layout.dataset}', roles {roles}"

    findings.append(checked("globals.yml", open_globals))
    if opened:
        findings += [checked(name, look) for name, look in _configuration(opened[0])]
    return findings + _machine(opened[0] if opened else None, project)


def _configuration(
    opened: _Opened,
) -> Iterator[tuple[str, Callable[[], str | Finding]]]:
    yield "sheet", lambda: _sheet(opened)
    yield "parameters", lambda: _parameters(opened)
    yield "catalog", lambda: _catalog(opened)
    yield "methods", lambda: _methods(opened)
    yield "raw files", lambda: _raw_files(opened)
    yield "roots", lambda: _roots(opened)
    yield "disk", lambda: _disk(opened)


def _sheet(opened: _Opened) -> str:
    if opened.waits_for_example:
        return "the bundled example, which the first run simulates"
    return f"{len(opened.movies)} movies in {opened.loader.layout.sheet}"


def _parameters(opened: _Opened) -> str:
    used, inactive = preflight.used_parameters()
    preflight.check_parameters(opened.loader["parameters"], used, inactive)
    values = opened.context.params  # raises what is wrong with a value
    return f"{len(values)} groups, all keys known and all values in bounds"


def _catalog(opened: _Opened) -> str:
    preflight.check_catalog(opened.pipeline, opened.catalog)
    preflight.check_outputs(opened.pipeline, opened.catalog, opened.loader.layout)
    return f"{len(opened.pipeline.inputs())} inputs known, no output in the raw data"


def _methods(opened: _Opened) -> Finding:
    missing: dict[str, list[str]] = {}
    for node, groups in opened.groups.items():
        names = {name for group in groups.values() for name in group.libraries}
        for name in names - set(preflight.versions_of(names)):
            missing.setdefault(name, []).append(node)
    if not missing:
        return Finding("methods", "ok", "their libraries are installed")
    told = "; ".join(f"{name} for {', '.join(n)}" for name, n in missing.items())
    return Finding(
        "methods",
        "warning",
        f"not installed: {told}",
        f"pip install -e '.[{next(iter(missing))}]', or run these nodes in a "
        "container: docs/containers.md",
    )


def _raw_files(opened: _Opened) -> str | Finding:
    if opened.waits_for_example:
        return Finding("raw files", "not used", "the first run simulates them")
    preflight.check_raw_files(opened.pipeline, opened.movies)
    suffixes = {p.suffix.lower() for m in opened.movies for p in m.paths.values()}
    readers = {suffix: READERS[suffix] for suffix in suffixes & set(READERS)}
    missing = sorted(s for s, reader in readers.items() if find_spec(reader) is None)
    if missing:
        told = f"no reader for {', '.join(missing)} is installed"
        return Finding("raw files", "error", told, "pip install -e '.[bio]'")
    return f"there for all {len(opened.movies)} movies"


def _roots(opened: _Opened) -> str:
    layout = opened.loader.layout
    preflight.check_roots(layout, opened.movies)
    return f"writable: {layout.scratch_root}, {layout.output_root}"


def _disk(opened: _Opened) -> str:
    layout = opened.loader.layout
    preflight.check_disk(layout, opened.movies)
    free = {
        key: shutil.disk_usage(getattr(layout, f"{key}_root")).free / 2**30
        for key in ("scratch", "output")
    }
    return ", ".join(f"{gib:.0f} GiB free for {key}" for key, gib in free.items())


def _machine(opened: _Opened | None, project: Path) -> list[Finding]:
    """What other programs say, asked side by side: each may be slow."""
    checks = {
        "GPU": lambda: machine.about_gpu(opened.on_gpu if opened else []),
        "weights": lambda: _weights(opened),
        "SLURM": lambda: _slurm(opened),
        "containers": lambda: _containers(opened, project),
    }
    with ThreadPoolExecutor(len(checks)) as pool:
        jobs = [pool.submit(checked, name, look) for name, look in checks.items()]
        return [job.result() for job in jobs]


def _weights(opened: _Opened | None) -> Finding:
    for groups in opened.groups.values() if opened else ():
        for group in groups.values():
            group.check_ready()
    return machine.about_weights()


def _slurm(opened: _Opened | None) -> Finding:
    if opened is None:
        return machine.about_slurm(None, [])
    config = SlurmConfig.read(opened.loader["slurm"])
    return machine.about_slurm(config, _plans(opened, config))


def _plans(opened: _Opened, config: SlurmConfig) -> list[NodePlan]:
    from cyto_kedro.runners.slurm.runner import plan_of

    return [
        plan_of(node, node.name in opened.on_gpu, config)
        for node in opened.pipeline.nodes
    ]


def _containers(opened: _Opened | None, project: Path) -> Finding:
    if opened is None:
        return machine.about_containers("", [], project)
    profile = ExecutionConfig.read(opened.loader["execution"]).profile()
    return machine.about_containers(profile.name, profile.nodes.values(), project)
