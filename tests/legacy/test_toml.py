"""pyCyto's TOML files become roots, benchmark settings, requests and an image."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cyto_kedro.cli.legacy import import_toml
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.pipelines.benchmark.params import BenchmarkParams
from cyto_kedro.runners.profiles import ExecutionConfig
from cyto_kedro.runners.resources import SlurmConfig

BENCHMARK = """
[dataset]
total_frames = 80
name = "nyeso"
[resources.cellpose]
gres = "gpu:a100-pcie-40gb:1"
mem = "64G"
cpus-per-task = 8
[validation]
cpu_tolerance = 0.2
[containers]
gpu_sif = ""
"""
USER = """
[dataset]
total_frames = 40
[containers]
gpu_sif = "containers/images/cyto-gpu.sif"
"""


def test_benchmark_files_become_an_environment(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "benchmark.def.toml").write_text(BENCHMARK)
    (tmp_path / "benchmark.user.toml").write_text(USER)
    written = import_toml(tmp_path, tmp_path / "conf", "bench", force=False)
    read = {p.name: p.read_text("utf-8") for p in written}
    files = {n: yaml.safe_load(t) for n, t in read.items() if n.endswith(".yml")}
    params = BenchmarkParams.model_validate(
        files["parameters_benchmark.yml"]["benchmark"]
    )
    assert params.total_frames == 40 and params.cpu_tolerance == 0.2
    rule = SlurmConfig.read(files["slurm.yml"]).nodes["*.segment"]
    assert rule.gres == "gpu:a100-pcie-40gb:1" and rule.cpus_per_task == 8
    profile = ExecutionConfig.read(files["execution.yml"]).profile()
    found = profile.container_for("TCell.segment", [], "TCell")
    assert found is not None and found.image == "containers/images/cyto-gpu.sif"
    assert profile.container_for("TCell.track", [], "TCell") is None
    assert "`dataset.name` | ignored" in read["IMPORT.md"]
    with pytest.raises(ConfigError, match="--force"):
        import_toml(tmp_path, tmp_path / "conf", "bench", force=False)


def test_notebook_roots_become_globals(tmp_path: Path) -> None:
    (tmp_path / "config.def.toml").write_text('[paths]\ndata_root = "data/datasets"\n')
    (tmp_path / "config.user.toml").write_text('[paths]\noutput_root = "/gpfs/out"\n')
    (path, _) = import_toml(tmp_path, tmp_path / "conf", "lab", force=False)
    roots = {"data_root": "data/datasets", "output_root": "/gpfs/out"}
    assert yaml.safe_load(path.read_text()) == roots
    with pytest.raises(ConfigError, match="neither"):
        import_toml(tmp_path / "conf", tmp_path / "conf", "x", force=False)
    (tmp_path / "config.user.toml").write_text("not toml")
    with pytest.raises(ConfigError, match="no TOML"):
        import_toml(tmp_path, tmp_path / "conf", "y", force=False)
