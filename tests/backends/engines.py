"""Real container engines for tests, with an image made of this machine's own shell.

No registry and no download of a system: the image holds a shell, a few commands and
their libraries (5 MB, under a second). Python comes in by bind mounts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from project import REPOSITORY

_COMMANDS = "sh bash cat env id kill ls printenv sleep touch true".split()
_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{folder}/storage"
runroot = "{folder}/state"
"""
IMAGE = "localhost/cyto-test:1"
APT = "podman runc catatonit patchelf squashfs-tools squashfuse uidmap"


def make_rootfs(folder: Path) -> Path:
    """A root file system with this machine's shell and the libraries that it needs."""
    usr = folder / "usr"
    for name in ("bin", "lib", "lib64", "sbin"):
        (usr / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    for name in "dev etc home opt proc root run sys tmp var".split():
        (folder / name).mkdir()
    (folder / "tmp").chmod(0o1777)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\n")
    for name in ("hosts", "resolv.conf", "localtime"):
        (folder / "etc" / name).touch()
    needed: set[str] = set()
    for name in _COMMANDS:
        program = shutil.which(name, path="/usr/bin:/bin")
        assert program, f"this machine has no '{name}'"
        shutil.copy(program, usr / "bin" / name)
        told = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        needed |= {word for word in told.split() if word.startswith("/")}
    for library in needed:
        target = folder / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    return folder


def configure_podman(folder: Path) -> dict[str, str]:
    """Configuration files with a private image store; their environment variables."""
    (folder / "containers.conf").write_text(_CONF)
    for driver in ("overlay", "vfs"):
        (folder / "storage.conf").write_text(
            _STORAGE.format(driver=driver, folder=folder)
        )
        env = {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }
        if _quiet(["podman", "info"], env).returncode == 0:
            return env
        shutil.rmtree(folder / "storage", ignore_errors=True)
    return {}


def import_image(rootfs: Path, env: dict[str, str]) -> str:
    """Make podman's image of a root file system; what went wrong, if anything."""
    packed = rootfs.parent / "rootfs.tar"
    subprocess.run(["tar", "-C", rootfs, "-cf", packed, "."], check=True)
    done = _quiet(["podman", "import", "-q", str(packed), IMAGE], env)
    packed.unlink()
    if done.returncode:
        return done.stderr
    line = ["podman", "run", "--rm", "--init", "--pull=never", IMAGE, "true"]
    done = _quiet(line, env)
    return done.stderr if done.returncode else ""


def install_apptainer(prefix: Path) -> str:
    """Unpack Apptainer below ``prefix``; what went wrong, if anything."""
    script = Path(__file__).with_name("apptainer.sh")
    done = subprocess.run(
        ["bash", script, prefix], capture_output=True, text=True, timeout=120
    )
    return done.stderr.strip() or "failed" if done.returncode else ""


def python_binds() -> list[str]:
    """What this Python needs inside an image that has none."""
    system = [f"{p}:{p}:ro" for p in ("/usr/lib", "/usr/lib64") if Path(p).is_dir()]
    own = {sys.prefix, sys.base_prefix, str(REPOSITORY)}
    return [*system, *sorted(own)]


def python_env() -> dict[str, str]:
    """Variables that make ``python`` inside this Python."""
    return {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin"}


def _quiet(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | env
    )
