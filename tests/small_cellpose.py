"""A small Cellpose network, trained for real on simulated cells.

The real encoder has 300 million parameters and its weights cannot be had on a build
machine. Here `segment_anything`'s registry hands out a small encoder under the name
that Cellpose asks for; Cellpose's own training, loading, tiling and dynamics run as
they are. It proves the code path and says nothing about real microscopy.

As a script it is the `kedro` command line with the small encoder in place.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

MODEL = "small_cpsam"
EPOCHS = 30
DIAMETER_PX = 30.0
_TRAINING_SEEDS = range(100, 104)
_FRAMES = (0, 30, 59)


def import_cellpose():
    """Cellpose with its torchvision; the test is skipped where it is not installed."""
    pytest.importorskip("torch", reason="torch and cellpose (extra) are not installed")
    _complete_torchvision()
    logging.getLogger("cellpose.vit").setLevel(logging.ERROR)
    return pytest.importorskip(
        "cellpose.models", reason="the extra 'cellpose' is not installed"
    )


@cache
def _complete_torchvision():
    """Let torchvision be imported beside a CPU build of torch that lacks its ops.

    Cellpose imports the package and never calls them.
    """
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
    return library


@contextmanager
def small_encoder() -> Iterator[None]:
    """Cellpose builds its network around a small encoder."""
    import segment_anything

    registry = segment_anything.sam_model_registry
    original = registry["vit_l"]
    registry["vit_l"] = lambda checkpoint: SimpleNamespace(image_encoder=_encoder())
    try:
        yield
    finally:
        registry["vit_l"] = original


def _encoder(width: int = 96, depth: int = 3):
    """The parts that Cellpose takes from the encoder, with convolutions for attention.

    They learn from a few hundred pictures in a minute, which attention does not.
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.near = nn.Conv2d(width, width, 5, padding=2, groups=width)
            self.norm = nn.LayerNorm(width, eps=1e-6)
            self.mix = nn.Sequential(
                nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)
            )

        def forward(self, x):
            near = self.near(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            return x + self.mix(self.norm(near))

    encoder = nn.Module()
    encoder.patch_embed = nn.Module()
    encoder.patch_embed.proj = nn.Conv2d(3, width, 16, stride=16)
    encoder.pos_embed = nn.Parameter(torch.zeros(1, 64, 64, width))
    encoder.blocks = nn.ModuleList(Block() for _ in range(depth))
    encoder.neck = nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(1, width)
    )
    return encoder


def simulated(seed: int, role: str, frames=_FRAMES):
    """Images and masks of a simulated movie: lists of YX arrays, and the pixel size."""
    from cyto_kedro.simulation.movie import simulate
    from cyto_kedro.simulation.params import SimulationParams

    movie = simulate(SimulationParams(seed=seed, height_px=256, width_px=256))
    images = [movie.frame(role, t) for t in frames]
    masks = [movie.mask(role, t) for t in frames]
    return images, masks, movie.params.pixel_size_um


def train(folder: Path) -> Path:
    """Train the small network with `cellpose.train.train_seg`; the weights file."""
    import_cellpose()
    import torch
    from cellpose.train import train_seg
    from cellpose.vit import CPSAM

    images, masks = [], []
    for seed in _TRAINING_SEEDS:
        for role in ("tcell", "cancer"):
            found, truth, _ = simulated(seed, role)
            images += [_scaled(image) for image in found]
            masks += [mask.astype(np.int32) for mask in truth]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        with small_encoder(), warnings.catch_warnings():
            # Autocast to float32, as on this CPU, is none.
            warnings.filterwarnings("ignore", message="In CPU autocast")
            network = CPSAM(rdrop=0.0)
            path, losses, _ = train_seg(
                network,
                train_data=images,
                train_labels=masks,
                normalize=False,
                rescale=True,
                batch_size=4,
                learning_rate=3e-3,
                weight_decay=0.01,
                n_epochs=EPOCHS,
                save_path=folder,
                model_name=MODEL,
            )
    finally:
        torch.set_num_threads(threads)
    assert losses[-1] < losses[0] / 2, losses
    return Path(path)


def _scaled(image):
    low, high = np.percentile(image, (1, 99))
    return ((image - low) / (high - low)).astype(np.float32)


def main() -> None:
    """The `kedro` command line with the small encoder in place."""
    from kedro.framework.cli.cli import main as kedro

    import_cellpose()
    with small_encoder():
        kedro()


if __name__ == "__main__":
    sys.exit(main())
