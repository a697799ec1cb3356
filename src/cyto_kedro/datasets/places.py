"""The place of an output by its address, for who has no catalog entry at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cyto_kedro.core.errors import ConfigError
from cyto_kedro.core.uri import DATABASE, Place, Uri, locate
from cyto_kedro.datasets.database import TablePlace
from cyto_kedro.datasets.database_network import NetworkPlace
from cyto_kedro.datasets.object_place import ObjectPlace
from cyto_kedro.datasets.object_store import Objects
from cyto_kedro.datasets.object_zarr import ZarrPlace


def open_place(
    address: str,
    data_type: str,
    credentials: Mapping[str, Any] | None = None,
    buckets: dict[tuple[str, str], Objects] | None = None,
) -> Place:
    """Open the place of an output.

    Args:
        address: Its URI.
        data_type: Image, Label, Table, Network or Arbitrary, as its sidecar says.
        credentials: Access to it; without them the environment is asked.
        buckets: Those opened so far, by scheme and name: places in one share it.

    Raises:
        ConfigError: The address is wrong, or a path.
    """
    uri = locate(address)
    if not isinstance(uri, Uri):
        raise ConfigError("This is a local path, no URI", where=str(uri))
    if uri.scheme == DATABASE:
        kind = NetworkPlace if data_type == "Network" else TablePlace
        return kind(uri, credentials)
    known = {} if buckets is None else buckets
    bucket = known.setdefault((uri.scheme, uri.host), Objects(uri, credentials))
    in_zarr = data_type in ("Image", "Label")
    return (ZarrPlace if in_zarr else ObjectPlace)(uri, objects=bucket)
