"""Speed and memory of Cellpose's real network (vit_l) at several batch sizes.

python benchmarks/cellpose_speed.py [--size 1200] [--batch 1 4 8 16] [--gpu auto]

Without `--weights` the network is as large as the real one with random weights: that
measures speed and memory, never accuracy, and the flow dynamics, which depend on what
is found, are timed apart on the flows of true masks. Runs on whatever device is there;
on a CPU take `--size 256 --batch 1 --repeats 1`: a tile needs about a minute.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from cyto_kedro.methods.segmentation._cellpose_model import (
    LoadedModel,
    device_for,
    device_name,
    model_for,
)
from cyto_kedro.simulation.movie import simulate
from cyto_kedro.simulation.params import SimulationParams

MIB = 2**20


def simulated_frame(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame of cancer cells with its masks, as dense as the example's."""
    base = SimulationParams()
    share = size**2 / (base.height_px * base.width_px)
    params = SimulationParams(
        height_px=size,
        width_px=size,
        n_frames=1,
        n_effectors=max(1, round(base.n_effectors * share)),
        n_targets=max(2, round(base.n_targets * share)),
    )
    movie = simulate(params)
    image = movie.frame("cancer", 0).astype(np.float32)
    low, high = np.percentile(image, (1, 99))
    return (image - low) / (high - low), movie.mask("cancer", 0)


def random_weights(folder: Path) -> Path:
    """A weights file of the real architecture, untrained."""
    import torch
    from cellpose.vit import CPSAM

    torch.manual_seed(0)
    path = folder / "random_vit_l"
    CPSAM().save_model(path)
    return path


def peak_mib(device: Any) -> float:
    """Peak memory since the last reset: of the GPU, or of this process."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def reset_peak(device: Any) -> None:
    """Start a new measurement of the peak."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    else:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def network_seconds(model: LoadedModel, image: np.ndarray, batch: int) -> float:
    """One frame through the network, without the dynamics."""
    start = perf_counter()
    model.network.eval(
        image, batch_size=batch, normalize={"normalize": False}, compute_masks=False
    )
    return perf_counter() - start


def dynamics_seconds(masks: np.ndarray, device: Any) -> float:
    """From flows to masks, on the flows of the true masks."""
    from cellpose.dynamics import labels_to_flows, resize_and_compute_masks

    flows = labels_to_flows([masks.astype(np.int32)])[0]
    score = np.where(flows[1] > 0, 5.0, -5.0).astype(np.float32)
    start = perf_counter()
    resize_and_compute_masks(5 * flows[2:4], score, min_size=-1, device=device)
    return perf_counter() - start


def measure(args: argparse.Namespace, weights: Path) -> list[dict[str, Any]]:
    """One row per batch size, interleaved over the repeats."""
    device = device_for(args.gpu)
    model = model_for(weights, args.gpu, args.precision)
    image, masks = simulated_frame(args.size)
    seconds: dict[int, list[float]] = {batch: [] for batch in args.batch}
    peaks: dict[int, float] = {}
    network_seconds(model, image[:256, :256], 1)  # libraries choose their kernels
    for _ in range(args.repeats):
        for batch in args.batch:
            reset_peak(device)
            seconds[batch].append(network_seconds(model, image, batch))
            peaks[batch] = max(peaks.get(batch, 0), peak_mib(device))
    dynamics_seconds(masks, device)
    dynamics = statistics.median(
        dynamics_seconds(masks, device) for _ in range(args.repeats)
    )
    return [
        {
            "device": device_name(device),
            "precision": str(model.network.net.dtype).removeprefix("torch."),
            "frame_px": args.size,
            "cells": int(masks.max()),
            "batch_size": batch,
            "network_s": statistics.median(seconds[batch]),
            "dynamics_s": dynamics,
            "frames_per_s": 1 / (statistics.median(seconds[batch]) + dynamics),
            "peak_mib": peaks[batch],
        }
        for batch in args.batch
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    first = rows[0]
    told = (
        f"{first['device']}, {first['precision']}, {first['frame_px']} x "
        f"{first['frame_px']} px with {first['cells']} cells, dynamics "
        f"{first['dynamics_s']:.2f} s per frame:"
    )
    lines = [told, "", "| batch_size | network (s) | frames/s | peak memory (MiB) |"]
    lines.append("|---:|---:|---:|---:|")
    lines += [
        f"| {row['batch_size']} | {row['network_s']:.2f} | {row['frames_per_s']:.2f} | "
        f"{row['peak_mib']:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1200, help="frame side (px)")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--gpu", choices=("auto", "on", "off"), default="auto")
    parser.add_argument(
        "--precision", choices=("auto", "bfloat16", "float32"), default="auto"
    )
    parser.add_argument("--weights", type=Path, help="real weights; else random ones")
    parser.add_argument("--json", type=Path, help="write the rows here, too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(args, args.weights or random_weights(Path(folder)))
    print("Trained weights." if args.weights else "Random weights: speed only.")
    print(table(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
