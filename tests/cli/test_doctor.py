"""`kedro cyto doctor` on machines and projects with known faults."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cyto_kedro.cli import doctor_machine
from cyto_kedro.cli.doctor import examine
from cyto_kedro.cli.findings import Finding, as_text, checked
from cyto_kedro.core.errors import ConfigError
from cyto_kedro.methods.segmentation.weights import FOLDER_VARIABLE
from cyto_kedro.provenance import environment
from cyto_kedro.runners.resources import SlurmConfig
from project import REPOSITORY, Project


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    """A PATH with nothing but what a test puts there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    environment.gpus.cache_clear()
    yield programs
    environment.gpus.cache_clear()


def program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    script = folder / f".{name}.py"
    script.write_text(f"import sys\n{textwrap.dedent(body)}")
    # Not Python itself behind `#!`: its path may hold a space.
    path.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n")
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path):
    from kedro.framework.startup import bootstrap_project

    made = Project.create(tmp_path / "project")
    bootstrap_project(made.folder)
    return made


def examined(project: Project) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(project.folder)}


# -- the project ----------------------------------------------------------------------


def test_a_fresh_project_on_a_bare_machine_is_healthy(bare_machine, project):
    found = examined(project)
    states = {check: finding.state for check, finding in found.items()}
    unused = {"raw files", "GPU", "weights", "SLURM", "containers"}
    assert {check for check, state in states.items() if state == "not used"} == unused
    assert {s for c, s in states.items() if c not in unused | {"extras"}} == {"ok"}
    assert "first run simulates" in found["sheet"].found


def test_the_command_tells_scripts_and_imports_nothing_heavy(project):
    project.configure("globals.yml", "dataset: nowhere\nsheet: nowhere.csv\n")
    code = (
        "import sys; from kedro.framework.cli.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'torch', 'cellpose', 'ants', 'numba', 'matplotlib'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)), code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "cyto", "doctor", "--json"],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told, _, last = done.stdout.rpartition("HEAVY")
    assert last.split() == ["[]", "1"], done.stdout + done.stderr
    report = json.loads(told)
    assert report["healthy"] is False
    sheet = next(item for item in report["checks"] if item["check"] == "sheet")
    assert sheet["state"] == "error"
    assert "nowhere.csv" in sheet["found"]
    assert "globals.yml" in sheet["fix"]


def test_broken_globals_do_not_stop_the_other_checks(bare_machine, project):
    project.configure("globals.yml", "pixel_size_um: -1\n")
    found = examined(project)
    assert found["globals.yml"].state == "error"
    assert "pixel_size_um" in found["globals.yml"].found
    assert found["packages"].state == "ok"
    assert found["containers"].state == "not used"
    assert "sheet" not in found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tracking: {tcell: {no_such_key: 1}}", "no_such_key"),
        ("trackign: {tcell: {}}", "did you mean"),
    ],
)
def test_wrong_parameters_are_named(bare_machine, project, text, told):
    project.configure("parameters_tracking.yml", text)
    finding = examined(project)["parameters"]
    assert finding.state == "error"
    assert told in finding.found


def test_missing_raw_files_are_named(bare_machine, project):
    sheet = project.folder / "sheet.csv"
    sheet.write_text("movie\nm1\n")
    project.configure("globals.yml", "dataset: mine\nsheet: sheet.csv\n")
    found = examined(project)
    assert found["sheet"].found.startswith("1 movies")
    assert found["raw files"].state == "error"
    assert "data/01_raw/mine/m1/tcell.ome.tif" in found["raw files"].found


def test_files_of_a_microscope_need_their_reader(bare_machine, project, monkeypatch):
    from cyto_kedro.cli import doctor

    monkeypatch.setitem(doctor.READERS, ".nd2", "no_such_reader")
    folder = project.folder / "data" / "01_raw" / "mine"
    folder.mkdir(parents=True)
    (folder / "m1.nd2").write_bytes(b"")
    (project.folder / "sheet.csv").write_text("movie\nm1\n")
    channels = (
        "{tcell: {files: m1.nd2}, cancer: {files: m1.nd2}, death: {files: m1.nd2}}"
    )
    project.configure(
        "globals.yml", f"dataset: mine\nsheet: sheet.csv\nchannels: {channels}\n"
    )
    finding = examined(project)["raw files"]
    assert finding.state == "error"
    assert ".nd2" in finding.found
    assert "[bio]" in finding.fix


def test_a_root_that_cannot_be_written_is_an_error(bare_machine, project):
    (project.folder / "a_file").write_text("")
    project.configure("globals.yml", "scratch_root: a_file/below\n")
    found = examined(project)
    assert found["roots"].state == "error"
    assert "scratch_root" in found["roots"].fix


def test_a_learned_method_without_weights_is_an_error(bare_machine, project):
    project.configure(
        "parameters_segmentation.yml",
        "segmentation: {cancer: {method: {name: cellpose, model: cpsam_v2}}}\n",
    )
    found = examined(project)
    assert found["weights"].state == "error"
    assert "kedro cyto weights fetch cpsam_v2" in found["weights"].fix
    assert found["GPU"].state == "warning"
    assert "cancer.segment" in found["GPU"].found


def test_a_profile_whose_engine_is_missing_is_an_error(bare_machine, project):
    program(bare_machine, "podman", "print('podman version 4.3.1')")
    project.configure("execution.yml", "default_profile: container\n")
    finding = examined(project)["containers"]
    assert finding.state == "error"
    assert "docker is not installed" in finding.found
    assert "podman 4.3.1" in finding.found


# -- the machine ----------------------------------------------------------------------


def declare(folder: Path, *lines: str, python: str = ">=3.11") -> Path:
    listed = ", ".join(f'"{line}"' for line in lines)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "cyto-kedro"\nrequires-python = "{python}"\n'
        f"dependencies = [{listed}]\n[project.optional-dependencies]\n"
        'good = ["numpy"]\nbad = ["no-such-thing"]\ndev = ["neither-this"]\n'
    )
    return folder


def test_packages_are_held_to_what_the_project_requires(tmp_path):
    lines = ("numpy>=1", "pandas>=999", "no-such-thing", "other; python_version<'3'")
    finding = doctor_machine.about_packages(declare(tmp_path, *lines))
    assert finding.state == "error"
    faults = finding.found.split("; ")
    assert faults[0].startswith("pandas ") and faults[0].endswith(" is not >=999")
    assert faults[1:] == ["no-such-thing is missing"]


def test_the_python_is_held_to_what_the_project_requires(tmp_path):
    declare(tmp_path, python=">=3.99")
    finding = doctor_machine.about_python(tmp_path)
    assert finding.state == "error"
    assert ">=3.99" in finding.found


def test_extras_say_what_is_there_and_what_is_not(tmp_path):
    finding = doctor_machine.about_extras(declare(tmp_path))
    assert finding.found == "good; not installed: bad"


def test_a_project_of_another_name_is_held_to_the_installed_package(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "mine"\n')
    here = doctor_machine.about_packages(tmp_path)
    assert here.state == doctor_machine.about_packages(REPOSITORY).state == "ok"


SMI = "print('NVIDIA A100-PCIE-40GB, 535.104.05, 40960')"


@pytest.mark.parametrize(
    ("torch", "wanted", "state", "told"),
    [
        (None, [], "ok", "A100-PCIE-40GB (driver 535.104.05)"),
        (None, ["a.segment"], "warning", "torch is not installed"),
        (("2.9.0+cpu", None), [], "warning", "without CUDA"),
        (("2.9.0", "12.8"), ["a.segment"], "ok", "with CUDA 12.8"),
    ],
)
def test_a_gpu_needs_a_torch_that_can_use_it(
    bare_machine, tmp_path, monkeypatch, torch, wanted, state, told
):
    program(bare_machine, "nvidia-smi", SMI)
    fake = tmp_path / "torch"
    if torch is not None:
        fake.mkdir()
        (fake / "__init__.py").write_text("raise RuntimeError('imported')")
        cuda = repr(torch[1])
        (fake / "version.py").write_text(
            f"__version__ = '{torch[0]}'\ndebug = False\n"
            f"cuda: Optional[str] = {cuda}\nhip: Optional[str] = None\n"
        )
    monkeypatch.setattr(
        sys, "path", [str(tmp_path), *(p for p in sys.path if "site-pack" not in p)]
    )
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    finding = doctor_machine.about_gpu(wanted)
    assert finding.state == state
    assert told in finding.found


def test_weights_that_were_cut_short_are_told(bare_machine, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / "cpsam").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    finding = doctor_machine.about_weights()
    assert finding.state == "warning"
    assert "cpsam" in finding.fix


SINFO = """
    if "%P" == sys.argv[-1]:
        print("short")
    else:
        print("short*|up|1-06:00:00|2|(null)|64000|16")
"""


@pytest.mark.parametrize(
    ("partition", "state"), [("short", "ok"), ("shrot", "warning")]
)
def test_slurm_must_have_the_partitions_that_are_asked_for(
    bare_machine, partition, state
):
    from cyto_kedro.runners.resources import resolve

    program(bare_machine, "sbatch", "")
    program(bare_machine, "sinfo", SINFO)
    config = SlurmConfig.read({"defaults": {"partition": partition}})
    finding = doctor_machine.about_slurm(config, [resolve(config, "a", (), None)])
    assert finding.state == state
    assert "partitions short" in finding.found
    assert (state == "ok") or "did you mean 'short'" in finding.fix


def test_a_silent_controller_is_no_error(bare_machine):
    program(bare_machine, "sbatch", "")
    program(bare_machine, "sinfo", "sys.exit('no controller')")
    assert doctor_machine.about_slurm(None, []).state == "warning"


# -- findings -------------------------------------------------------------------------


def test_a_check_that_fails_is_a_finding():
    def refuse():
        raise ConfigError("It is wrong", where="a.yml", fix="mend")

    def defect():
        raise KeyError("oops")

    assert checked("x", refuse) == Finding("x", "error", "It is wrong (a.yml)", "mend")
    assert checked("x", defect).found == "KeyError: 'oops'"


def test_the_text_says_what_to_do_below_what_was_found():
    text = as_text([Finding("a", "ok", "fine"), Finding("bb", "error", "x\ny", "do z")])
    assert text.splitlines() == [
        "ok        a   fine",
        "error     bb  x",
        "              y",
        "              -> do z",
        "",
        "1 ok, 1 error",
    ]
