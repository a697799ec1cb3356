"""A real PostgreSQL on this machine, with a password."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backends.ceph import free_ports

PASSWORD = "the-password-of-the-database"
_OPTIONS = (
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off "
    "-c listen_addresses=127.0.0.1"
)


def programs() -> Path | None:
    """Folder of the newest server installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return found[-1].parent if found else None


def missing() -> str | None:
    """Why no server can be started here; None if one can."""
    if programs() is None:
        return "no PostgreSQL server (Debian package: postgresql)"
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        return "no setpriv, and PostgreSQL refuses to run as root"
    return None


@dataclass
class Postgres:
    """The server of one test session."""

    folder: Path
    port: int = 0

    @property
    def credentials(self) -> dict[str, object]:
        """What credentials.yml would hold."""
        return {"user": "cyto", "password": PASSWORD, "timeout_s": 10}

    def uri(self, table: str, **keys: str) -> str:
        """An address in the database."""
        query = "&".join(f"{name}={value}" for name, value in keys.items())
        return f"db://127.0.0.1:{self.port}/cyto/{table}?{query}"

    def start(self) -> None:
        """Create a cluster and a database, and start the server."""
        (self.port,) = free_ports(1)
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._do(
            "initdb", "-D", self._data, "-U", "cyto", "-A", "scram-sha-256",
            f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        self.start_again()
        self._do(
            "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "cyto", "cyto"
        )

    def start_again(self) -> None:
        """Start the server, also after :meth:`kill`."""
        options = f"{_OPTIONS} -p {self.port} -c unix_socket_directories={self.folder}"
        log = f"{self.folder}/log"
        self._do(
            "pg_ctl",
            "-D",
            self._data,
            "-w",
            "-t",
            "30",
            "-l",
            log,
            "-o",
            options,
            "start",
        )

    def kill(self) -> None:
        """As a power cut would, for all connections."""
        self._do("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def pause(self, paused: bool) -> None:
        """Let the server and its connections stop answering; or go on."""
        main = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for pid in (main, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if paused else signal.SIGCONT)

    def stop(self) -> None:
        """End the server, whatever it does."""
        with suppress(FileNotFoundError, AssertionError):
            self.pause(False)
            self.kill()

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _do(self, program: str, *arguments: str) -> None:
        user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
        found = programs()
        assert found is not None
        done = subprocess.run(
            (*(user if os.getuid() == 0 else ()), str(found / program), *arguments),
            env=os.environ | {"PGPASSWORD": PASSWORD},
            cwd="/",
            stdout=subprocess.DEVNULL,  # the server keeps a pipe open
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{program} failed, see {self.folder}/log"
