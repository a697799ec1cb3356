"""Entities of a Workflow Run RO-Crate: what a run read, was told, and made."""

from __future__ import annotations

import json
import mimetypes
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cyto_kedro.provenance.manifest import MANIFEST, path_of

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

# A folder with more inputs than this is one entity; the manifest lists each file.
_MANY = 20
_FORMATS = {".parquet": "application/vnd.apache.parquet", ".md": "text/markdown"}


@dataclass
class Files:
    """Adds the files of a run to a crate, each tied to a formal parameter.

    Args:
        crate: Where to add.
        manifest: Content of `provenance_manifest.json`.
        parameters: Resolved parameters by category.
    """

    crate: ROCrate
    manifest: dict[str, Any]
    parameters: dict[str, Any]
    formal: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def _formal(self, side: str, name: str, kind: str, example: str) -> dict[str, str]:
        """Reference to the formal parameter that an input or output belongs to."""
        known = self.formal.setdefault(
            (side, name),
            {"@id": f"#{side}-{quote(name)}", "type": kind, "examples": []},
        )
        known["examples"].append(example)
        return {"@id": known["@id"]}

    def formal_of(self, side: str) -> list[dict[str, str]]:
        return [
            {"@id": entity["@id"]}
            for (which, _), entity in self.formal.items()
            if which == side
        ]

    def inputs(self) -> list[str]:
        """Raw files; folders with many of them as one entity."""
        folders: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for item in self.manifest["inputs"]:
            folders[item["uri"].rsplit("/", 1)[0]].append(item)
        made = []
        for folder, items in folders.items():
            if len(items) > _MANY:
                size = sum(item["size_bytes"] for item in items)
                made.append(
                    self._entity(
                        self._id_of(folder, True),
                        ("input", "raw data (folders)"),
                        {"contentSize": str(size)},
                        f"{len(items)} files; {MANIFEST} has the SHA-256 of each",
                    )
                )
                continue
            for item in items:
                is_folder = _is_folder(item["uri"])
                kind = "folders" if is_folder else "files"
                made.append(
                    self._entity(
                        self._id_of(item["uri"], is_folder),
                        ("input", f"raw data ({kind})"),
                        _facts(item, item["sha256"]),
                        "raw data",
                    )
                )
        return made

    def settings(self) -> list[str]:
        """Configuration files, and the parameters as resolved."""
        made = [
            self._entity(
                self._id_of(item["uri"], False),
                ("input", "configuration"),
                _facts(item, item["sha256"]),
                "configuration in force",
            )
            for item in self.manifest["configuration"]
        ]
        for name, value in self.parameters.items():
            key = f"#parameter-{quote(name)}"
            formal = self._formal("input", f"params:{name}", "PropertyValue", key)
            text = json.dumps(value, sort_keys=True)
            note(
                self.crate,
                key,
                "PropertyValue",
                name=name,
                value=text,
                exampleOfWork=formal,
            )
            made.append(key)
        return made

    def results(self) -> list[str]:
        made = []
        for item in self.manifest["outputs"]:
            whole = {item["uri"]: item["sha256"], **item["also"]}
            movie = f" of movie {item['movie']}" if item["movie"] else ""
            about = f"{item['dataset']}{movie}, made by {item['produced_by']}"
            if item.get("edited"):
                about += "; edited by hand before it was used"
            if item["class"] == "scratch":
                about += "; intermediate, may be purged"
            for uri, digest in whole.items():
                first = item if uri == item["uri"] else {}
                made.append(
                    self._entity(
                        self._id_of(uri, _is_folder(uri)),
                        ("output", item["dataset"]),
                        _facts(first, digest),
                        about,
                    )
                )
        return made

    def _entity(
        self,
        key: str,
        formal: tuple[str, str],
        facts: dict[str, Any],
        about: str,
    ) -> str:
        kind = "Dataset" if key.endswith("/") else "File"
        work = self._formal(*formal, kind, key)
        name = key.rstrip("/").rsplit("/", 1)[-1]
        told = {"name": name, "description": about, "exampleOfWork": work}
        if kind == "File":
            told["encodingFormat"] = _format(name)
        data(self.crate, key, kind, **told, **facts)
        return key

    def _id_of(self, uri: str, is_folder: bool) -> str:
        """Relative within the run folder, as the specification wants it."""
        path, home = path_of(uri), path_of(self.manifest["folder"])
        if path is not None and home is not None and path.is_relative_to(home):
            uri = quote(path.relative_to(home).as_posix())
        return f"{uri.rstrip('/')}/" if is_folder else uri


def _facts(item: dict[str, Any], digest: str) -> dict[str, Any]:
    size = item.get("size_bytes")
    return {"sha256": digest} | ({} if size is None else {"contentSize": str(size)})


def _is_folder(uri: str) -> bool:
    path = path_of(uri)
    # A purged store is a folder still.
    return path is not None and (path.is_dir() or path.suffix == ".zarr")


def _format(name: str) -> str:
    suffix = Path(name).suffix
    guess = _FORMATS.get(suffix) or mimetypes.guess_type(name)[0]
    return guess or "application/octet-stream"


def note(crate: ROCrate, key: str, kind: str, **properties: Any) -> None:
    """A contextual entity."""
    from rocrate.model.contextentity import ContextEntity

    _add(crate, ContextEntity, key, kind, properties)


def data(crate: ROCrate, key: str, kind: str | list[str], **properties: Any) -> None:
    """A data entity: part of the root dataset."""
    from rocrate.model.data_entity import DataEntity

    _add(crate, DataEntity, key, kind, properties)


def _add(
    crate: ROCrate,
    make: Any,
    key: str,
    kind: str | Iterable[str],
    properties: dict[str, Any],
) -> None:
    said = {
        # RO-Crate 1.1 wants a list of one written as its item.
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in properties.items()
        if value is not None
    }
    crate.add(make(crate, key, properties={"@type": kind, **said}))
