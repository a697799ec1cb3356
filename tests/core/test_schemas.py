"""Table contracts: strict, typed, documented."""

from __future__ import annotations

import pandas as pd
import pytest

from cyto_kedro.core import schemas
from cyto_kedro.core.errors import InputError
from cyto_kedro.core.table import TableSpec

SPECS = {k: v for k, v in vars(schemas).items() if isinstance(v, TableSpec)}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_an_empty_table_keeps_its_contract(spec):
    pd.testing.assert_frame_equal(spec.validate(spec.empty()), spec.empty())


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_column_says_what_it_means(spec):
    assert all(row["meaning"] for row in spec.dictionary())
    physical = [row for row in spec.dictionary() if row["column"].endswith("_um")]
    assert all(row["unit"] == "um" for row in physical)


def test_result_has_exactly_pycytos_columns():
    assert (
        list(schemas.RESULT.columns)
        == (
            "Id Track_id x y z t ch0_signal ch1_signal alive_probability "
            "vel_x vel_y vel_z contact contact_cell_id contact_count"
        ).split()
    )


def test_tabulation_has_pycytos_27_columns():
    assert (
        list(schemas.PYCYTO_COLUMNS)
        == (
            "label y x bbox_xstart bbox_ystart bbox_xsize bbox_ysize i j bbox_istart "
            "bbox_jstart bbox_isize bbox_jsize size elongation flatness roundness "
            "feret_diameter feret_radius perimeter mass mean median sd "
            "frame channel alive"
        ).split()
    )


def drift(**changes):
    row = dict.fromkeys(schemas.DRIFT.columns, 0) | changes
    return schemas.DRIFT.conform(pd.DataFrame([row]))


@pytest.mark.parametrize(
    "broken",
    [
        drift().drop(columns="dy_px"),
        drift().assign(extra=1),
        drift().astype({"frame": "float64"}),
        drift(frame=-1),
        pd.concat([drift(), drift()], ignore_index=True),
    ],
    ids=["missing", "unknown", "dtype", "bounds", "duplicate"],
)
def test_violations_are_refused(broken):
    with pytest.raises(InputError, match="contract 'drift'"):
        schemas.DRIFT.validate(broken)
