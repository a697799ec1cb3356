"""The run folder as a Workflow Run RO-Crate: `ro-crate-metadata.json`.

Profile: https://w3id.org/ro/wfrun/workflow/0.5 on RO-Crate 1.1 (Leo et al. 2024,
doi:10.1371/journal.pone.0309210). All facts come from `run_metadata.json`,
`provenance_manifest.json` and `workflow.json`, so that a crate can be made at any time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cyto_kedro.core.atomic import write_text
from cyto_kedro.core.errors import InputError
from cyto_kedro.provenance.crate_entities import Files, data, note
from cyto_kedro.provenance.manifest import MANIFEST, read_manifest
from cyto_kedro.provenance.runs import METADATA, read_metadata
from cyto_kedro.provenance.seal import refuse_if_sealed
from cyto_kedro.provenance.workflow import WORKFLOW, read_workflow

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

CRATE = "ro-crate-metadata.json"
VERSION = "1.1"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_FORMAL = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
_TERMS = "https://w3id.org/ro/terms/workflow-run#"
_WORDS = ("sha256", "ContainerImage", "SIFImage", "DockerImage", "containerImage")
_NO_LICENSE = "Not stated: ask the owners of the data before reuse."


@dataclass(frozen=True)
class Agent:
    """Who ran the workflow."""

    name: str
    orcid: str | None = None


def write_crate(
    folder: Path, agent: Agent | None = None, license: str | None = None
) -> Path:
    """Describe a finished run folder as a Workflow Run RO-Crate.

    Args:
        folder: The run folder.
        agent: The person who ran it, if that should be told.
        license: URL or words under which the results may be used.

    Returns:
        Path of `ro-crate-metadata.json`.

    Raises:
        InputError: The run left no manifest, metadata or workflow.
        StorageError: The run is sealed.
    """
    refuse_if_sealed(folder)
    run = _Run.read(folder)
    crate = _Builder(run).build(agent, license)
    path = folder / CRATE
    text = json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False)
    write_text(path, text + "\n")
    return path


@dataclass(frozen=True)
class _Run:
    folder: Path
    metadata: dict[str, Any]
    manifest: dict[str, Any]
    workflow: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> _Run:
        found = {
            METADATA: read_metadata(folder) or None,
            MANIFEST: read_manifest(folder),
            WORKFLOW: read_workflow(folder),
        }
        missing = [name for name, content in found.items() if content is None]
        if missing:
            raise InputError(
                f"The run left no {' and no '.join(missing)}",
                where=str(folder),
                fix="a crate can be made of a run that came to its end",
            )
        return cls(folder, *(content or {} for content in found.values()))


@dataclass(frozen=True)
class _Builder:
    """Collects the entities of one run."""

    run: _Run

    def build(self, agent: Agent | None, license: str | None) -> ROCrate:
        from rocrate.rocrate import ROCrate

        crate = ROCrate(version=VERSION)
        crate.metadata.extra_terms = {word: _TERMS + word for word in _WORDS}
        crate.metadata["conformsTo"] = [
            {"@id": f"https://w3id.org/ro/crate/{VERSION}"},
            {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
        ]
        files = Files(crate, self.run.manifest, self.run.metadata["parameters"])
        inputs = [*files.inputs(), *files.settings()]
        results = files.results()
        self._records(crate)
        self._workflow(crate, files)
        action = self._action(crate, inputs, results, agent)
        self._root(crate, action, license)
        return crate

    def _root(self, crate: ROCrate, action: str, license: str | None) -> None:
        said = self.run.metadata
        root = crate.root_dataset
        root["name"] = f"{said['pipeline']}, run {said['run_id']}"
        root["description"] = (
            f"Results of the workflow {said['pipeline']} on {len(said['movies'])} "
            f"movies of the dataset {said['dataset']}, analysed by cyto_kedro"
        )
        root["datePublished"] = _time(said["completed_at"] or said["started_at"])
        root["license"] = self._license(crate, license)
        root["conformsTo"] = [{"@id": uri} for uri in _PROFILES]
        root["mainEntity"] = {"@id": WORKFLOW}
        root["mentions"] = {"@id": action}
        for uri, (name, version) in _PROFILES.items():
            note(crate, uri, "CreativeWork", name=name, version=version)

    def _license(self, crate: ROCrate, license: str | None) -> dict[str, str]:
        key = license if license and "://" in license else "#license"
        note(crate, key, "CreativeWork", name=license or _NO_LICENSE)
        return {"@id": key}

    def _workflow(self, crate: ROCrate, files: Files) -> None:
        """The main entity: the graph as it was run."""
        said = self.run.metadata
        kedro = "https://kedro.org/"
        note(
            crate,
            kedro,
            "ComputerLanguage",
            name="Kedro",
            url={"@id": kedro},
            version=self.run.workflow["kedro"],
        )
        ours = said["packages"].get("cyto-kedro", "unknown")
        data(
            crate,
            WORKFLOW,
            ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            name=said["pipeline"],
            version=f"{ours}+{said['git_sha']}" if said["git_sha"] else ours,
            encodingFormat="application/json",
            programmingLanguage={"@id": kedro},
            input=files.formal_of("input"),
            output=files.formal_of("output"),
            softwareRequirements=_packages(crate, said["packages"]),
        )
        for (_, name), entity in files.formal.items():
            note(
                crate,
                entity["@id"],
                "FormalParameter",
                name=name,
                additionalType=entity["type"],
                workExample=[{"@id": example} for example in entity["examples"]],
                conformsTo={"@id": _FORMAL},
            )
        note(crate, _FORMAL, "CreativeWork", name="FormalParameter", version="1.0")

    def _records(self, crate: ROCrate) -> None:
        """What the run says of itself."""
        for name, about in (
            (METADATA, "status, versions, parameters, time and memory per node"),
            (MANIFEST, "SHA-256, size and role of every file"),
        ):
            told = {"name": name, "description": about}
            data(crate, name, "File", encodingFormat="application/json", **told)

    def _action(
        self,
        crate: ROCrate,
        inputs: Sequence[str],
        results: Sequence[str],
        agent: Agent | None,
    ) -> str:
        """The execution of the workflow."""
        said = self.run.metadata
        key = f"#run-{said['run_id']}"
        done = said["status"] == "completed"
        status = "CompletedActionStatus" if done else "FailedActionStatus"
        told: dict[str, Any] = {
            "name": f"Run {said['run_id']} of {said['pipeline']}",
            "description": " ".join(said["command"]),
            "instrument": {"@id": WORKFLOW},
            "object": [{"@id": item} for item in inputs],
            "result": [{"@id": item} for item in results],
            "startTime": _time(said["started_at"]),
            "endTime": _time(said["completed_at"]),
            "actionStatus": f"http://schema.org/{status}",
        }
        if not done and said["error"]:
            told["error"] = said["error"]
        if images := self._images(crate):
            told["containerImage"] = [{"@id": image} for image in images]
        if agent is not None:
            told["agent"] = {"@id": _person(crate, agent)}
            crate.root_dataset["author"] = told["agent"]
        note(crate, key, "CreateAction", **told)
        return key

    def _images(self, crate: ROCrate) -> list[str]:
        made = []
        for item in self.run.manifest["containers"]:
            key = f"#image-{quote(item['image'], safe='')}"
            kind = "SIFImage" if item.get("file") else "DockerImage"
            told = {"name": item["image"], "additionalType": {"@id": _TERMS + kind}}
            digest = item.get("sha256") or str(item.get("id") or "")
            if digest:
                told["sha256"] = digest.removeprefix("sha256:")
            note(crate, key, "ContainerImage", **told)
            made.append(key)
        return made


def _time(told: str | None) -> str | None:
    """ISO 8601 as the profile writes it: with an offset in place of Z."""
    return told and told.replace("Z", "+00:00")


def _person(crate: ROCrate, agent: Agent) -> str:
    key = agent.orcid or f"#agent-{quote(agent.name)}"
    if agent.orcid and "://" not in agent.orcid:
        key = f"https://orcid.org/{agent.orcid}"
    note(crate, key, "Person", name=agent.name)
    return key


def _packages(crate: ROCrate, versions: dict[str, str]) -> list[dict[str, str]]:
    made = []
    for name, version in versions.items():
        key = f"https://pypi.org/project/{name}/"
        url = "https://www.python.org/" if name == "python" else key
        kind = "SoftwareApplication"
        note(crate, url, kind, name=name, url={"@id": url}, softwareVersion=version)
        made.append({"@id": url})
    return made
