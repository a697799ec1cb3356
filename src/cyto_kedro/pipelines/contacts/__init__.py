"""Contacts: who touches whom, frame by frame, and for how long."""

from cyto_kedro.pipelines.contacts.pipeline import create_pipeline

__all__ = ["create_pipeline"]
