"""The text of a batch script, and what cannot be in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.runners.resources import Resources
from cyto_kedro.runners.slurm.script import render


def script(resources=None, **more) -> str:
    given_ = {
        "resources": resources or Resources(partition="short"),
        "log": Path("/run/log/x_%A_%a.log"),
        "command": ["true"],
        "env": {},
        "workdir": Path("/project"),
    }
    return render(**given_ | more)


def options(text: str) -> dict[str, str]:
    lines = [x.split(" --", 1)[1] for x in text.splitlines() if x.startswith("#SBATCH")]
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def test_what_is_asked_for_is_what_sbatch_reads():
    asked = Resources(
        partition="gpu_short",
        cpus_per_task=8,
        mem_mib=65536,
        time_s=60 * 3600,
        gres="gpu:a100-pcie-40gb:1",
        exclude=("c1", "c2"),
        extra=(("account", "lab"), ("exclusive", "")),
    )
    assert options(script(asked)) == {
        "partition": "gpu_short",
        "cpus-per-task": "8",
        "mem": "64G",
        "time": "2-12:00:00",
        "gres": "gpu:a100-pcie-40gb:1",
        "exclude": "c1,c2",
        "output": "/run/log/x_%A_%a.log",
        "chdir": "/project",
        "open-mode": "append",
        "kill-on-invalid-dep": "yes",
        "requeue": "",
        "account": "lab",
        "exclusive": "",
    }
    assert script(asked).startswith("#!/bin/bash\n#SBATCH ")


def test_nothing_is_said_that_was_not_asked_for():
    found = options(script(Resources(partition="short")))
    assert not {"gres", "exclude"} & found.keys()


def test_nodes_that_the_site_excludes_stay_excluded_when_one_more_fails():
    asked = Resources(exclude=("c9", "c1"), extra=(("exclude", "c1,c2"),))
    assert options(script(asked))["exclude"] == "c9,c1,c2"


def test_percent_signs_of_folders_are_no_patterns():
    found = options(script(log=Path("/a/50%j/x_%A_%a.log"), workdir=Path("/a/50%j")))
    assert found["output"] == "/a/50%%j/x_%A_%a.log"
    assert found["chdir"] == "/a/50%j"


def test_words_are_kept_together():
    asked = Resources(extra=(("comment", "two words # x"),))
    found = options(script(asked, workdir=Path("/a b/\u00e9")))
    assert found["comment"] == '"two words # x"' and found["chdir"] == '"/a b/\u00e9"'


@pytest.mark.parametrize("bad", ['a"b', "a\nb", "a\\b"])
def test_what_sbatch_cannot_read_is_refused(bad):
    for more in ({"log": Path("/") / bad / "x.log"}, {"workdir": Path("/") / bad}):
        with pytest.raises(ConfigError, match="rename the folder"):
            script(**more)
    with pytest.raises(ConfigError, match="extra"):
        script(Resources(extra=(("comment", bad),)))


def test_words_and_variables_survive_a_real_shell():
    odd = 'it\'s "odd" $HOME `x` \\ \n#!*'
    show = "import os, sys; sys.stdout.write(repr([*sys.argv[1:], os.environ['ODD']]))"
    words = [odd, "", "-x", "a b"]
    text = script(command=[sys.executable, "-c", show, *words], env={"ODD": odd})
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True)
    assert done.stdout == repr([*words, odd])


def test_an_error_before_the_worker_fails_the_job():
    text = script(command=["/there/is/no/such/file"])
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True)
    assert done.returncode == 127
