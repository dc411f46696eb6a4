from __future__ import annotations

import sqlite3

import pytest

from aegis.checkpoints.promoting import Promotions
from aegis.checkpoints.pruning import going, kept
from aegis.checkpoints.serving import history, serving
from aegis.errors import StoreError
from aegis.store.ledger import Ledger
from aegis.store.promotions import COLUMNS, earlier

A, B, C, D = (letter * 16 for letter in "abcd")


@pytest.fixture
def promote(run_folder):
    """Record promotions of a profile; a checkpoint with a star is a rollback to it."""

    def make(*checkpoints, profile="p"):
        with Ledger.open(run_folder) as ledger:
            for number, checkpoint in enumerate(checkpoints):
                back = isinstance(checkpoint, tuple)
                Promotions(ledger.connection).promote(
                    profile, "e", checkpoint[0] if back else checkpoint,
                    why="rollback" if back else "person", step=number, at="now",
                )  # fmt: skip
            ledger.commit()
            assert ledger.verify() == []
        return history(run_folder)

    return make


def back(checkpoint):
    return (checkpoint,)


def test_the_last_promotion_of_a_profile_decides(promote, run_folder):
    promote(A, B)
    promote(C, profile="q")
    assert serving(run_folder, "p") == B
    assert serving(run_folder, "q") == C
    assert serving(run_folder, "r") is None
    with Ledger.open(run_folder, write=False) as ledger:
        promotions = Promotions(ledger.connection)
        assert promotions.current("p") == B
        assert [(row.previous, row.checkpoint) for row in promotions.history("p")] == [
            (None, A),
            (A, B),
        ]
        assert [row.id for row in promotions.history()] == [1, 2, 3]


def test_what_is_not_committed_does_not_decide(promote, run_folder):
    promote(A)
    with Ledger.open(run_folder) as ledger:
        Promotions(ledger.connection).promote("p", "e", B, why="person", step=3, at="now")
        assert serving(run_folder, "p") == A
    assert serving(run_folder, "p") == A


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([A], [None]),
        ([A, B], [A, None]),
        ([A, B, back(A)], [None]),
        ([A, B, back(A), back(None)], []),
        ([A, B, back(A), C], [A, None]),
        ([A, B, A], [B, A, None]),
        ([A, B, A, back(B)], [A, None]),
        ([A, B, C, back(A)], [None]),  # C's own rollback passed over a damaged B
        ([A, None], [A, None]),
    ],
)
def test_a_rollback_undoes_and_a_second_one_undoes_more(promote, rows, expected):
    assert earlier(promote(*rows), "p") == expected


def test_no_ledger_and_a_ledger_from_before_say_that_nothing_was_promoted(run_folder):
    assert serving(run_folder, "p") is None
    Ledger.open(run_folder).close()
    database = sqlite3.connect(run_folder / "ledger.sqlite")
    database.execute("DROP TABLE promotions")
    database.execute("ALTER TABLE steps DROP COLUMN remarks")
    database.execute("UPDATE alembic_version SET version_num = '0001'")
    database.commit()
    assert serving(run_folder, "p") is None
    with pytest.raises(StoreError) as caught:
        Ledger.open(run_folder, write=False)
    assert caught.value.problems[0].code == "ledger-older"
    assert "aegis run" in caught.value.problems[0].fix
    with Ledger.open(run_folder) as ledger:
        assert ledger.verify() == []
        Promotions(ledger.connection).promote("p", "e", A, why="person", step=0, at="now")
        ledger.commit()
    assert serving(run_folder, "p") == A
    database.close()


def test_a_ledger_whose_table_was_dropped_is_damaged(promote, run_folder):
    promote(A)
    database = sqlite3.connect(run_folder / "ledger.sqlite")
    database.execute("DROP TABLE promotions")
    database.commit()
    database.close()
    with pytest.raises(StoreError, match="ledger-damaged"):
        serving(run_folder, "p")


EDITS = [
    *(f"UPDATE promotions SET {column} = {column} || 'x' WHERE id = 2"
      for column in COLUMNS if column not in ("id", "step")),
    "UPDATE promotions SET step = step + 1 WHERE id = 2",
    "UPDATE promotions SET checkpoint = NULL WHERE id = 3",
    "UPDATE promotions SET digest = 'x' WHERE id = 1",
    "UPDATE promotions SET id = 9 WHERE id = 3",
    "DELETE FROM promotions WHERE id = 1",
    "DELETE FROM promotions WHERE id = 2",
    "DELETE FROM promotions WHERE id = 3",
    "DELETE FROM promotions",
    "INSERT INTO promotions SELECT 4, profile, engine, 'eeeeeeeeeeeeeeee', checkpoint, why, step, at, digest FROM promotions WHERE id = 3",
]  # fmt: skip


@pytest.mark.parametrize("statement", EDITS)
def test_every_edit_of_a_promotion_is_found(promote, run_folder, statement):
    promote(A, B, C)
    database = sqlite3.connect(run_folder / "ledger.sqlite")
    database.execute(statement)
    database.commit()
    database.close()
    with pytest.raises(StoreError, match="ledger-damaged"):
        serving(run_folder, "p")
    with Ledger.open(run_folder, write=False) as ledger:
        assert any("promotion" in line for line in ledger.verify())


def test_what_decides_and_the_way_back_are_kept(promote):
    rows = promote(A, B, C, D)
    known = [A, B, C, D, "1" * 16, "2" * 16]
    stay = kept(known, rows, promotions=1, candidates=1)
    assert list(stay) == [C, D, "2" * 16]
    assert stay[D] == 'decides for "p"'
    assert list(kept(known, rows, promotions=3, candidates=0)) == [A, B, C, D]
    assert list(kept(known, rows, promotions=0, candidates=9)) == [D, "1" * 16, "2" * 16]


def test_the_serving_one_is_never_let_go(promote):
    rows = promote(A) + promote(B, profile="q")
    rows = promote(C, back(None), profile="r")
    assert set(kept([A, B, C], rows, promotions=0, candidates=0)) == {A, B}


def test_going_tells_the_bytes_of_each(store, result, draft):
    source = result()
    first, second = (store.add(source, draft(seed=n)) for n in (1, 2))
    (gone,) = going(store, {second})
    assert gone.checkpoint == first
    assert gone.bytes == sum(
        path.stat().st_size for path in (store.path / first).rglob("*") if path.is_file()
    )
