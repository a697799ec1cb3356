"""Selections of tracks, combined features, channel correlation, killing capacity."""

from cyto_kedro.pipelines.features.pipeline import create_pipeline

__all__ = ["create_pipeline"]
