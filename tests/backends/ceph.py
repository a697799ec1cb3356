"""A real Ceph with a RADOS Gateway on this machine: one monitor, one OSD in memory."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

NEEDED = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool")
PACKAGES = "ceph-mon ceph-osd radosgw ceph-common"
KEY, SECRET = "an-access-key", "the-secret-of-the-gateway"
_CONF = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon max pg per osd = 1000
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
pid file = {folder}/run/$name.pid
log file = {folder}/log/$name.log
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd class load list = *
osd class default list = *
keyring = {folder}/keyring
mon data avail crit = 1
mon data avail warn = 2
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {folder}/rgw
rgw enable usage log = false
rgw enable ops log = false
rgw run sync thread = false
rgw thread pool size = 32
"""
_CAPS = {
    "mon.": ("--cap", "mon", "allow *"),
    "client.admin": ("--cap", "mon", "allow *", "--cap", "osd", "allow *"),
    "client.rgw": ("--cap", "mon", "allow rw", "--cap", "osd", "allow rwx"),
    "osd.0": ("--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"),
}


def missing() -> str | None:
    """Why no Ceph can be started here; None if one can."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)} (Debian packages: {PACKAGES})"
    return None


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_for(port: int, seconds: float = 20) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens at port {port}")


@dataclass
class Ceph:
    """The cluster of one test session."""

    folder: Path
    port: int = 0
    _mon: int = 0
    _pids: dict[str, int] = field(default_factory=dict)

    @property
    def credentials(self) -> dict[str, object]:
        """What credentials.yml would hold."""
        return {
            "key": KEY,
            "secret": SECRET,
            "endpoint_url": f"http://127.0.0.1:{self.port}",
            "timeout_s": 2,
        }

    def start(self) -> None:
        """Start all daemons and create the user."""
        self.port, self._mon = free_ports(2)
        for name in ("mon", "osd", "run", "log", "rgw"):
            (self.folder / name).mkdir(parents=True)
        fsid = str(uuid.uuid4())
        conf = _CONF.format(
            fsid=fsid, mon=self._mon, port=self.port, folder=self.folder
        )
        (self.folder / "ceph.conf").write_text(conf)
        keyring, monmap = f"{self.folder}/keyring", f"{self.folder}/monmap"
        address = f"[v2:127.0.0.1:{self._mon}]"
        self._do(
            "monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monmap
        )
        for number, (name, caps) in enumerate(_CAPS.items()):
            new = ("--create-keyring",) if number == 0 else ()
            self._do("ceph-authtool", *new, keyring, "--gen-key", "-n", name, *caps)
        self._do(
            "ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring
        )
        shutil.copy(keyring, self.folder / "mon" / "keyring")
        self._do("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        self._do("ceph", "--connect-timeout", "20", "osd", "new", osd)
        self._do("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._do("ceph-osd", "-i", "0")
        self.start_gateway()
        self._do(
            "radosgw-admin", "user", "create", "--uid=test", "--display-name=test",
            f"--access-key={KEY}", f"--secret-key={SECRET}",
        )  # fmt: skip

    def start_gateway(self) -> None:
        """Start the gateway, also after :meth:`kill_gateway`."""
        self._do("radosgw", "-n", "client.rgw")
        wait_for(self.port)

    def kill_gateway(self) -> None:
        """As a power cut would."""
        pid = self._pid("client.rgw")
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
            time.sleep(0.02)

    def pause_gateway(self, paused: bool) -> None:
        """Let it stop answering, its connections open; or go on."""
        os.kill(self._pid("client.rgw"), signal.SIGSTOP if paused else signal.SIGCONT)

    def stop(self) -> None:
        """End all daemons."""
        for name in ("client.rgw", "osd.0", "mon.a"):
            with suppress(FileNotFoundError, ValueError, ProcessLookupError):
                os.kill(self._pid(name), signal.SIGKILL)

    def _pid(self, name: str) -> int:
        return int((self.folder / "run" / f"{name}.pid").read_text())

    def _do(self, *command: str) -> None:
        conf = os.environ | {"CEPH_CONF": str(self.folder / "ceph.conf")}
        done = subprocess.run(
            command, env=conf, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
