"""Weights are found, or missed with one clear message; nothing loads torch for that."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import zipfile

import pytest
import yaml
from pydantic import ValidationError

from cyto_kedro.cli.weights import as_text, fetch, overview
from cyto_kedro.core.errors import ConfigError, StorageError
from cyto_kedro.methods.segmentation import cellpose
from cyto_kedro.methods.segmentation.cellpose import CellposeOptions
from cyto_kedro.methods.segmentation.weights import require_weights
from cyto_kedro.pipelines.segmentation.params import SegmentationParams


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """An empty folder of built-in models."""
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))
    return tmp_path / "models"


def weights_file(path, content=b"x" * 5000):
    """What torch writes is a zip archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", content)
    return path


@pytest.mark.parametrize("old", ["cyto", "cyto2", "cyto3", "nuclei", "Cyto2", "TN1"])
def test_models_of_older_versions_are_refused_with_what_to_use(old):
    with pytest.raises(ValidationError, match=r"Cellpose 3 or older.*use cpsam_v2"):
        CellposeOptions(model=old)


@pytest.mark.parametrize("wrong", ["cpsam_v3", "CPSAM", "cpdino", "my_model", ""])
def test_a_name_that_is_no_model_never_becomes_a_download(wrong):
    with pytest.raises(ValidationError, match=r"cpsam_v2|at least 1 character"):
        CellposeOptions(model=wrong)


def test_a_path_is_a_path():
    for path in ("models/mine", "./mine", "/nfs/mine", "~/mine", "mine.pt"):
        assert CellposeOptions(model=path).model == path


@pytest.mark.parametrize("text", ["on", "off", "auto", "'off'"])
def test_yaml_reads_a_bare_on_as_true(text):
    values = yaml.safe_load(f"{{name: cellpose, gpu: {text}}}")
    options = SegmentationParams(method=values)
    assert options.method.gpu == text.strip("'")
    assert options.uses_gpu == (options.method.gpu != "off")


@pytest.mark.parametrize("model", ["cpsam", "cpsam_v2"])
def test_missing_weights_say_where_they_were_looked_for_and_how_to_get_them(
    model, models
):
    with pytest.raises(ConfigError) as caught:
        SegmentationParams(method={"name": "cellpose", "model": model}).check_ready()
    told = str(caught.value)
    assert str(models / model) in told
    assert "CELLPOSE_LOCAL_MODELS_PATH" in told
    assert f"kedro cyto weights fetch {model}" in told
    assert not models.exists()


def test_a_missing_file_of_ones_own_is_named(tmp_path):
    with pytest.raises(ConfigError, match="mine") as caught:
        CellposeOptions(model=str(tmp_path / "mine")).check_ready()
    assert "fetch" not in str(caught.value)


def test_weights_are_found_by_name_and_by_path(models):
    path = weights_file(models / "cpsam_v2")
    assert require_weights("cpsam_v2") == path
    assert CellposeOptions().input_files == (path,)
    assert CellposeOptions(model=str(path)).input_files == (path,)
    CellposeOptions().check_ready()


def test_half_a_download_is_no_model(models):
    path = weights_file(models / "cpsam_v2")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ConfigError, match=r"cut short[\s\S]*fetch cpsam_v2"):
        CellposeOptions().check_ready()
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ConfigError, match="LFS"):
        CellposeOptions().check_ready()


def test_the_library_is_asked_for_before_any_frame(models, monkeypatch):
    weights_file(models / "cpsam_v2")
    monkeypatch.setattr(
        "cyto_kedro.methods.segmentation.learned.find_spec", lambda name: None
    )
    with pytest.raises(ConfigError, match=r"needs cellpose[\s\S]*\[cellpose\]"):
        cellpose.build(CellposeOptions(), (1.0, 1.0))


def test_parameters_are_checked_without_the_gpu_stack(models):
    weights_file(models / "cpsam_v2")
    code = (
        "import sys\n"
        "from cyto_kedro.pipelines.segmentation.params import SegmentationParams\n"
        "SegmentationParams(method={'name': 'cellpose'}).check_ready()\n"
        "heavy = {'torch', 'cellpose', 'stardist', 'tensorflow', 'cv2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.fixture
def mirror(tmp_path):
    """A server on this machine that has one model, and announces another too large."""
    served = weights_file(tmp_path / "served" / "cpsam").read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path in ("/cpsam", "/cpsam_v2")
            self.send_response(200 if known else 404)
            extra = 1000 if self.path == "/cpsam_v2" else 0
            self.send_header("Content-Length", str(len(served) + extra if known else 0))
            self.end_headers()
            if known:
                self.wfile.write(served)

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", served
    server.shutdown()
    server.server_close()
    thread.join()


def test_fetch_puts_a_whole_model_where_it_is_looked_for(mirror, models):
    source, served = mirror
    came = []
    told = fetch("cpsam", source, lambda count, total: came.append((count, total)))
    assert (models / "cpsam").read_bytes() == served
    assert sum(count for count, _ in came) == len(served) == came[0][1]
    assert "sha256" in told
    CellposeOptions(model="cpsam").check_ready()
    assert "already there" in fetch("cpsam", "http://127.0.0.1:9")
    assert "cpsam_v2: missing" in as_text(overview())
    assert "cpsam: 0.00 GB" in as_text(overview())
    listed = {entry["model"]: entry for entry in overview()["models"]}
    assert listed["cpsam"]["bytes"] == len(served)
    assert listed["cpsam_v2"]["state"] == "missing"


def test_a_download_that_breaks_leaves_nothing(mirror, models):
    with pytest.raises(StorageError, match="stopped after"):
        fetch("cpsam_v2", mirror[0])
    assert list(models.iterdir()) == []


@pytest.mark.parametrize("path", ["/elsewhere", None])
def test_no_network_or_no_file_is_one_message(mirror, models, path):
    source = f"{mirror[0]}{path}" if path else "http://127.0.0.1:9"
    with pytest.raises(ConfigError, match=r"cannot be downloaded[\s\S]*copy it to"):
        fetch("cpsam", source)
    assert not (models / "cpsam").exists()
