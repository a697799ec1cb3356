"""What an address may be, and that it never carries a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.uri import Uri, locate
from cyto_kedro.datasets import (
    FiguresDataset,
    JsonDataset,
    NetworkDataset,
    OmeZarrDataset,
    TableDataset,
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/a b/t.parquet", Path("/a b/t.parquet")),
        ("data/t.parquet", Path("data/t.parquet")),
        ("file:///a%20b/t.parquet", Path("/a b/t.parquet")),
        ("file://localhost/a", Path("/a")),
    ],
)
def test_paths_and_file_uris_are_local(text, path):
    assert locate(text) == path


def test_the_parts_of_an_address():
    uri = locate("s3://bucket/run/labels.zarr")
    assert (uri.scheme, uri.host, uri.path) == ("s3", "bucket", "run/labels.zarr")
    assert (uri.name, uri.stem, uri.suffix) == ("labels.zarr", "labels", ".zarr")
    rows = locate("db://host:5432/lab/kills?run_id=r1&movie=a%20b")
    assert rows.query == {"run_id": "r1", "movie": "a b"}
    assert locate(str(rows)) == rows


@pytest.mark.parametrize("name", ["a b", "100%", "a%20b", "ä+\n;#?", "%2F", "{x}"])
def test_an_address_leads_back_to_its_place_whatever_it_is_called(name):
    uri = Uri("s3", "bucket", f"run/{name}")
    assert locate(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    ["s3://bucket", "s3://", "ceph://b/k?x=1", "db://host/lab", "db://host/lab/t",
     "s3://bucket/a/../b", "s3://bucket/./b", "s3://bucket/a//b",
     "ftp://host/x", "file://host/x"],
)  # fmt: skip
def test_an_incomplete_or_unknown_address_is_refused(text):
    with pytest.raises(ConfigError):
        locate(text)


@pytest.mark.parametrize(
    "text",
    [
        "s3://me:hunter2@bucket/x",
        "db://me:hunter2@host/lab/t?run_id=1",
        "db://host/lab/t?password=hunter2",
        "nfs://me:hunter2@host/x",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(text):
    with pytest.raises(ConfigError) as caught:
        locate(text)
    assert "hunter2" not in str(caught.value)


def test_a_type_says_where_it_cannot_go(tmp_path):
    with pytest.raises(ConfigError, match=r"FiguresDataset cannot be stored at s3"):
        FiguresDataset("s3://bucket/figures")
    with pytest.raises(ConfigError, match=r"OmeZarrDataset cannot be stored at db"):
        OmeZarrDataset("db://host/lab/t?run_id=1")
    with pytest.raises(ConfigError, match=r"JsonDataset cannot be stored at db"):
        JsonDataset("db://host/lab/t?run_id=1")
    with pytest.raises(ConfigError, match=r"stored as one of \.graphml"):
        NetworkDataset("s3://bucket/network.gexf")
    assert TableDataset(f"file://{tmp_path}/t.parquet").path == tmp_path / "t.parquet"


def test_a_gateway_needs_an_endpoint(monkeypatch):
    monkeypatch.delenv("CEPH_ENDPOINT_URL", raising=False)
    with pytest.raises(ConfigError, match="CEPH_ENDPOINT_URL"):
        TableDataset("ceph://bucket/t.parquet")


def test_the_address_of_a_neighbour():
    assert str(Uri("s3", "b", "x/t.parquet").with_name("t.csv")) == "s3://b/x/t.csv"
