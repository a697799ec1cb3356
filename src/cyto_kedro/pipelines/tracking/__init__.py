"""Tracking: one node per role, from detections to tracks."""

from cyto_kedro.pipelines.tracking.pipeline import create_pipeline

__all__ = ["create_pipeline"]
