"""Jobs of a real SLURM write windows of labels into a real Ceph side by side."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from backends.ceph import SECRET, Ceph
from cyto_kedro.datasets import OmeZarrDataset
from project import Project
from small_experiment import FRAMES, small_project

pytestmark = [pytest.mark.slurm, pytest.mark.backends, pytest.mark.slow]

MOVIES, ROLES = ("killing_A1", "control_B1"), ("tcell", "cancer")
RUN = ("run", "--pipeline=tracking")
RUNNER = "--runner=cyto_kedro.runners.SlurmRunner"
WORKFLOW = "tracking"
SITE = """
poll: {first: 0.5, max: 2}
submit_interval: 0
latency_wait: 5
defaults: {mem: 1500M, cpus_per_task: 1}
nodes:
  "*.segment": {fan_out: {frames: 4}, mem: 1500M, cpus_per_task: 1}
"""
CATALOG = """
"{role}.labels":
  type: cyto_kedro.datasets.OmeZarrDataset
  kind: label
  filepath: ceph://cells-of-jobs/scratch/<dataset>/<movie>/<workflow>/{role}/labels.zarr
  calibration: ${globals:scratch_root}/<dataset>/<movie>/<workflow>/calibration.json
  credentials: gateway
"""


@pytest.fixture(scope="module")
def project(ceph: Ceph) -> Iterator[Project]:
    """Two tiny movies, their labels below a scratch root in object storage."""
    from s3fs import S3FileSystem

    names = ("key", "secret", "endpoint_url")
    S3FileSystem(**{name: ceph.credentials[name] for name in names}).call_s3(
        "create_bucket", Bucket="cells-of-jobs"
    )
    folder = Path(tempfile.mkdtemp(prefix="cyto_kedro_jobs_"))
    try:
        made = small_project(folder / "project")
        made.configure("slurm.yml", SITE)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def labels_of(ceph: Ceph, movie: str, role: str) -> Any:
    key = f"scratch/example/{movie}/{WORKFLOW}/{role}/labels.zarr"
    return OmeZarrDataset(
        f"ceph://cells-of-jobs/{key}", kind="label", credentials=ceph.credentials
    )


def wait(what: Callable[[], Any], seconds: float = 300) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def running(name: str) -> list[str]:
    """Tasks whose job has a part of this name, that have begun."""
    told = subprocess.run(
        ["squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i %j"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    pairs = (line.split() for line in told.splitlines())
    return [task for task, job in pairs if name in job]


def test_a_killed_task_leaves_nothing_that_counts_and_resuming_makes_it_whole(
    project, slurm, ceph
):
    alone = project.kedro(*RUN)
    assert alone.returncode == 0, alone.stderr
    wanted = {}
    for movie in MOVIES:
        for role in ROLES:
            path = project.scratch(movie, WORKFLOW) / role / "labels.zarr"
            sidecar = path.with_name(path.name + ".sidecar.json")
            wanted[movie, role] = json.loads(sidecar.read_text("utf-8"))["sha256"]
    shutil.rmtree(project.folder / "data" / "02_intermediate")

    project.configure("catalog_remote.yml", CATALOG)
    project.configure("credentials.yml", yaml.safe_dump({"gateway": ceph.credentials}))
    remote = {"remote": {"scratch": ["ceph://cells-of-jobs/scratch"]}}
    project.configure("globals.yml", yaml.safe_dump(remote))
    driver = subprocess.Popen(
        project.command(*RUN, RUNNER),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    victim = wait(lambda: running("cancer.segment"))[0]
    subprocess.run(["scancel", "--signal=KILL", victim], check=True)
    text = driver.communicate(timeout=400)[0]
    assert driver.returncode != 0, text
    assert SECRET not in text

    broken = [m for m in MOVIES if not labels_of(ceph, m, "cancer").exists()]
    assert len(broken) == 1, "one movie lost a window, the other one is whole"
    assert not labels_of(ceph, broken[0], "cancer").place.read_note()
    with pytest.raises(Exception, match="cells-of-jobs"):
        labels_of(ceph, broken[0], "cancer").load()

    resumed = project.kedro("cyto", "resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    for (movie, role), digest in wanted.items():
        labels = labels_of(ceph, movie, role)
        assert labels.place.content()[0] == digest, "as one process makes it on a disk"
        assert labels.load().shape[0] == FRAMES
        assert np.asarray(labels.load()[0]).dtype == np.uint32
    folder = project.runs(WORKFLOW)[-1]
    manifest = json.loads((folder / "provenance_manifest.json").read_text("utf-8"))
    stored = {i["uri"]: i for i in manifest["outputs"] if i["uri"].startswith("ceph")}
    assert len(stored) == len(wanted)
    assert {item["class"] for item in stored.values()} == {"scratch"}
    everything = [p for p in folder.rglob("*") if p.is_file()]
    assert not [p for p in everything if SECRET in p.read_text("utf-8", "replace")]

    verified = project.kedro("cyto", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    purged = project.kedro("cyto", "purge", "--yes")
    assert purged.returncode == 0 and "stays" not in purged.stdout, purged.stdout
    assert not [key for key in wanted if labels_of(ceph, *key).exists()]
    left = labels_of(ceph, *next(iter(wanted))).place.objects.listing("scratch")
    assert left == {}
