"""Sidecars and the decision what is up to date, for outputs that lie elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from backends.ceph import SECRET
from backends.postgres import PASSWORD
from cyto_kedro.core.uri import Place
from cyto_kedro.datasets import JsonDataset, TableDataset
from cyto_kedro.datasets.places import open_place
from cyto_kedro.provenance.fingerprint import fingerprint, identity, output_files
from cyto_kedro.provenance.manifest import read_manifest
from cyto_kedro.provenance.reuse import stale_nodes
from cyto_kedro.provenance.sidecar import (
    Sidecar,
    content_of,
    drop_sidecar,
    read_sidecar,
    set_aside_if_edited,
    sidecar_path,
    state_of,
    write_sidecar,
)
from cyto_kedro.provenance.verify import verify_run
from made_runs import MadeRun, layout_in

pytestmark = pytest.mark.backends
FRAME = pd.DataFrame({"frame": [0, 1], "x_um": [0.5, None]})


def work(value: Any) -> Any:
    """A node."""
    return value


NODE = Node(work, "a", "b", name="work")


@pytest.fixture(params=["ceph", "postgres"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[DataCatalog, Place]:
    """A catalog whose output was made and has its sidecar."""
    service = request.getfixturevalue(request.param)
    if request.param == "ceph":
        from s3fs import S3FileSystem

        names = ("key", "secret", "endpoint_url")
        S3FileSystem(**{name: service.credentials[name] for name in names}).call_s3(
            "create_bucket", Bucket="provenance"
        )
        address = f"ceph://provenance/{request.node.name}/t.parquet"
    else:
        address = service.uri("provenance", run_id=request.node.originalname)
    table = TableDataset(address, credentials=service.credentials)
    first = JsonDataset(tmp_path / "a.json")
    first.save(1)
    catalog = DataCatalog({"a": first, "b": table})
    mark, inputs = fingerprint(NODE, catalog, lambda name: identity(catalog, name))
    table.save(FRAME)
    (place,) = output_files(catalog, "b")
    assert isinstance(place, Place)
    digest, size = content_of(place)
    sidecar = Sidecar(
        uri=place.as_uri(), data_type="Table", dataset="b", movie=None, run_id="r1",
        produced_by="work", params={}, inputs=inputs, git_sha=None, completed_at="now",
        sha256=digest, size_bytes=size, fingerprint=mark, state=state_of(place),
    )  # fmt: skip
    write_sidecar(place, sidecar)
    return catalog, place


def test_an_untouched_output_is_up_to_date(made):
    catalog, place = made
    assert stale_nodes(Pipeline([NODE]), catalog) == set()
    assert set_aside_if_edited(place) is None
    catalog["a"].save(2)
    assert stale_nodes(Pipeline([NODE]), catalog) == {"work"}


def test_an_output_without_sidecar_is_made_again(made):
    catalog, place = made
    drop_sidecar(place)
    assert place.exists() and stale_nodes(Pipeline([NODE]), catalog) == {"work"}


def test_what_was_edited_is_seen_and_kept(made, caplog):
    catalog, place = made
    noted = read_sidecar(place)
    catalog["b"].save(FRAME.head(1))
    write_sidecar(place, noted)
    assert stale_nodes(Pipeline([NODE]), catalog) == set()
    assert "changed by hand" in caplog.text
    assert identity(catalog, "b") != noted.fingerprint
    kept = set_aside_if_edited(place)
    assert kept is not None and "edited_r1" in kept


def test_a_sidecar_holds_no_secret_and_lies_beside_its_output(made):
    _, place = made
    text = place.read_note()
    assert text is not None and place.as_uri() in text
    assert not [secret for secret in (SECRET, PASSWORD) if secret in text]


@pytest.fixture
def run(made: tuple[DataCatalog, Place], tmp_path: Path) -> MadeRun:
    """A run whose only output beside the usual ones lies elsewhere, in scratch."""
    _, place = made
    root = str(place.as_uri()).partition("?")[0]
    layout = layout_in(tmp_path / "run", remote={"scratch": [root]})
    return MadeRun(layout, "20260101T000000Z", more=(read_sidecar(place),)).make()


def opener(place: Place) -> Any:
    credentials = getattr(place, "objects", getattr(place, "server", None))._credentials
    return lambda address, kind: open_place(address, kind, credentials)


def states(run: MadeRun, place: Place, **options: Any) -> dict[str, tuple[str, str]]:
    found = verify_run(run.folder, run.run_id, **({"opener": opener(place)} | options))
    return {f.path: (f.part, f.state) for f in found.findings}


def test_a_remote_output_is_read_and_hashed_again(made, run):
    catalog, place = made
    uri = place.as_uri()
    assert states(run, place)[uri] == ("scratch", "same")
    assert states(run, place, opener=None)[uri] == ("scratch", "unseen")
    noted = read_sidecar(place)
    catalog["b"].save(FRAME.assign(x_um=[0.5, 1.0]))
    write_sidecar(place, noted)
    assert states(run, place)[uri] == ("scratch", "changed")
    write_sidecar(place, replace(noted, run_id="r2"))
    assert states(run, place)[uri] == ("scratch", "superseded")
    assert place.extent()[0] > 0 and place.extent()[1] > 0
    place.remove()
    assert states(run, place)[uri] == ("scratch", "purged")
    assert not place.exists() and place.read_note() is None
    assert place.extent() == (0, 0)
    place.remove()  # nothing left: no error


def test_a_service_that_is_away_is_no_change_and_says_why(made, run):
    _, place = made

    def away(address: str, kind: str) -> Place:
        scheme, _, rest = address.partition("://")
        if scheme == "db":
            rest = "127.0.0.1:1/" + rest.partition("/")[2]
            return open_place(f"db://{rest}", kind, {"user": "u", "timeout_s": 5})
        access = {"key": "k", "secret": "s", "endpoint_url": "http://127.0.0.1:1"}
        return open_place(address, kind, access)

    found = verify_run(run.folder, run.run_id, opener=away)
    assert found.code == 2
    [unseen] = [f for f in found.findings if f.state == "unseen"]
    assert unseen.path == place.as_uri() and unseen.why
    assert unseen.why in found.as_text()


def test_the_class_of_a_remote_output_is_that_of_its_root(made, run, tmp_path):
    _, place = made
    other = layout_in(tmp_path / "other")
    kept = MadeRun(other, run.run_id, more=(read_sidecar(place),)).make()
    for made_run, kind in ((run, "scratch"), (kept, "output")):
        [item] = [
            item
            for item in read_manifest(made_run.folder)["outputs"]
            if item["uri"] == place.as_uri()
        ]
        assert item["class"] == kind


def test_rows_hash_the_same_whoever_else_is_in_the_table(made):
    catalog, place = made
    before = place.content()
    catalog["b"].save(FRAME)
    assert place.content() == before
    catalog["b"].save(FRAME.iloc[::-1])
    assert place.content() != before


def test_a_sidecar_of_before_has_no_state(tmp_path):
    path = tmp_path / "t.json"
    path.write_text("1")
    found = Sidecar("u", "t", "d", None, "r", "n", {}, {}, None, "now", "0", 1, "f")
    write_sidecar(path, replace(found, state=None))
    text = sidecar_path(path).read_text()
    sidecar_path(path).write_text(text.replace(',\n  "state": null', ""))
    assert read_sidecar(path) == found
