"""Real services that the tests of URIs start."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import ceph as ceph_backend
from backends import postgres as postgres_backend


@pytest.fixture(scope="session")
def ceph() -> Iterator[ceph_backend.Ceph]:
    """A Ceph RADOS Gateway; tests are skipped, with the reason, where there is none."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: the extra 'remote'")
    if reason := ceph_backend.missing():
        pytest.skip(f"no Ceph can be started here: {reason}")
    folder = Path(tempfile.mkdtemp(prefix="cyto_ceph_"))
    cluster = ceph_backend.Ceph(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_backend.Postgres]:
    """A PostgreSQL; tests are skipped, with the reason, where there is none."""
    pytest.importorskip(
        "adbc_driver_postgresql", reason="no adbc-driver-postgresql: the extra 'remote'"
    )
    if reason := postgres_backend.missing():
        pytest.skip(f"no PostgreSQL can be started here: {reason}")
    # Not below pytest's own folder, which other users may not enter.
    folder = Path(tempfile.mkdtemp(prefix="cyto_postgres_"))
    server = postgres_backend.Postgres(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
