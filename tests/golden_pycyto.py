"""Golden translations of pyCyto files; run as a script to write them anew.

Read the difference before you commit it: what a file comes to is a promise.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from cyto_kedro.legacy.formats import read_pipeline, read_resources, sibling_resources
from cyto_kedro.legacy.translate import Translation, environment_name, translate
from cyto_kedro.legacy.write import environment_files

FOLDER = Path(__file__).parent / "golden" / "pycyto"
NAMES = sorted(
    path.name
    for path in FOLDER.glob("*.yaml")
    if not path.name.startswith("pipeline-resources")
)


def translated(name: str, profile: str | None = None) -> Translation:
    """A golden file, its images below /data."""
    path = FOLDER / name
    beside = sibling_resources(path)
    return translate(
        read_pipeline(path),
        name=environment_name(path),
        base=Path("/data"),
        resources=None if beside is None else read_resources(beside),
        profile=profile,
    )


def files_of(name: str) -> dict[str, str]:
    """What `import-yaml` writes for it."""
    env = environment_name(Path(name))
    return environment_files(translated(name), name, f"conf/{env}/experiment.csv")


def expected(name: str) -> Path:
    """Folder of the golden environment."""
    return FOLDER / "expected" / environment_name(Path(name))


if __name__ == "__main__":
    shutil.rmtree(FOLDER / "expected", ignore_errors=True)
    for golden in NAMES:
        expected(golden).mkdir(parents=True)
        for file, text in files_of(golden).items():
            (expected(golden) / file).write_text(text, encoding="utf-8")
