"""Labels become uint32 without changing any id, or say why not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cyto_kedro.core.errors import InputError
from cyto_kedro.core.labels import label_stack


@given(
    st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64, np.int16, np.int64]),
    st.data(),
)
def test_ids_stay_as_they_are(dtype, data):
    largest = min(np.iinfo(dtype).max, 2**32 - 1)
    stack = data.draw(hnp.arrays(dtype, (2, 2, 3), elements=st.integers(0, largest)))
    lazy = label_stack(stack, "masks")
    assert lazy.dtype == np.uint32 and lazy.numblocks == (2, 1, 1)
    np.testing.assert_array_equal(lazy.compute(), stack)


@pytest.mark.parametrize(
    ("dtype", "bad"), [(np.int8, -1), (np.int64, 2**32), (np.uint64, 2**32)]
)
def test_an_id_out_of_range_names_its_frame(dtype, bad):
    stack = np.zeros((3, 4, 4), dtype)
    stack[2, 1, 1] = bad
    lazy = label_stack(stack, "masks of w1")
    with pytest.raises(InputError, match=f"(?s)out of range.*{bad}.*w1, frame 2") as e:
        lazy.compute(scheduler="synchronous")
    assert "4294967295" in str(e.value)


@pytest.mark.parametrize("dtype", [np.float32, bool, complex])
def test_what_counts_nothing_is_refused_at_once(dtype):
    with pytest.raises(InputError, match="must be integers"):
        label_stack(np.zeros((1, 2, 2), dtype), "masks")
