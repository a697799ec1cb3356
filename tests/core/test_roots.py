"""Which storage class an address belongs to: `purge` deletes what is scratch."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cyto_kedro.core.roots import RemoteRoots

ROOTS = RemoteRoots(
    raw=("s3://archive",),
    scratch=("ceph://cells/scratch", "db://lab:5432/cyto/scratch"),
    output=("ceph://cells/results", "db://lab:5432/cyto/kills"),
)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("s3://archive/plate1/c.zarr", "raw"),
        ("ceph://cells/scratch/A1/labels.zarr", "scratch"),
        ("ceph://cells/results/t.parquet", "output"),
        ("db://lab:5432/cyto/scratch?movie=A1", "scratch"),  # a table
        ("db://lab:5432/cyto/scratch.tracks?movie=A1", "scratch"),  # a schema
        ("db://lab:5432/cyto/kills?movie=A1", "output"),
        # Beside a root, not below it:
        ("ceph://cells/scratch2/labels.zarr", None),
        ("ceph://cells/x/scratch/labels.zarr", None),
        ("ceph://other/scratch/labels.zarr", None),
        ("s3://cells/scratch/labels.zarr", None),
        ("db://lab:5432/cyto/scratches?movie=A1", None),
        ("db://lab:5432/other/scratch.tracks?movie=A1", None),
        ("db://other:5432/cyto/scratch?movie=A1", None),
        ("file:///scratch/labels.zarr", None),
    ],
)
def test_an_address_is_of_the_class_of_the_root_above_it(address, kind):
    assert ROOTS.class_of(address) == kind


@pytest.mark.parametrize(
    ("roots", "message"),
    [
        ({"scratch": ["ceph://cells"], "output": ["ceph://cells/results"]}, "lies in"),
        ({"scratch": ["db://lab/cyto"], "output": ["db://lab/cyto/kills"]}, "lies in"),
        ({"scratch": ["s3://c/x"], "raw": ["s3://c/x"]}, "lies in"),
        ({"scratch": ["/data/scratch"]}, "no URI"),
        ({"scratch": ["s3://me:hunter2@cells/x"]}, "must not hold"),
        ({"scratch": ["ceph://cells/a/../../b"]}, "incomplete"),
        ({"scratch": ["db://lab/cyto/t?movie=A1"]}, "incomplete"),
    ],
)
def test_roots_that_are_no_roots_or_of_two_classes_are_refused(roots, message):
    with pytest.raises(ValidationError, match=message):
        RemoteRoots(**roots)
