"""Tables in a real PostgreSQL, also when it fails."""

from __future__ import annotations

import threading
import time

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from backends.postgres import PASSWORD, Postgres
from cyto_kedro.core.schemas import CONTACTS
from cyto_kedro.datasets import TableDataset

pytestmark = pytest.mark.backends
N = 40
FRAME = pd.DataFrame(
    {
        "frame": np.arange(N, dtype=np.int32),
        "label": np.arange(N, dtype=np.uint32) + np.uint32(2**31),
        "x_um": np.linspace(0, 1, N).astype(np.float32),
        "area_um2": np.where(np.arange(N) % 3, 1 / 3, np.nan),
        "track_id": pd.array([7, None] * (N // 2), dtype="Int64"),
        "dead": pd.array([True, None] * (N // 2), dtype="boolean"),
        "note": pd.array(["ä 'quoted' \\ ;--", None] * (N // 2), dtype="string"),
        "words": ["a", None] * (N // 2),
        "role": pd.Categorical(["tcell", "cancer"] * (N // 2)),
        "when": pd.Timestamp("2026-01-02 03:04:05.678901"),
        "empty": [None] * N,
    }
)


@pytest.fixture
def table(postgres: Postgres, request: pytest.FixtureRequest) -> TableDataset:
    """A table of its own for each test."""
    return one(postgres, request.node.originalname[:40])


def one(postgres: Postgres, name: str, **more: object) -> TableDataset:
    keys = {"run_id": "r1", "movie": "m1"} | {k: str(v) for k, v in more.items()}
    return TableDataset(postgres.uri(name, **keys), credentials=postgres.credentials)


@pytest.mark.parametrize("rows", [FRAME, FRAME.iloc[::-1], FRAME.head(0)])
def test_types_nulls_and_order_are_as_in_parquet(rows, table, tmp_path):
    rows = rows.reset_index(drop=True)
    parquet = TableDataset(tmp_path / "t.parquet")
    parquet.save(rows)
    table.save(rows)
    # Parquet forgets categories that no row has; here they are kept.
    expected = parquet.load() if len(rows) else rows.astype({"words": object})
    pd.testing.assert_frame_equal(table.load(), expected)
    assert table.preview(3)["columns"] == list(FRAME.columns)


def test_an_empty_table_of_a_contract_keeps_its_types(table):
    assert not table.exists()
    table.save(CONTACTS.empty())
    assert table.exists()
    pd.testing.assert_frame_equal(table.load(), CONTACTS.empty())


def test_saving_again_replaces_these_rows_and_no_others(table, postgres):
    other = one(postgres, table.place.name.table, movie="m2")
    other.save(FRAME.head(5))
    table.save(FRAME)
    table.save(FRAME.head(7))
    assert (len(table.load()), len(other.load())) == (7, 5)
    state, content = other.place.state(), other.place.content()
    table.save(FRAME)
    assert other.place.state() == state and other.place.content() == content
    assert table.place.state() != state


def test_movies_saved_at_the_same_time_all_arrive(table, postgres):
    # The first writers of a table all want to create it.
    parts = [one(postgres, table.place.name.table, movie=f"m{n}") for n in range(6)]
    threads = [
        threading.Thread(target=part.save, args=(FRAME.head(n + 1),))
        for n, part in enumerate(parts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(part.load()) for part in parts] == [1, 2, 3, 4, 5, 6]


def test_a_key_that_contradicts_its_column_is_refused(table):
    with pytest.raises(DatasetError, match="'movie' holds other values"):
        table.save(FRAME.assign(movie="another"))
    table.save(FRAME.assign(movie="m1"))
    assert table.load().columns[-1] == "movie"


def test_a_column_of_another_type_is_refused(table):
    table.save(FRAME)
    with pytest.raises(DatasetError, match="'frame' is integer"):
        table.save(FRAME.assign(frame="zero"))
    pd.testing.assert_frame_equal(table.load(), FRAME)


def test_rows_deleted_by_hand_are_noticed_and_edits_are_kept(table, postgres):
    table.save(FRAME)
    before = table.place.state()
    sql(postgres, f"UPDATE {table.place.name.table} SET x_um = 5 WHERE frame = 3")
    assert table.place.state() != before
    kept = table.place.set_aside("edited_r1")
    assert "edited_r1" in kept
    sql(postgres, f"DELETE FROM {table.place.name.table} WHERE frame = 3")
    with pytest.raises(DatasetError, match="had 40 rows when it was saved"):
        table.load()


def test_a_sidecar_lives_and_dies_with_its_rows(table):
    assert table.place.read_note() is None
    table.place.drop_note()  # nothing yet: no error
    table.save(FRAME)
    table.place.write_note('{"what": "it\'s"}')
    assert table.place.read_note() == '{"what": "it\'s"}'
    table.save(FRAME)
    assert table.place.read_note() is None, "the note was about the rows before"


def test_the_server_killed_while_rows_are_inserted(table, postgres):
    table.save(FRAME)
    many = pd.concat([FRAME] * 10_000, ignore_index=True)
    killer = threading.Timer(0.5, postgres.kill)
    killer.start()
    try:
        with pytest.raises(DatasetError, match="PostgreSQL"):
            for _ in range(20):
                table.save(many)
    finally:
        killer.join()
        postgres.start_again()
    # The rows before, or a whole later table: never a part.
    assert len(table.load()) in (len(FRAME), len(many))


def test_a_server_that_stops_answering_is_given_up(table, postgres):
    table.save(FRAME)
    hurried = postgres.credentials | {"timeout_s": 1}
    impatient = TableDataset(table.where, credentials=hurried)
    postgres.pause(True)
    begin = time.monotonic()
    try:
        with pytest.raises(DatasetError, match="no answer within 1 s"):
            impatient.save(FRAME.head(3))
    finally:
        postgres.pause(False)
    assert time.monotonic() - begin < 10
    time.sleep(1)  # what was given up does not arrive late
    pd.testing.assert_frame_equal(table.load(), FRAME)


def test_a_wrong_password_says_so_and_is_nowhere(table, postgres):
    wrong = postgres.credentials | {"password": "another-password"}
    refused = TableDataset(table.where, credentials=wrong)
    for deed in (lambda: refused.save(FRAME), refused.load, refused.exists):
        with pytest.raises(DatasetError, match="authentication failed") as caught:
            deed()
        assert "another-password" not in str(caught.value)
    table.save(FRAME)
    told = [repr(table), repr(table.place), repr(table.place.server), table.where]
    told.append(dump(postgres))
    assert len(told[-1]) > 100
    assert not [text for text in told if PASSWORD in text]


def sql(postgres: Postgres, statement: str) -> None:
    """What somebody does by hand."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(_address(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        connection.commit()


def dump(postgres: Postgres) -> str:
    """All that was written about outputs."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(_address(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM cyto_outputs")
        return str(cursor.fetchall())


def _address(postgres: Postgres) -> str:
    return f"postgresql://cyto:{PASSWORD}@127.0.0.1:{postgres.port}/cyto"
