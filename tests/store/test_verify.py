"""Every edit, deletion and reordering of the ledger is found."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from aegis.errors import StoreError
from aegis.store.connection import FILE
from aegis.store.ledger import Ledger
from aegis.store.tables import episodes, runs, steps

COLUMNS = {table.name: [c.name for c in table.c] for table in (runs, episodes, steps)}
CHANGES = [(table, column) for table, columns in COLUMNS.items() for column in columns]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A settled ledger of 12 steps with one open decision."""
    return tmp_path_factory.mktemp("pristine") / "run"


@pytest.fixture
def tampered(pristine, tmp_path, steps_of):
    """A copy, and a way to change it behind the ledger's back: no constraint holds there."""
    if not pristine.exists():
        with Ledger.open(pristine) as ledger:
            steps_of.write(ledger, 1, 12)
            ledger.intend(steps_of.make(13))
            ledger.commit()
    (tmp_path / FILE).write_bytes((pristine / FILE).read_bytes())

    def change(*statements):
        database = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        database.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            database.execute(statement)
        database.close()
        with Ledger.open(tmp_path, write=False) as ledger:
            return ledger.verify()

    return change


def test_a_ledger_that_nobody_touched_is_whole(tampered):
    assert tampered() == []


TABLES = {table.name: table for table in (runs, episodes, steps)}


def other_value(table, column):
    """An SQL expression of the same type with another value."""
    kind = TABLES[table].c[column].type.python_type
    if kind is bytes:
        return f"zeroblob(length({column}))"
    if kind in (int, float):
        return f"coalesce({column}, 0) + 100"
    return f"coalesce({column}, '') || 'x'"


@pytest.mark.parametrize(("table", "column"), CHANGES, ids=[f"{t}.{c}" for t, c in CHANGES])
def test_a_changed_column_is_found(tampered, table, column):
    where = f"rowid = (SELECT min(rowid) FROM {table})" if table != "steps" else "id = 7"
    if (table, column) == ("steps", "id"):
        statement = "UPDATE steps SET id = 99 WHERE id = 7"
    else:
        statement = f'UPDATE {table} SET "{column}" = {other_value(table, column)} WHERE {where}'
    found = tampered(statement)
    assert found
    assert any("7" in line or table != "steps" for line in found)


@pytest.mark.parametrize("column", [c for c in COLUMNS["steps"] if c != "id"])
def test_a_changed_open_decision_is_found(tampered, column):
    statement = f'UPDATE steps SET "{column}" = {other_value("steps", column)} WHERE id = 13'
    assert tampered(statement)


@pytest.mark.parametrize("number", ["99.0", "null", '"3"'])
@pytest.mark.parametrize("step", [7, 13])
def test_a_changed_remark_is_found(tampered, step, number):
    """Of a settled step and of an open one."""
    found = tampered(
        f"UPDATE steps SET remarks = json_set(remarks, '$.segments', json('{number}')) WHERE id = {step}"
    )
    assert found == [f"step {step} was changed, or the step before it was changed or removed"]


@pytest.mark.parametrize("step", [7, 13])
def test_a_removed_remark_is_found(tampered, step):
    assert tampered(f"UPDATE steps SET remarks = NULL WHERE id = {step}")
    assert tampered(f"UPDATE steps SET remarks = '{{}}' WHERE id = {step}")


def test_a_remark_that_nobody_made_is_found(tampered):
    assert tampered("""UPDATE steps SET remarks = '{"segments":1.0}' WHERE id = 8""")


@pytest.mark.parametrize("step", [1, 6, 12, 13])
def test_a_deleted_step_is_found(tampered, step):
    found = tampered(f"DELETE FROM steps WHERE id = {step}")
    assert any("missing" in line and str(step) in line for line in found)


def test_a_ledger_that_was_emptied_is_found(tampered):
    assert tampered("DELETE FROM steps") == ["steps 1 to 13 are missing at the end"]


def test_a_hole_that_was_closed_by_renumbering_is_found(tampered):
    assert tampered(
        "DELETE FROM steps WHERE id = 6",
        *[f"UPDATE steps SET id = {n - 1} WHERE id = {n}" for n in range(7, 14)],
    )


@pytest.mark.parametrize(("one", "other"), [(1, 2), (6, 7), (3, 11)])
def test_swapped_steps_are_found(tampered, one, other):
    assert tampered(
        f"UPDATE steps SET id = 1000 WHERE id = {one}",
        f"UPDATE steps SET id = {one} WHERE id = {other}",
        f"UPDATE steps SET id = {other} WHERE id = 1000",
        "UPDATE sqlite_sequence SET seq = 13 WHERE name = 'steps'",
    )


@pytest.mark.parametrize("table", ["runs", "episodes"])
def test_a_deleted_run_or_episode_is_found(tampered, table):
    found = tampered("PRAGMA foreign_keys = OFF", f"DELETE FROM {table}")
    assert any(f"a row of {table} that is not there" in line for line in found)


def test_a_copied_step_is_found(tampered):
    columns = ", ".join(f'"{c}"' for c in COLUMNS["steps"] if c not in ("id", "key", "idx"))
    assert tampered(
        f"INSERT INTO steps (id, key, idx, {columns}) SELECT 14, 'new', 77, {columns} FROM steps WHERE id = 12"
    )


def test_one_finding_does_not_hide_the_others(tampered):
    found = tampered(
        "UPDATE steps SET reward = 9 WHERE id IN (3, 9)",
        "UPDATE runs SET seed = 0",
    )
    assert [line.split()[:2] for line in found] == [["run", "run-1"], ["step", "3"], ["step", "9"]]


def test_a_damaged_file_is_found_and_never_raises(pristine, tmp_path, tampered):
    """Whatever single byte changes: verify returns, and says so if a row of the ledger changed."""
    whole = (pristine / FILE).read_bytes()
    silent = []
    for position in range(4096 + 50, len(whole), 1709):
        if not whole[position]:
            continue  # free space
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        (tmp_path / FILE).write_bytes(damaged)
        with contextlib.suppress(StoreError), Ledger.open(tmp_path, write=False) as ledger:
            if not ledger.verify() and dump(ledger) != dump_of(pristine):
                silent.append(position)
    assert silent == []


def dump(ledger):
    run = ledger.connection.exec_driver_sql
    return [run(f"SELECT * FROM {table} ORDER BY 1").all() for table in COLUMNS]


def dump_of(folder):
    with Ledger.open(folder, write=False) as ledger:
        return dump(ledger)
