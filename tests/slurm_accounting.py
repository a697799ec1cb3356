"""The small SLURM of the tests with its accounting: MariaDB and slurmdbd."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field

from slurm_cluster import SlurmCluster, _free_ports
from slurm_cluster import missing as missing_slurm

_NEEDED = ("slurmdbd", "sacct", "sacctmgr", "mariadbd", "mariadb-install-db")


def missing() -> str | None:
    """Why no accounting can be started here; None if it can."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    absent = [name for name in _NEEDED if shutil.which(name, path=path) is None]
    if absent:
        return f"no {', '.join(absent)} (Debian packages: slurmdbd mariadb-server)"
    return missing_slurm()


@dataclass
class AccountingCluster(SlurmCluster):
    """A cluster that keeps books, and holds users to what they may submit."""

    nodes: tuple[str, ...] = ("cpu1", "gpu1")
    _database: subprocess.Popen | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._sql_port, self._dbd_port = _free_ports(2)
        self.settings |= {
            "AccountingStorageType": "accounting_storage/slurmdbd",
            "AccountingStorageHost": "127.0.0.1",
            "AccountingStoragePort": str(self._dbd_port),
            # With munge the password is its socket.
            "AccountingStoragePass": f"{self.folder}/munge.socket",
            "AccountingStorageEnforce": "associations,limits,qos",
        }

    def start_controller(self) -> None:
        """Start slurmctld, before the first time its books."""
        if self._database is None:
            self._start_database()
            self._start_books()
        super().start_controller()

    def forget(self) -> None:
        """The controller comes back without its jobs; the books have them."""
        self.stop_controller()
        self._daemon("slurmctld", "-c", "-f", str(self.conf))
        self._wait(self._all_up, "the nodes")

    def allow(self, **limits: int) -> None:
        """Limits of root in account ``lab``; -1: none."""
        words = [f"{key}={value}" for key, value in limits.items()]
        self.run("sacctmgr", "-i", "modify", "user", "root", "set", *words)

    def stop(self) -> None:
        """Stop everything."""
        super().stop()
        self._stop("slurmdbd")
        if self._database is not None:
            # Nothing of it is kept.
            self._database.kill()
            self._database.wait(20)

    def _start_database(self) -> None:
        data = self.folder / "mysql"
        data.mkdir()
        shutil.chown(data, "mysql")
        self._daemon(
            *("mariadb-install-db", "--no-defaults", "--user=mysql"),
            *(f"--datadir={data}", "--auth-root-authentication-method=normal"),
            *("--skip-test-db", "--innodb-log-file-size=16M"),
        )
        with (self.folder / "log" / "mariadb.log").open("ab") as log:
            self._database = subprocess.Popen(
                [
                    *("mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}"),
                    *(f"--socket={data}/s", f"--port={self._sql_port}"),
                    *("--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M"),
                    *("--innodb-log-file-size=16M", "--performance-schema=off"),
                    *("--innodb-lock-wait-timeout=900", f"--pid-file={data}/pid"),
                    "--innodb-flush-log-at-trx-commit=0",
                ],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        client = ("mariadb", "--no-defaults", f"--socket={data}/s", "-u", "root", "-e")
        self._wait(lambda: self._answers(*client, "select 1"), "mariadb")
        self.run(
            *client,
            "create database slurm; create user slurm@localhost identified by 'slurm';"
            "create user slurm@'127.0.0.1' identified by 'slurm';"
            "grant all on slurm.* to slurm@localhost, slurm@'127.0.0.1';",
        )

    def _start_books(self) -> None:
        values = {
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={self.folder}/munge.socket",
            "DbdHost": socket.gethostname().split(".")[0],
            "DbdAddr": "127.0.0.1",
            "DbdPort": self._dbd_port,
            "SlurmUser": "root",
            "LogFile": f"{self.folder}/log/slurmdbd.log",
            "PidFile": f"{self.folder}/slurmdbd.pid",
            "StorageType": "accounting_storage/mysql",
            "StorageHost": "127.0.0.1",
            "StoragePort": self._sql_port,
            "StorageUser": "slurm",
            "StoragePass": "slurm",
            "StorageLoc": "slurm",
        }
        conf = self.folder / "slurmdbd.conf"
        conf.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        conf.chmod(0o600)
        self._daemon("slurmdbd")
        self._wait(lambda: self._answers("sacctmgr", "-n", "show", "cluster"), "books")
        for words in (
            ("add", "cluster", "test"),
            ("add", "account", "lab"),
            ("add", "user", "root", "account=lab", "defaultaccount=lab"),
        ):
            self.run("sacctmgr", "-i", *words)

    def _answers(self, *command: str) -> bool:
        try:
            self.run(*command)
        except subprocess.CalledProcessError:
            time.sleep(0.1)
            return False
        return True
