"""Killing: death events, attribution to effectors, survival."""

from cyto_kedro.pipelines.killing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
