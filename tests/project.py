"""A throw-away copy of the project's configuration, to run Kedro in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Project:
    """A folder with `pyproject.toml` and `conf`, data of its own."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Project:
        """Copy what `kedro run` needs; the package itself is the installed one."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(REPOSITORY / name, folder)
        shutil.copytree(REPOSITORY / "conf", folder / "conf", dirs_exist_ok=True)
        shutil.rmtree(folder / "conf" / "local", ignore_errors=True)
        (folder / "conf" / "local").mkdir()
        (folder / "src").mkdir(exist_ok=True)  # Kedro insists on it
        return cls(folder)

    def configure(self, name: str, text: str) -> None:
        """Write a file of the local environment."""
        (self.folder / "conf" / "local" / name).write_text(text, encoding="utf-8")

    def kedro(self, *words: str, timeout: float = 600) -> subprocess.CompletedProcess:
        """Run the real command line."""
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def command(self, *words: str) -> list[str]:
        """The command line as a list."""
        return [sys.executable, "-m", "kedro", *words]

    def environment(self) -> dict[str, str]:
        """Environment without colours and with wide lines, so that text is found."""
        return os.environ | {"NO_COLOR": "1", "COLUMNS": "300"}

    def runs(self, workflow: str = "cytotoxicity") -> list[Path]:
        """Run folders, oldest first."""
        root = self.folder / "data" / "08_reporting" / workflow
        return sorted(root.glob("run_*"))

    def metadata(self, workflow: str = "cytotoxicity") -> dict[str, Any]:
        """`run_metadata.json` of the latest run."""
        path = self.runs(workflow)[-1] / "run_metadata.json"
        return json.loads(path.read_text("utf-8"))

    def scratch(self, movie: str, workflow: str = "cytotoxicity") -> Path:
        """Scratch folder of one movie of the example."""
        return self.folder / "data" / "02_intermediate" / "example" / movie / workflow
