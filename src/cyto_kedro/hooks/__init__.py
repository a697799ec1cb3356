"""Kedro events, handed to the rooms that care: preflight, run record, provenance."""

from cyto_kedro.hooks.metadata import RunMetadataHooks
from cyto_kedro.hooks.preflight import PreflightHooks
from cyto_kedro.hooks.provenance import ProvenanceHooks

__all__ = ["PreflightHooks", "ProvenanceHooks", "RunMetadataHooks"]
