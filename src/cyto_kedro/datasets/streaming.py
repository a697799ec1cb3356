"""Computes a lazy TYX stack and writes it to a store, frame by frame."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from cyto_kedro.core.errors import CytoError, FrameError
from cyto_kedro.core.frames import LOOK_AT_FRAME, as_frames, compute_frame
from cyto_kedro.core.parallel import workers
from cyto_kedro.core.window import Window

if TYPE_CHECKING:
    import zarr


@dataclass(frozen=True)
class SaveStats:
    """What a streamed save cost; compute and write are summed over threads."""

    compute_s: float
    write_s: float
    wall_s: float
    n_frames: int
    bytes: int


def write_frames(
    array: zarr.Array,
    data: da.Array | np.ndarray,
    window: Window | None = None,
    where: str = "",
) -> SaveStats:
    """Compute and write the frames of a window, one frame in memory per thread.

    Args:
        array: Array of the store.
        data: The whole TYX stack; only the window is computed.
        window: Frames to write; all by default.
        where: Dataset, for messages.

    Raises:
        FrameError: Computing a frame failed; names the dataset and the frame.
        OSError: The disk is full or cannot be written.
    """
    stack = as_frames(data)
    window = window or Window(0, stack.shape[0])
    begin = time.perf_counter()

    def one(frame: int) -> tuple[float, float]:
        start = time.perf_counter()
        plane = _computed(stack, frame, where)
        computed = time.perf_counter()
        array[frame] = plane
        return computed - start, time.perf_counter() - computed

    with ThreadPoolExecutor(workers()) as pool:
        times = list(pool.map(one, window.frames))
    return SaveStats(
        compute_s=sum(compute for compute, _ in times),
        write_s=sum(write for _, write in times),
        wall_s=time.perf_counter() - begin,
        n_frames=len(times),
        bytes=len(times) * int(np.prod(stack.shape[1:])) * stack.dtype.itemsize,
    )


def _computed(stack: da.Array, frame: int, where: str) -> np.ndarray:
    try:
        return compute_frame(stack, frame)
    except CytoError as exc:
        # What was found where stays in front; the dataset that was being made follows.
        place = "; ".join(part for part in (exc.where, f"for {where}") if part)
        raise type(exc)(exc.what, where=place, fix=exc.fix) from exc
    except Exception as exc:
        raise FrameError(
            f"{type(exc).__name__}: {exc}",
            where=f"frame {frame} of {where}",
            fix=LOOK_AT_FRAME,
        ) from exc
