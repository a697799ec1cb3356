"""Segmentation: from an image to one mask per cell."""

from cyto_kedro.methods.segmentation.postfilter import clean_labels
from cyto_kedro.methods.segmentation.registry import (
    SEGMENTERS,
    Segment,
    Segmenter,
    build_segmenter,
)

__all__ = ["SEGMENTERS", "Segment", "Segmenter", "build_segmenter", "clean_labels"]
