"""Writes a Kubernetes Job for a run; submitting it is up to you (``kubectl apply``).

``python -m cyto_kedro.runners.kubernetes [--profile cloud] [--node N] [--gpu] --
kedro run ...`` writes the manifest of a Job whose one pod does that command.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.errors import ConfigError, CytoError
from cyto_kedro.runners.container_params import Container
from cyto_kedro.runners.profiles import ExecutionConfig

_GPU = "nvidia.com/gpu"
_NAME_LENGTH = 63


def kubernetes_job(
    container: Container,
    argv: list[str],
    *,
    name: str,
    workdir: str,
    env: Mapping[str, str],
    gpu: bool,
) -> str:
    """The manifest (``batch/v1`` Job, YAML) of a pod that runs ``argv``.

    Args:
        container: Image, resources, environment, node selector and volume claims.
        argv: Command in the pod.
        name: Name of the job; made to fit Kubernetes' rules.
        workdir: Project folder in the pod, on one of the claims or in the image.
        env: Variables to set; the container's own ``env`` wins.
        gpu: Whether the command wants a GPU.

    Raises:
        ConfigError: There is no image, or ``binds`` name folders of this machine.
    """
    if not container.image:
        raise ConfigError(
            "A Kubernetes Job needs an image",
            where="execution.yml",
            fix="give image: a name that the cluster can pull",
        )
    if container.binds:
        raise ConfigError(
            "A pod does not see the folders of this machine",
            where="binds of an entry with engine kubernetes in execution.yml",
            fix="give kubernetes.claims: {folder: name of a volume claim}",
        )
    label = _name(name)
    claims = container.kubernetes.claims
    volumes = {
        claim: f"claim-{i}" for i, claim in enumerate(sorted({*claims.values()}))
    }
    variables = {"PYTHONNOUSERSITE": "1"} | dict(env) | container.env
    worker: dict[str, Any] = {
        "name": "worker",
        "image": container.image,
        "command": list(argv),
        "workingDir": workdir,
        "env": [{"name": k, "value": v} for k, v in variables.items()],
        "resources": _resources(container, gpu),
        "volumeMounts": [
            {"name": volumes[claim], "mountPath": folder}
            for folder, claim in claims.items()
        ],
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "nodeSelector": dict(container.kubernetes.node_selector),
        "containers": [worker],
        "volumes": [
            {"name": volume, "persistentVolumeClaim": {"claimName": claim}}
            for claim, volume in volumes.items()
        ],
    }
    labels = {"app.kubernetes.io/name": "cyto-kedro"}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": label, "labels": dict(labels)},
        "spec": {
            "backoffLimit": container.kubernetes.backoff_limit,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    return yaml.safe_dump(job, sort_keys=False)


def _resources(container: Container, gpu: bool) -> dict[str, dict[str, str]]:
    """Requests equal limits: a pod gets what it asks for, and no more."""
    asked: dict[str, str] = {}
    if container.resources.cpus:
        asked["cpu"] = f"{container.resources.cpus:g}"
    if container.resources.mem:
        number = container.resources.mem.rstrip("i")
        asked["memory"] = f"{number}i"  # 32G means 32 * 1024^3 to SLURM and Docker
    count = container.gpu if container.gpu != "auto" else int(gpu)
    if count:
        asked[_GPU] = str(count)
    return {"requests": asked, "limits": dict(asked)}


def _name(name: str) -> str:
    """Lower-case letters, digits and dashes, at most 63."""
    plain = re.sub(r"[^a-z0-9-]+", "-", name.lower())[:_NAME_LENGTH].strip("-")
    return plain or "cyto-kedro"


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m cyto_kedro.runners.kubernetes",
        description="Write a Kubernetes Job that runs a command of this project. "
        "It is generated only: submit it with kubectl apply -f.",
    )
    parser.add_argument("--output", default="kubernetes_job.yaml", help="file to write")
    parser.add_argument("--env", help="environment below conf/")
    parser.add_argument("--profile", default="cloud", help="profile in execution.yml")
    parser.add_argument("--name", default="cyto-kedro", help="name of the job")
    parser.add_argument("--workdir", default="/workspace", help="project in the pod")
    parser.add_argument(
        "--node", default="", help="take image and resources of this node's entry"
    )
    parser.add_argument("--gpu", action="store_true", help="ask for a GPU")
    parser.add_argument("command", nargs="+", help="after --, such as: kedro run")
    options = parser.parse_args(arguments)
    try:
        text = kubernetes_job(
            _container(options.env, options.profile, options.node),
            options.command,
            name=options.name,
            workdir=options.workdir,
            env={},
            gpu=options.gpu,
        )
    except CytoError as exc:
        parser.error(str(exc))
    write_text(options.output, text)
    return 0


def _container(env: str | None, profile: str, node: str) -> Container:
    """The profile's entry for a node, its ``default`` without."""
    from kedro.framework.project import settings
    from kedro.framework.startup import bootstrap_project

    project = Path.cwd()
    bootstrap_project(project)
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=str(project / settings.CONF_SOURCE),
        env=env,
        **settings.CONFIG_LOADER_ARGS,
    )
    chosen = ExecutionConfig.read(loader["execution"]).profile(profile)
    namespace = node.rpartition(".")[0] or None
    return chosen.container_for(node, (), namespace) or Container()


if __name__ == "__main__":
    sys.exit(main())
