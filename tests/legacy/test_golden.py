"""Each golden pyCyto file becomes exactly the environment that is promised."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cyto_kedro.cli.legacy import runner_of
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.layout import Layout
from cyto_kedro.legacy.modules import MODULES
from cyto_kedro.pipelines.contacts.params import ContactsParams
from cyto_kedro.pipelines.features.params import FeaturesParams
from cyto_kedro.pipelines.ingest.params import IngestParams
from cyto_kedro.pipelines.killing.params import KillingParams
from cyto_kedro.pipelines.kinematics.params import KinematicsParams
from cyto_kedro.pipelines.networks.params import NetworksParams
from cyto_kedro.pipelines.preprocessing.params import (
    ChannelParams,
    MergeParams,
    RegistrationParams,
)
from cyto_kedro.pipelines.segmentation.params import SegmentationParams
from cyto_kedro.pipelines.tracking.params import TrackingParams
from cyto_kedro.runners import kubernetes
from cyto_kedro.runners.profiles import ExecutionConfig
from cyto_kedro.runners.resources import SlurmConfig
from golden_pycyto import FOLDER, NAMES, expected, files_of, translated
from project import Project

_MODELS = {
    "contacts": ContactsParams,
    "features": FeaturesParams,
    "ingest": IngestParams,
    "killing": KillingParams,
    "kinematics": KinematicsParams,
    "networks": NetworksParams,
}
_OF_NAMES = {"segmentation": SegmentationParams, "tracking": TrackingParams}


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_is_the_golden_one(name: str) -> None:
    files = files_of(name)
    assert sorted(files) == sorted(p.name for p in expected(name).iterdir())
    for file, text in files.items():
        assert text == (expected(name) / file).read_text("utf-8"), file


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_is_accepted(name: str, tmp_path: Path) -> None:
    files = files_of(name)
    roots = dict.fromkeys(("data_root", "scratch_root", "output_root"), tmp_path)
    layout = Layout.model_validate(yaml.safe_load(files["globals.yml"]) | roots)
    parameters = yaml.safe_load(files["parameters_analysis.yml"])
    preprocessing: dict[str, Any] = parameters.pop("preprocessing")
    RegistrationParams.model_validate(preprocessing["registration"])
    assert set(preprocessing["channels"]) == set(layout.channels)
    for values in preprocessing["channels"].values():
        ChannelParams.model_validate(values)
    for values in preprocessing.get("merge", {}).values():
        MergeParams.model_validate(values)
    for category, model in _OF_NAMES.items():
        for role, values in parameters.pop(category, {}).items():
            assert role in layout.roles
            model.model_validate(values)
    for category, values in parameters.items():
        _MODELS[category].model_validate(values)
    if "execution.yml" in files:
        ExecutionConfig.read(yaml.safe_load(files["execution.yml"]))
    if "slurm.yml" in files:
        SlurmConfig.read(yaml.safe_load(files["slurm.yml"]))


def test_every_module_that_can_be_applied_is_in_a_golden_file() -> None:
    text = "\n".join(path.read_text("utf-8") for path in FOLDER.glob("*.yaml"))
    missing = {name for name, module in MODULES.items() if not module.refused}
    missing = {name for name in missing if name not in text}
    assert missing == set()


def test_every_key_of_a_file_is_in_the_report() -> None:
    name = "legacy_all_stages.yaml"
    document = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    keys = {row.key for row in translated(name).report.rows}
    for stage, items in document.pop("pipeline").items():
        if stage == "label_to_sparse":
            continue
        for number, item in enumerate(items):
            place = f"pipeline.{stage}[{number}] {item['name']}"
            for arg in item["args"]:
                assert f"{place} args.{arg}" in keys
    for channel in document.pop("channels"):
        assert f"channels.{channel}" in keys
    for axis in document.pop("image_range"):
        assert f"image_range.{axis}" in keys
    assert set(document) <= keys


def test_the_cloud_is_not_submitted_to_but_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError) as caught:
        runner_of(translated("pipeline.cluster.yaml", "cloud"), "cloud", None, False)
    (words,) = re.findall(r"kubernetes (--env.*) -- kedro run", str(caught.value))
    assert words == "--env cluster --profile cloud --node TCell.segment"
    assert "--profile local" in str(caught.value)
    # What the message says, done.
    project = Project.create(tmp_path / "p")
    made = expected("pipeline.cluster.yaml")
    shutil.copytree(made, project.folder / "conf" / "cluster")
    monkeypatch.chdir(project.folder)
    kubernetes.main([*words.split(), "--", "kedro", "run", "--env", "cluster"])
    text = (project.folder / "kubernetes_job.yaml").read_text("utf-8")
    pod = yaml.safe_load(text)["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"accelerator": "nvidia-tesla-v100"}
    assert pod["containers"][0]["resources"]["limits"]["memory"] == "16Gi"
