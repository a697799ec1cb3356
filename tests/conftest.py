"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from container_fixtures import place, podman, sif  # noqa: F401
from project import Project
from remote_fixtures import ceph, postgres  # noqa: F401
from slurm_cluster import SlurmCluster
from slurm_cluster import missing as slurm_missing
from small_cellpose import MODEL, import_cellpose, train

# A shell ignores Ctrl-C in what it starts in the background, and programs inherit that:
# tests that press it would wait in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """With `pytest -n` files of slow tests come first: none is left for the end."""
    if not (config.getoption("numprocesses", None) or hasattr(config, "workerinput")):
        return
    marks = ("slow", "slurm", "containers")
    slow = {i.path for i in items if any(i.get_closest_marker(m) for m in marks)}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real movies and truth; the test is skipped where it is absent."""
    folder = os.environ.get("CYTO_KEDRO_REAL_DATA", "")
    if not folder:
        pytest.skip("CYTO_KEDRO_REAL_DATA is not set: no real data to test against")
    if not Path(folder).is_dir():
        pytest.fail(f"CYTO_KEDRO_REAL_DATA={folder} is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def example_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example after one `kedro run`, in a folder with a space in its name.

    Shared by all slow tests: copy it to change it.
    """
    made = Project.create(tmp_path_factory.mktemp("a project") / "cyto kedro")
    done = made.kedro("run")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return made


@pytest.fixture(scope="session")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """A real SLURM; tests are skipped, with the reason, where none can be started."""
    if reason := slurm_missing():
        pytest.skip(f"no SLURM can be started here: {reason}")
    # Not below pytest's own folder, which other users may not enter.
    folder = Path(tempfile.mkdtemp(prefix="cyto_kedro_slurm_"))
    cluster = SlurmCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def slurm(slurm_cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> SlurmCluster:
    """The cluster, found by the commands of this process."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, slurm_cluster.environment[name])
    return slurm_cluster


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small network; tests are skipped where Cellpose is absent."""
    import_cellpose()
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # one training for all workers
    with FileLock(folder / "training.lock"):
        made = folder / "models" / MODEL
        return made if made.exists() else train(folder)
