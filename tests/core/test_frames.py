"""Frame-wise work: lazy, in order, bounded, and errors that name the frame."""

from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest

from cyto_kedro.core.errors import FrameError
from cyto_kedro.core.frames import map_frames, over_frames
from cyto_kedro.core.parallel import set_workers


@pytest.fixture(params=[1, 3])
def threads(request):
    set_workers(request.param)
    yield request.param
    set_workers(None)


def stack(n=7):
    return np.arange(n * 6, dtype=np.uint16).reshape(n, 2, 3)


def test_map_frames_is_lazy_and_frame_by_frame():
    calls = []

    def double(plane, frame):
        calls.append(frame)
        return plane * 2

    lazy = map_frames(double, stack(), dtype=np.uint32, with_index=True)
    assert calls == []
    assert lazy.numblocks == (7, 1, 1)
    np.testing.assert_array_equal(lazy[3].compute(), stack()[3] * 2)
    assert calls == [3]
    assert lazy.compute().dtype == np.uint32


def test_over_frames_keeps_the_order(threads):
    seen = list(over_frames(lambda t, plane: (t, plane.sum()), da.from_array(stack())))
    assert seen == [(t, stack()[t].sum()) for t in range(7)]


def test_over_frames_holds_few_frames(threads):
    lock, alive, most = threading.Lock(), [0], [0]

    def read(t, plane):
        with lock:
            alive[0] += 1
            most[0] = max(most[0], alive[0])
        return t

    for _ in over_frames(read, stack(60)):
        with lock:
            alive[0] -= 1
    assert most[0] <= 2 * threads + 1


def test_an_error_names_its_frame(threads):
    def fail(t, plane):
        if t == 4:
            raise ZeroDivisionError("no cells")
        return t

    with pytest.raises(FrameError, match=r"(?s)no cells.*frame 4"):
        list(over_frames(fail, stack()))


def test_a_lazy_error_names_its_frame():
    def fail(plane, frame):
        if frame == 5:
            raise ValueError("bad plane")
        return plane

    lazy = map_frames(fail, stack(), dtype=np.uint16, with_index=True)
    with pytest.raises(FrameError, match=r"(?s)bad plane.*frame 5"):
        lazy.compute()


def test_stacks_must_agree():
    with pytest.raises(ValueError, match="differ in shape"):
        list(over_frames(lambda *a: None, stack(3), stack(4)))
