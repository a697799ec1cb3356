"""A small real SLURM on this machine: virtual nodes, pretend A100s."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
PACKAGES = "munge slurmctld slurmd slurm-client"
GPU = "a100-pcie-40gb"
_SBIN = "/usr/sbin:/sbin"


def missing() -> str | None:
    """Why no cluster can be started here; None if one can."""
    path = f"{os.environ['PATH']}:{_SBIN}"
    absent = [name for name in NEEDED if shutil.which(name, path=path) is None]
    if absent:
        return f"no {', '.join(absent)} (Debian packages: {PACKAGES})"
    return None if os.getuid() == 0 else "its daemons have to be started by root"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@dataclass
class SlurmCluster:
    """One cluster in a folder: two CPU nodes, one GPU node, five partitions.

    Nodes believe what the configuration says, not the hardware: 8 cores and 16,000 MB,
    the GPU node 16 cores, 64,000 MB and 4 GPUs. Timers are short, so that failures take
    seconds.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    nodes: tuple[str, ...] = ("cpu1", "cpu2", "gpu1")

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        ports = _free_ports(len(self.nodes) + 1)
        self._port, self._ports = (
            ports[0],
            dict(zip(self.nodes, ports[1:], strict=True)),
        )

    @property
    def conf(self) -> Path:
        """What SLURM_CONF names."""
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which SLURM's commands find this cluster."""
        path = f"{os.environ['PATH']}:{_SBIN}"
        return os.environ | {"SLURM_CONF": str(self.conf), "PATH": path}

    def start(self) -> None:
        """Write the configuration and start all daemons."""
        for name in ("state", "spool", "log", "dev", "munge"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "munge").chmod(0o700)
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.conf.write_text(self._configuration(), encoding="utf-8")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        devices = [self.folder / "dev" / f"nvidia{i}" for i in range(4)]
        for device in devices:
            # Only for character devices does SLURM tell a job which GPU it got.
            os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (self.folder / "gres.conf").write_text(
            f"NodeName=gpu1 AutoDetect=off Name=gpu Type={GPU} "
            f"File={self.folder}/dev/nvidia[0-3]\n"
        )
        self._daemon(
            "munged",
            "--force",
            f"--key-file={key}",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid",
            f"--log-file={self.folder}/log/munged.log",
            f"--seed-file={self.folder}/munge/seed",
        )
        self._wait(lambda: (self.folder / "munge.socket").exists(), "munged")
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self._wait(self._all_up, "the nodes")

    def start_controller(self) -> None:
        """Start slurmctld; its state survives a stop."""
        self._daemon("slurmctld", "-f", str(self.conf))

    def stop_controller(self) -> None:
        """Stop slurmctld in an orderly way."""
        self._stop("slurmctld")

    def start_node(self, node: str) -> None:
        """Start the slurmd of one node."""
        self._daemon("slurmd", "-f", str(self.conf), "-N", node)

    def kill_node(self, node: str) -> None:
        """The node dies, with all that runs on it."""
        pid = int((self.folder / f"slurmd.{node}.pid").read_text())
        jobs = self.run("squeue", "-h", "-w", node, "-o", "%A").split()
        os.kill(pid, signal.SIGKILL)
        for line in subprocess.run(
            ["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True
        ).stdout.splitlines():
            number, _, text = line.strip().partition(" ")
            if "slurmstepd" in text and any(f"[{job}." in text for job in jobs):
                with suppress(ProcessLookupError):
                    os.kill(int(number), signal.SIGKILL)

    def stop(self) -> None:
        """Stop everything."""
        with suppress(Exception):
            self.run("scancel", "-u", "root")
        self._stop(*[f"slurmd.{node}" for node in self.nodes], "slurmctld")
        self._stop("munged")

    def run(self, *command: str) -> str:
        """Output of one of SLURM's commands."""
        return subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def update(self, **settings: str) -> None:
        """Change the configuration of the running cluster."""
        self.settings |= settings
        self.conf.write_text(self._configuration(), encoding="utf-8")
        self.run("scontrol", "reconfigure")

    def _configuration(self) -> str:
        here = self.folder
        values = {
            "ClusterName": "test",
            "SlurmctldHost": f"{socket.gethostname().split('.')[0]}(127.0.0.1)",
            "SlurmctldPort": str(self._port),
            "SlurmUser": "root",
            "SlurmdUser": "root",
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={here}/munge.socket,cred_expire=5",
            "CredType": "cred/munge",
            "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
            "StateSaveLocation": f"{here}/state",
            "SlurmdSpoolDir": f"{here}/spool/%n",
            "SlurmctldPidFile": f"{here}/slurmctld.pid",
            "SlurmdPidFile": f"{here}/slurmd.%n.pid",
            "SlurmctldLogFile": f"{here}/log/slurmctld.log",
            "SlurmdLogFile": f"{here}/log/slurmd.%n.log",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/linux",
            "JobAcctGatherFrequency": "task=1",
            "JobAcctGatherParams": "OverMemoryKill,UsePss",
            "SwitchType": "switch/none",
            "MpiDefault": "none",
            "SlurmdParameters": "config_overrides",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core_Memory",
            "DefMemPerCPU": "100",
            "SchedulerType": "sched/backfill",
            "SchedulerParameters": "batch_sched_delay=0,sched_interval=1,"
            "sched_min_interval=0,bf_interval=1",
            "PreemptType": "preempt/partition_prio",
            "PreemptMode": "REQUEUE",
            "SlurmctldTimeout": "10",
            "SlurmdTimeout": "6",
            "KillWait": "2",
            "CompleteWait": "0",
            "MinJobAge": "300",
            "InactiveLimit": "0",
            "MessageTimeout": "10",
            "ReturnToService": "2",
            "JobRequeue": "1",
            "MaxArraySize": "1001",
            "AccountingStorageType": "accounting_storage/none",
            "GresTypes": "gpu",
        } | self.settings
        lines = [f"{key}={value}" for key, value in values.items()]
        host = socket.gethostname().split(".")[0]
        for node in self.nodes:
            with_gpu = node.startswith("gpu")
            cores, mem = (16, 64000) if with_gpu else (8, 16000)
            gres = f" Gres=gpu:{GPU}:4" if with_gpu else ""
            lines.append(
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 "
                f"Port={self._ports[node]} CPUs={cores} Boards=1 SocketsPerBoard=1 "
                f"CoresPerSocket={cores} ThreadsPerCore=1 RealMemory={mem} "
                "State=UNKNOWN" + gres
            )
        cpu = ",".join(node for node in self.nodes if node.startswith("cpu"))
        lines += [
            f"PartitionName=short Nodes={cpu} Default=YES MaxTime=1-06:00:00 "
            "State=UP PriorityTier=10",
            f"PartitionName=long Nodes={cpu} MaxTime=10-00:00:00 State=UP "
            "PriorityTier=10",
            f"PartitionName=preempt Nodes={cpu} MaxTime=1-06:00:00 State=UP "
            "PriorityTier=1 PreemptMode=REQUEUE GraceTime=0",
            "PartitionName=gpu_short Nodes=gpu1 MaxTime=04:00:00 State=UP",
            "PartitionName=gpu_long Nodes=gpu1 MaxTime=2-12:00:00 State=UP",
        ]
        return "\n".join(lines) + "\n"

    def _daemon(self, *command: str) -> None:
        with (self.folder / "log" / "start.log").open("ab") as log:
            subprocess.run(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
                timeout=60,
            )

    def _stop(self, *names: str) -> None:
        pids = []
        for name in names:
            with suppress(OSError, ValueError):
                pids.append(int((self.folder / f"{name}.pid").read_text()))
                os.kill(pids[-1], signal.SIGTERM)
        end = time.monotonic() + 15
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            if time.monotonic() > end:
                return
            time.sleep(0.05)

    def _all_up(self) -> bool:
        try:
            told = self.run("sinfo", "-h", "-N", "-o", "%N %T")
        except subprocess.CalledProcessError:
            return False
        up = {
            line.split()[0] for line in told.splitlines() if line.split()[1] == "idle"
        }
        return up == set(self.nodes)

    def _wait(self, ready, what: str, seconds: float = 40) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                logs = sorted((self.folder / "log").glob("*.log"))
                tails = "\n".join(path.read_text()[-500:] for path in logs)
                raise TimeoutError(f"SLURM: {what} did not come up\n{tails}")
            time.sleep(0.1)
