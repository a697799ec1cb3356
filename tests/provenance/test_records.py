"""Run ids, hashes, secrets, run metadata."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from cyto_kedro.core.layout import Layout
from cyto_kedro.core.scope import Scope, latest_complete_run
from cyto_kedro.provenance.environment import git_state, without_secrets
from cyto_kedro.provenance.hashing import hash_json, sha256_of
from cyto_kedro.provenance.runs import RunRecord, reserve_run


def test_run_ids_are_never_issued_twice(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        ids = list(pool.map(lambda _: reserve_run(tmp_path, "main"), range(3)))
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"\d{8}T\d{6}Z", run_id) for run_id in ids)


def test_the_tree_hash_sees_names_and_contents_only(tmp_path):
    for name in ("a", "b"):
        store = tmp_path / name
        (store / "c").mkdir(parents=True)
        (store / "c" / "0").write_bytes(b"chunk")
    assert sha256_of(tmp_path / "a") == sha256_of(tmp_path / "b")
    (tmp_path / "b" / "c" / "0").rename(tmp_path / "b" / "c" / "1")
    assert sha256_of(tmp_path / "a") != sha256_of(tmp_path / "b")


def test_json_hash_ignores_the_order_of_keys():
    assert hash_json({"a": 1, "b": 2}) == hash_json({"b": 2, "a": 1})
    assert hash_json({"a": 1}) != hash_json({"a": 1.5})


def test_secrets_are_blanked_at_any_depth():
    value = {
        "db": {"password": "hunter2", "url": "postgresql://me:hunter2@host/x"},
        "s3": [{"api_key": "hunter2"}],
        "threshold": 3,
    }
    clean = without_secrets(value)
    assert "hunter2" not in json.dumps(clean)
    assert clean["threshold"] == 3
    assert clean["db"]["url"] == "postgresql://me:***@host/x"


def test_outside_git_the_commit_is_null(tmp_path):
    assert git_state(tmp_path) == (None, None)


def record(tmp_path):
    layout = Layout.model_validate(
        {
            "data_root": tmp_path / "raw",
            "scratch_root": tmp_path / "scratch",
            "output_root": tmp_path / "out",
            "dataset": "plate1",
            "sheet": tmp_path / "sheet.csv",
            "channels": {"c": {"files": "c.tif"}},
            "roles": {"c": {"kind": "target", "channels": ["c"]}},
        }
    )
    run_id = reserve_run(layout.output_root, "main")
    return RunRecord(layout, "main", run_id, project=tmp_path)


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("boom"), "failed"), (KeyboardInterrupt(), "interrupted")],
)
def test_metadata_say_how_a_run_ended(tmp_path, error, status):
    made = record(tmp_path)
    with pytest.raises(type(error)), made.closing():
        made.begin_movie("A1")
        made.times("A1", "cancer.segment").compute_s = 2.0
        raise error
    said = json.loads((made.folder / "run_metadata.json").read_text())
    assert said["status"] == status
    assert said["movies"] == [said["movies"][0] | {"movie": "A1", "status": status}]
    assert said["nodes"][0]["compute_s"] == 2.0
    assert "cancer.segment" in said["error"]


def test_only_complete_runs_are_offered_outside_a_run(tmp_path):
    made = record(tmp_path)
    out = made.layout.output_root
    made.write()
    assert latest_complete_run(out, "main") is None
    made.close("failed")
    assert latest_complete_run(out, "main") is None
    made.close("completed")
    assert latest_complete_run(out, "main") == made.run_id


def test_path_tokens_are_filled_at_any_depth():
    scope = Scope("main", "20260101T000000Z", dataset="plate1", movie="A1")
    entry = {"x": {"filepath": "s/<dataset>/<movie>/<workflow>/l.zarr", "n": 1}}
    assert scope.fill(entry) == {"x": {"filepath": "s/plate1/A1/main/l.zarr", "n": 1}}
    assert scope.fill("o/<workflow>/<run>/r.html") == (
        "o/main/run_20260101T000000Z/r.html"
    )
    assert scope.fill("<benchmark_run>") == "run_20260101T000000Z"
    idle = replace(scope, benchmark_id="20250101T000000Z")
    assert idle.fill("<run> <benchmark_run>") == (
        "run_20260101T000000Z run_20250101T000000Z"
    )
    assert replace(scope, benchmark_id="").fill("<benchmark_run>") == "run_none"
