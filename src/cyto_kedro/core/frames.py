"""Frame-wise work on lazy TYX stacks, one frame in memory per worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import dask.array as da
import numpy as np

from cyto_kedro.core.errors import CytoError, FrameError
from cyto_kedro.core.parallel import workers

#: What a user can do about a frame that fails as itself.
LOOK_AT_FRAME = (
    "look at this frame in the raw file; ingest.image_range can leave it out"
)


def as_frames(stack: da.Array | np.ndarray) -> da.Array:
    """A TYX stack as a dask array with one chunk per frame."""
    if stack.ndim != 3:
        raise ValueError(f"expected a TYX stack, got an array of shape {stack.shape}")
    _, height, width = stack.shape
    chunks = (1, height, width)
    if isinstance(stack, da.Array):
        return stack.rechunk(chunks)
    return da.from_array(stack, chunks=chunks, name=False)


def map_frames(
    function: Callable[..., np.ndarray],
    *stacks: da.Array | np.ndarray,
    dtype: np.dtype | type,
    with_index: bool = False,
) -> da.Array:
    """Apply ``function`` to each frame lazily.

    Args:
        function: Takes one YX frame per stack (and ``frame=`` if ``with_index``)
            and returns a YX array of the same shape.
        stacks: TYX arrays of equal shape.
        dtype: dtype of the result.
        with_index: Pass the 0-based frame index as keyword ``frame``.

    Returns:
        A lazy TYX array, one chunk per frame; nothing is computed here.
    """

    def block(*frames: np.ndarray, block_info: Any = None) -> np.ndarray:
        # dask calls once without block_info; only real blocks carry a location.
        index = block_info[None]["chunk-location"][0] if block_info else 0
        extra = {"frame": int(index)} if with_index else {}
        try:
            out = function(*(frame[0] for frame in frames), **extra)
        except CytoError:
            raise
        except Exception as exc:
            raise FrameError(
                f"{type(exc).__name__}: {exc}",
                where=f"frame {index}",
                fix=LOOK_AT_FRAME,
            ) from exc
        return np.asarray(out, dtype=dtype)[np.newaxis]

    lazy = [as_frames(stack) for stack in stacks]
    return da.map_blocks(block, *lazy, dtype=dtype, meta=np.empty((0, 0, 0), dtype))


def compute_frame(stack: da.Array | np.ndarray, frame: int) -> np.ndarray:
    """One YX frame as NumPy, computed in the calling thread."""
    plane = stack[frame]
    if isinstance(plane, da.Array):
        return np.asarray(plane.compute(scheduler="synchronous"))
    return np.asarray(plane)


def over_frames(
    function: Callable[..., Any],
    *stacks: da.Array | np.ndarray,
    frames: range | list[int] | None = None,
) -> Iterator[Any]:
    """Yield ``function(frame_index, *planes)`` in frame order, threads in parallel.

    At most twice as many frames as threads are in memory. An error names its frame.

    Raises:
        ValueError: The stacks disagree in shape.
        FrameError: ``function`` or reading a frame failed.
    """
    if len({stack.shape for stack in stacks}) > 1:
        raise ValueError(f"stacks differ in shape: {[s.shape for s in stacks]}")
    todo = iter(range(len(stacks[0])) if frames is None else frames)

    def one(frame: int) -> Any:
        try:
            return function(frame, *(compute_frame(s, frame) for s in stacks))
        except CytoError:
            raise
        except Exception as exc:
            raise FrameError(
                f"{type(exc).__name__}: {exc}",
                where=f"frame {frame}",
                fix=LOOK_AT_FRAME,
            ) from exc

    count = workers()
    if count == 1:
        yield from map(one, todo)
        return
    with ThreadPoolExecutor(count) as pool:
        pending = [pool.submit(one, frame) for frame in islice(todo, 2 * count)]
        while pending:
            head = pending.pop(0)
            yield head.result()
            pending += [pool.submit(one, frame) for frame in islice(todo, 1)]
