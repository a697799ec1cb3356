"""`kedro cyto weights`: look for, and fetch, the weights of learned methods."""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from cyto_kedro.core.atomic import staged
from cyto_kedro.core.errors import ConfigError, StorageError
from cyto_kedro.methods.segmentation.weights import (
    MODELS,
    models_folder,
    require_weights,
    weights_path,
)

#: Where Cellpose 4.2 itself gets them.
SOURCE = "https://huggingface.co/mouseland/cellpose-sam/resolve/main/"
_CHUNK = 1 << 22
_TIMEOUT_S = 60

#: Told (bytes that came, bytes of all; 0 if not known).
Advance = Callable[[int, int], None]


def overview() -> dict[str, Any]:
    """Where built-in models are looked for, and which are there and whole."""
    models = []
    for model in MODELS:
        path = weights_path(model)
        entry: dict[str, Any] = {"model": model, "path": str(path)}
        try:
            size = require_weights(model).stat().st_size
            entry |= {"state": "there", "bytes": size, "problem": None}
        except ConfigError as exc:
            state, why = ("unusable", exc.what) if path.exists() else ("missing", None)
            entry |= {"state": state, "bytes": None, "problem": why}
        models.append(entry)
    return {"folder": str(models_folder()), "models": models}


def as_text(found: dict[str, Any]) -> str:
    """The overview for people."""
    lines = [f"folder: {found['folder']}"]
    for entry in found["models"]:
        size = entry["bytes"]
        told = f"{size / 1e9:.2f} GB" if size is not None else entry["state"]
        lines.append(f"  {entry['model']}: {entry['problem'] or told}")
    return "\n".join(lines)


def fetch(model: str, source: str = SOURCE, advance: Advance | None = None) -> str:
    """Download a built-in model, whole or not at all, unless it is there.

    Args:
        model: One of Cellpose's built-in models.
        source: URL of the folder that has it.
        advance: Called with each piece.

    Returns:
        Where it lies and its SHA-256, for people.

    Raises:
        ConfigError: There is no such model, no network, or no such file.
        StorageError: The connection ended early, or the folder cannot be written.
    """
    if model not in MODELS:
        raise ConfigError(
            f"There is no model '{model}' to fetch", fix=f"one of {', '.join(MODELS)}"
        )
    path = weights_path(model)
    if path.exists():
        return f"{require_weights(model)} is already there"
    url = f"{source.rstrip('/')}/{model}"
    digest = hashlib.sha256()
    with (
        _opened(url, str(path)) as answer,
        staged(path) as stage,
        stage.open("wb") as out,
    ):
        for chunk in _chunks(answer, url, advance):
            digest.update(chunk)
            out.write(chunk)
    return f"{require_weights(model)}\nsha256 {digest.hexdigest()}"


def _opened(url: str, target: str) -> Any:
    try:
        return urllib.request.urlopen(url, timeout=_TIMEOUT_S)
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"The weights cannot be downloaded: {exc}",
            where=url,
            fix="fetch this file where there is a network, or from a mirror of it "
            f"(--source), and copy it to {target}",
        ) from exc


def _chunks(answer: Any, url: str, advance: Advance | None) -> Iterator[bytes]:
    total = int(answer.headers.get("Content-Length") or 0)
    got = 0
    try:
        while chunk := answer.read(_CHUNK):
            got += len(chunk)
            if advance is not None:
                advance(len(chunk), total)
            yield chunk
        why = "" if got == total or not total else "the connection ended"
    except (OSError, http.client.HTTPException) as exc:
        why = str(exc)
    if why:
        raise StorageError(
            f"The download stopped after {got} of {total or 'unknown'} bytes: {why}",
            where=url,
            fix="run the command again",
        )
