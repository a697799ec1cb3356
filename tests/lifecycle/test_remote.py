"""Archive, purge and count what lies in a real Ceph and a real PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from backends.ceph import KEY, SECRET, Ceph
from backends.postgres import Postgres
from cyto_kedro.cli import housekeeping, lifecycle
from cyto_kedro.cli.places import Places
from cyto_kedro.core.errors import ConfigError, CytoError, StorageError
from cyto_kedro.core.locks import locked
from cyto_kedro.datasets import OmeZarrDataset, TableDataset
from cyto_kedro.lifecycle.archive import to_objects
from cyto_kedro.lifecycle.candidates import Wanted
from cyto_kedro.lifecycle.promote import promote
from cyto_kedro.lifecycle.purge import Purge
from cyto_kedro.lifecycle.usage import usage
from cyto_kedro.provenance.seal import SEAL
from cyto_kedro.provenance.sidecar import (
    Sidecar,
    content_of,
    read_sidecar,
    state_of,
    write_sidecar,
)
from made_runs import MadeRun, layout_in

pytestmark = pytest.mark.backends
RUN, LATER = "20260101T000000Z", "20260102T000000Z"
STACK = da.zeros((3, 16, 16), chunks=(1, 16, 16), dtype=np.uint32)
FRAME = pd.DataFrame({"frame": [0, 1], "x_um": [0.5, None]})


@pytest.fixture
def bucket(ceph: Ceph) -> str:
    from s3fs import S3FileSystem

    name = f"b-{uuid.uuid4().hex}"
    names = ("key", "secret", "endpoint_url")
    S3FileSystem(**{n: ceph.credentials[n] for n in names}).call_s3(
        "create_bucket", Bucket=name
    )
    return name


def catalog(bucket: str, postgres: Postgres | None = None) -> dict[str, Any]:
    """What a user's catalog would say, as far as credentials go."""
    entries = {"{role}.labels": f"ceph://{bucket}/scratch/{{role}}/labels.zarr"}
    found = {
        name: {"filepath": address, "credentials": "gateway"}
        for name, address in entries.items()
    }
    if postgres is not None:
        found["tracks"] = {"filepath": postgres.uri("t", a="1"), "credentials": "lab"}
    return found


@pytest.fixture
def world(tmp_path: Path, ceph: Ceph, postgres: Postgres, bucket: str) -> World:
    return World(tmp_path, ceph, postgres, bucket)


class World:
    """A run with labels and a table elsewhere, and the commands' view of it."""

    def __init__(
        self, folder: Path, ceph: Ceph, postgres: Postgres, bucket: str
    ) -> None:
        self.ceph, self.postgres, self.bucket = ceph, postgres, bucket
        self.schema = bucket.replace("-", "_")
        database = f"db://127.0.0.1:{postgres.port}/cyto"
        remote = {
            "scratch": [f"ceph://{bucket}/scratch", f"{database}/{self.schema}"],
            "output": [f"ceph://{bucket}/results"],
        }
        self.layout = layout_in(folder, remote=remote)
        config = {
            "catalog": catalog(bucket, postgres),
            "credentials": {"gateway": ceph.credentials, "lab": postgres.credentials},
        }
        self.places = Places(config, self.layout)
        labels = OmeZarrDataset(
            f"ceph://{bucket}/scratch/cancer/labels.zarr",
            kind="label",
            credentials=ceph.credentials,
        )
        table = TableDataset(
            f"ceph://{bucket}/scratch/cancer/t.parquet",
            formats=["parquet", "csv"],
            credentials=ceph.credentials,
        )
        rows = TableDataset(
            postgres.uri(f"{self.schema}.tracks", movie="A1"),
            credentials=postgres.credentials,
        )
        self.datasets = {"labels": labels, "table": table, "rows": rows}
        labels.save(STACK)
        table.save(FRAME)
        rows.save(FRAME)
        more = tuple(self.described(name) for name in self.datasets)
        self.run = MadeRun(self.layout, RUN, more=more).make()

    def described(self, name: str, run_id: str = RUN) -> Sidecar:
        """Write the sidecar of a dataset, as a run does."""
        dataset = self.datasets[name]
        first, *beside = getattr(dataset, "places", [dataset.place]) or [dataset.place]
        digest, size = content_of(first)
        made = Sidecar(
            uri=first.as_uri(), data_type=dataset.data_type, dataset=name, movie="A1",
            run_id=run_id, produced_by="make", params={}, inputs={}, git_sha=None,
            completed_at="2026-01-01T00:00:00Z", sha256=digest, size_bytes=size,
            fingerprint="f", state=state_of(first),
            also={place.as_uri(): content_of(place)[0] for place in beside},
        )  # fmt: skip
        write_sidecar(first, made)
        return made

    def objects(self) -> set[str]:
        """All objects of the bucket."""
        return set(self.places.archive(f"ceph://{self.bucket}").listing())

    def plan(self, edits: bool = False, **wanted: Any) -> dict[str, Any]:
        found = Purge(self.layout, edits, self.places.open).plan(Wanted(**wanted))
        return {c.uri.rpartition("/")[2].partition("?")[0]: c for c in found if c.uri}

    def delete(self, candidate: Any, edits: bool = False) -> None:
        Purge(self.layout, edits, self.places.open).delete(candidate)


def test_scratch_of_a_verified_run_goes_and_nothing_beside_it(world):
    others = world.places.archive(f"ceph://{world.bucket}")
    notes = world.layout.data_root / "notes.txt"
    notes.write_text("keep me")
    strangers = {
        "scratch2/a", "scratch/notes.txt", "scratch/cancer/labels.zarr2/c",
        "scratch/cancer/t.parquet.bak", "results/t.parquet",
    }  # fmt: skip
    for name in strangers:
        others.upload(notes, name)
    other_movie = TableDataset(
        world.postgres.uri(f"{world.schema}.tracks", movie="A2"),
        credentials=world.postgres.credentials,
    )
    other_movie.save(FRAME)
    plan = world.plan()
    assert set(plan) == {"labels.zarr", "t.parquet", f"{world.schema}.tracks"}
    assert {c.refused for c in plan.values()} == {""}
    assert {(c.dataset, c.movie, c.workflow, c.run) for c in plan.values()} == {
        ("plate1", "A1", "main", RUN)
    }
    # 2 rows; 3 frames, 2 zarr.json, the marker, the sidecar; parquet, csv and sidecar
    assert [plan[name].files for name in sorted(plan)] == [2, 7, 3]
    assert all(c.size_bytes > 0 for c in plan.values())
    for candidate in plan.values():
        world.delete(candidate)
    assert world.objects() == strangers
    assert not world.datasets["rows"].exists() and len(other_movie.load()) == 2
    assert world.plan() == {}
    places = world.places
    from cyto_kedro.provenance.verify import verify_run

    assert verify_run(world.run.folder, RUN, opener=places.open).code == 0


def test_what_no_verified_run_vouches_for_stays(world):
    labels = world.datasets["labels"]
    noted = read_sidecar(labels.place)
    labels.place.current().array()[0] = np.ones((16, 16), np.uint32)
    assert world.plan()["labels.zarr"].refused == "edited by hand"
    assert world.plan(edits=True)["labels.zarr"].refused == ""
    labels.place.drop_note()
    assert "no sidecar" in world.plan(edits=True)["labels.zarr"].refused
    write_sidecar(labels.place, replace(noted, sha256="0" * 64, run_id=LATER))
    assert LATER in world.plan(edits=True)["labels.zarr"].refused
    world.run.set_metadata(status="failed")
    assert "failed" in world.plan()["t.parquet"].refused
    with pytest.raises(ConfigError, match="may no longer be purged"):
        world.delete(world.plan()["t.parquet"])
    assert world.datasets["table"].exists()


def test_a_run_at_work_protects_its_scratch_elsewhere(world):
    candidate = world.plan()["labels.zarr"]
    lock = world.run.scratch("A1") / ".lock"
    with locked(lock):
        assert world.plan()["labels.zarr"].refused == "a run is using it"
        with pytest.raises(StorageError, match="using it"):
            world.delete(candidate)
    assert world.datasets["labels"].exists()


def test_filters_pick_outputs_elsewhere_too(world):
    assert set(world.plan(movie="A1")) == set(world.plan())
    assert world.plan(movie="A2") == {} == world.plan(dataset="plate2")
    assert world.plan(run=LATER) == {} == world.plan(jobs=8)


def test_a_manifest_that_names_other_places_deletes_nothing(world):
    """A hostile or mistaken manifest cannot lead purge out of the scratch roots."""
    others = world.places.archive(f"ceph://{world.bucket}")
    path = world.run.folder / "provenance_manifest.json"
    manifest = json.loads(path.read_text())
    [item] = [i for i in manifest["outputs"] if i["uri"].endswith("t.parquet")]
    others.upload(path, "results/precious.parquet")
    precious = f"ceph://{world.bucket}/results/precious.parquet"
    item["also"] = {precious: "0"}
    manifest["outputs"].append(item | {"uri": precious, "also": {}})
    for climbing in ("scratch/../results/precious.parquet", "scratch//x"):
        wrong = f"ceph://{world.bucket}/{climbing}"
        manifest["outputs"].append(item | {"uri": wrong, "also": {}})
    path.write_text(json.dumps(manifest))
    plan = world.plan(edits=True)
    assert set(plan) == {"labels.zarr", "t.parquet", f"{world.schema}.tracks"}
    with pytest.raises(CytoError, match="not below a scratch root"):
        world.delete(plan["t.parquet"], edits=True)
    stranger = replace(plan["t.parquet"], uri=precious, also=())
    with pytest.raises(CytoError, match="not below a scratch root"):
        world.delete(stranger, edits=True)
    assert world.datasets["table"].exists()
    assert "results/precious.parquet" in world.objects()


def test_a_deletion_that_was_stopped_is_finished_by_the_next(world):
    place = world.datasets["labels"].place
    keys = [k for k in world.objects() if "labels.zarr/" in k]
    place.objects.delete([next(k for k in keys if k.endswith("current.json"))])
    assert not place.exists()
    candidate = world.plan()["labels.zarr"]
    assert candidate.refused == ""
    world.delete(candidate)
    assert not [k for k in world.objects() if "labels.zarr" in k]


def test_usage_counts_what_lies_elsewhere_by_class(world):
    found = usage(world.layout, world.places.root)
    remote = {u.path: u for u in found if "://" in u.path}
    [scratch] = [u for p, u in remote.items() if p.endswith("/scratch/cancer")]
    extents = [
        place.extent()
        for name in ("labels", "table")
        for place in getattr(world.datasets[name], "places", None)
        or [world.datasets[name].place]
    ]
    assert (scratch.storage, scratch.files) == ("scratch", sum(n for n, _ in extents))
    assert scratch.size_bytes == sum(size for _, size in extents)
    [rows] = [u for p, u in remote.items() if p.endswith(f"/{world.schema}.tracks")]
    assert (rows.storage, rows.files) == ("scratch", 1) and rows.size_bytes > 8000
    away = layout_in(
        world.layout.data_root.parent, remote={"output": ["ceph://nobody/x"]}
    )
    [unknown] = [u for u in usage(away, world.places.root) if "://" in u.path]
    assert "no such bucket" in unknown.why or "endpoint" in unknown.why


def call(world: World, command: Any, *words: str, **options: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifecycle, "places_of", lambda metadata, env: world.places)
        return CliRunner().invoke(
            command, list(words), catch_exceptions=False, **options
        )


def test_the_commands_show_delete_count_verify_and_archive(world):
    assert call(world, lifecycle.verify).exit_code == 0
    shown = call(world, housekeeping.purge, "--dry-run")
    assert f"ceph://{world.bucket}/scratch/cancer/labels.zarr  goes" in shown.output
    assert world.datasets["labels"].exists()
    counted = call(world, housekeeping.du).output
    assert f"ceph://{world.bucket}/scratch/cancer" in counted
    root = f"ceph://{world.bucket}/archive"
    archived = call(world, lifecycle.promote, "--archive", root)
    assert f"archived: {root}/main/run_{RUN}" in archived.output
    done = json.loads(call(world, housekeeping.purge, "--json", "--yes").stdout)
    assert len(done["deleted"]) == 4  # labels, table, rows, and the folder on the disk
    assert call(world, lifecycle.verify).exit_code == 0
    assert SECRET not in shown.output + counted + archived.output


@pytest.fixture
def run(tmp_path: Path) -> MadeRun:
    return MadeRun(layout_in(tmp_path), RUN, movies=("A1", "A2")).make()


@pytest.fixture
def archive(ceph: Ceph, bucket: str, tmp_path: Path) -> Any:
    config = {"catalog": catalog(bucket), "credentials": {"gateway": ceph.credentials}}
    places = Places(config, layout_in(tmp_path))
    return places.archive(f"ceph://{bucket}/runs")


def archived(run: MadeRun, target: Any) -> Any:
    [done] = promote(run.folder, RUN, run.layout.output_root, target)
    return done


def contents(target: Any) -> dict[str, bytes | None]:
    return {name: target.read(name) for name in target.listing()}


def test_the_archive_holds_every_file_of_the_run_once(run, archive):
    done = archived(run, archive)
    copy = archive.below(f"main/run_{RUN}")
    assert done.archived == copy.as_uri()
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    assert contents(copy) == {
        path.relative_to(run.folder).as_posix(): path.read_bytes() for path in files
    }
    before = archive.listing()
    assert archived(run, archive).archived == done.archived
    assert archive.listing() == before


@pytest.mark.parametrize("name", ["A1/cells.csv", SEAL, "strange.txt"])
def test_what_is_there_with_other_content_is_refused_and_left(run, archive, name):
    other = run.layout.data_root / "other"
    other.write_text("another run's")
    copy = archive.below(f"main/run_{RUN}")
    copy.upload(other, name)
    with pytest.raises(StorageError, match=rf"(?s)what was sealed: '{name}'"):
        archived(run, archive)
    assert copy.read(name) == b"another run's"
    if name != SEAL:
        assert SEAL not in copy.listing()


def test_a_copy_that_rotted_is_noticed(run, archive):
    archived(run, archive)
    copy = archive.below(f"main/run_{RUN}")
    copy.objects.delete([f"{copy.uri.path}/A2/cells.csv"])
    with pytest.raises(StorageError, match=r"A2/cells\.csv"):
        archived(run, archive)
    assert "A2/cells.csv" not in copy.listing(), "a whole copy is not mended in silence"


_COPY = """
import sys, time
from pathlib import Path
from cyto_kedro.core.uri import locate
from cyto_kedro.core.parallel import set_workers
from cyto_kedro.datasets.object_folder import ObjectFolder
from cyto_kedro.lifecycle.archive import to_objects
from cyto_kedro.provenance.seal import read_seal
set_workers(1)
class Slow(ObjectFolder):
    def upload(self, source, name):
        super().upload(source, name)
        print(name, flush=True)
        time.sleep(0.3)
folder = Path(sys.argv[1])
to_objects(folder, read_seal(folder), Slow(locate(sys.argv[2])))
"""


@pytest.fixture
def killed(run: MadeRun, archive: Any, ceph: Ceph) -> Iterator[Any]:
    """The copy of a run whose archiving was killed after two objects."""
    archived(run, None)
    copy = archive.below(f"main/run_{RUN}")
    access = {
        "CEPH_ENDPOINT_URL": str(ceph.credentials["endpoint_url"]),
        "CEPH_ACCESS_KEY_ID": KEY,
        "CEPH_SECRET_ACCESS_KEY": SECRET,
    }
    job = subprocess.Popen(
        [sys.executable, "-c", _COPY, str(run.folder), copy.as_uri()],
        env=os.environ | access,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    job.stdout.readline()
    job.stdout.readline()
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    job.stdout.close()
    yield copy


def test_a_copy_that_was_killed_is_no_copy_and_the_next_goes_on(run, archive, killed):
    half = killed.listing()
    assert 2 <= len(half) < 6 and SEAL not in half
    done = archived(run, archive)
    assert done.archived == killed.as_uri()
    whole = killed.listing()
    assert set(whole) == {
        p.relative_to(run.folder).as_posix()
        for p in run.folder.rglob("*")
        if p.is_file()
    }
    assert {name: whole[name] for name in half} == half, "what was there was kept"


def test_a_gateway_killed_while_archiving(run, archive, ceph):
    [done] = promote(run.folder, RUN, run.layout.output_root)
    target = archive.below(f"main/run_{RUN}")
    ceph.kill_gateway()
    begin = time.monotonic()
    try:
        with pytest.raises(StorageError) as caught:
            to_objects(run.folder, done.seal, target)
    finally:
        ceph.start_gateway()
    assert time.monotonic() - begin < 60 and SECRET not in str(caught.value)
    assert target.listing() == {}
    shutil.copyfile(run.folder / SEAL, run.layout.data_root / "seal")
    assert to_objects(run.folder, done.seal, target) == target.as_uri()


def test_credentials_of_an_archive_by_name_or_by_bucket(ceph, bucket, tmp_path):
    config = {
        "catalog": {"x": {"filepath": f"ceph://{bucket}/x", "credentials": "gateway"}},
        "credentials": {"gateway": ceph.credentials},
    }
    places = Places(config, layout_in(tmp_path))
    assert places.archive(f"ceph://{bucket}").listing() == {}
    with pytest.raises(ConfigError, match="endpoint"):
        places.archive("ceph://another")
    places.archive("ceph://another", "gateway")
    with pytest.raises(ConfigError, match=r"no credentials 'nobody'(.|\n)*gateway"):
        places.archive("ceph://another", "nobody")
    with pytest.raises(ConfigError, match="not archived in a database"):
        places.archive("db://lab/cyto")
    assert places.archive("file:///archive") == Path("/archive")
