"""Images and masks in pyCyto's call style."""

from __future__ import annotations

from typing import Any

import numpy as np

from cyto_kedro.api.base import Module, as_stack, need
from cyto_kedro.core.frames import compute_frame
from cyto_kedro.methods.preprocessing.intensity import merge
from cyto_kedro.methods.preprocessing.steps import measure_ranges, process, ranges_of
from cyto_kedro.pipelines.preprocessing.params import ChannelParams
from cyto_kedro.pipelines.segmentation.nodes import segment
from cyto_kedro.pipelines.segmentation.params import SegmentationParams


class _ChannelStep(Module):
    """A step of one channel."""

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``image`` -> ``image``, float32."""
        stack = as_stack(need(data, "image"))
        values = [dict(v) for v in self.parameter("preprocessing.channels.*.steps")]
        for step in values:
            if step["name"] == "gamma":
                whole = np.dtype(stack.dtype).kind in "ui"
                step["scale"] = float(np.iinfo(stack.dtype).max) if whole else 1.0
        steps = ChannelParams.model_validate({"steps": values}).steps
        ranges = ranges_of(measure_ranges(stack, steps, lambda frame, plane: plane))
        planes = [
            process(compute_frame(stack, frame), steps, ranges)
            for frame in range(stack.shape[0])
        ]
        return data | {"image": np.stack(planes)}


class PercentileNormalization(_ChannelStep):
    """Percentiles of the whole movie to 0 and 1: ``lp``, ``up``."""

    name = "PercentileNormalization"


class GammaCorrection(_ChannelStep):
    """``gain * image ** gamma``, relative to the largest value of integer types."""

    name = "GammaCorrection"


class ChannelMerge(Module):
    """Weighted mean of several channels: ``weights``, all 1 by default."""

    name = "ChannelMerge"

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``images`` -> ``image``, also under pyCyto's older ``output``."""
        stacks = [as_stack(stack) for stack in need(data, "images", "image")]
        weights = self.parameter("args").get("weights") or [1.0] * len(stacks)
        merged = np.stack(
            [
                merge([compute_frame(stack, frame) for stack in stacks], weights)
                for frame in range(stacks[0].shape[0])
            ]
        )
        return {"image": merged, "output": merged}


class _Segmenter(Module):
    """A method of segmentation."""

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``image`` -> ``image`` and ``label``, TYX uint32."""
        stack = as_stack(need(data, "image"))
        options = SegmentationParams.model_validate(self.parameter("segmentation.*"))
        masks = segment(stack, self.calibration(stack.shape), options)
        frames = [compute_frame(masks, frame) for frame in range(stack.shape[0])]
        return data | {"label": np.stack(frames)}


class CellPose(_Segmenter):
    """Cellpose 4: ``model_type, diameter, cellprob_thresh, batch_size, gpu``."""

    name = "CellPose"


class StarDist(_Segmenter):
    """StarDist 2D: ``model_name, prob_thresh, nms_thresh``."""

    name = "StarDist"


class ImageToLabel(Module):
    """The image is a mask already."""

    name = "ImageToLabel"

    def run(self, data: dict[str, Any]) -> dict[str, Any]:
        """``image`` -> ``label``, TYX uint32, ids unchanged."""
        stack = np.asarray(as_stack(need(data, "image")))
        return data | {"label": stack.astype(np.uint32)}
