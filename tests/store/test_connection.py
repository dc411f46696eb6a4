"""Settings, schema versions and errors of the database."""

from __future__ import annotations

import re
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from aegis.errors import StoreError
from aegis.store import connection as connections
from aegis.store import tables
from aegis.store.ledger import Ledger
from aegis.store.migrations import configuration


def schema(connection):
    """Return every object's SQL; of a table the columns in order, its constraints in any.

    SQLite writes a column that was added later on the line of the one before it.
    """
    objects = {}
    for kind, name, sql in connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master"):
        split = re.sub(r", (?=\w+ (?:TEXT|INTEGER|REAL|BLOB)\b)", "\n", sql or "")
        lines = [line.strip().rstrip(",") for line in split.split("\n")]
        constraints = [line for line in lines if re.match("CHECK|UNIQUE|FOREIGN|PRIMARY", line)]
        columns = [line for line in lines if line not in constraints]
        objects[kind, name] = (columns, sorted(constraints))
    return objects


@pytest.fixture
def migrated(tmp_path):
    """A database that the migrations made, from nothing to the newest."""
    engine = connections._engine(tmp_path / "migrated.sqlite", write=True)
    with engine.connect() as connection:
        connections.migrate(connection)
        connection.commit()
        yield connection
    engine.dispose()


def test_the_migrations_make_exactly_the_tables_of_a_new_ledger(ledger, migrated):
    assert schema(ledger.connection) == schema(migrated)
    assert {table.name for table in tables.metadata.sorted_tables} < {
        name for _, name in schema(migrated)
    }


def test_alembic_finds_no_difference_between_the_migrations_and_the_tables(migrated):
    context = MigrationContext.configure(migrated)
    differences = compare_metadata(context, tables.metadata)
    search = {
        "knowledge_fts",
        "knowledge_fts_config",
        "knowledge_fts_data",
        "knowledge_fts_docsize",
        "knowledge_fts_idx",
    }
    # alembic leaves its own table out of what it compares with, and knows no virtual tables
    left = [d for d in differences if not (d[0] == "remove_table" and d[1].name in search)]
    assert [d for d in left if not (d[0] == "add_table" and d[1].name == "alembic_version")] == []


def test_the_newest_migration_is_the_version_that_new_ledgers_carry(migrated):
    assert ScriptDirectory.from_config(configuration()).get_heads() == [tables.HEAD]
    stored = migrated.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    assert stored == tables.HEAD


def test_opening_a_ledger_imports_no_alembic(folder):
    """Its import takes half a second of every start."""
    code = (
        "import sys; from pathlib import Path; from aegis.store.ledger import Ledger\n"
        "for _ in range(2): Ledger.open(Path(sys.argv[1])).close()\n"
        "print([m for m in ('alembic', 'numpy', 'torch', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)],
)
def test_the_settings_of_the_writing_connection(ledger, pragma, value):
    assert ledger.connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_a_reading_ledger_can_change_nothing(ledger, folder):
    with Ledger.open(folder, write=False) as reader:
        for statement in ("DELETE FROM steps", "CREATE TABLE x (y)", "PRAGMA user_version = 3"):
            with pytest.raises(sqlalchemy.exc.OperationalError, match="readonly"):
                reader.connection.exec_driver_sql(statement)


def test_a_reading_ledger_sees_what_was_committed_last(ledger, folder, steps_of):
    steps_of.write(ledger, 1, 3)
    with Ledger.open(folder, write=False) as reader:
        assert reader.last_step() == 3
        steps_of.write(ledger, 4, 4)
        assert reader.last_step() == 4
        ledger.intend(steps_of.make(5))
        assert reader.last_step() == 4
        assert [e.step for e in reader.experiences()] == [1, 2, 3, 4]
        assert reader.verify() == []


def test_there_is_no_ledger_to_read_in_an_empty_folder(folder):
    with pytest.raises(StoreError) as caught:
        Ledger.open(folder, write=False)
    assert caught.value.problems[0].code == "ledger-absent"
    assert "aegis run" in caught.value.problems[0].fix
    assert not folder.exists()


def test_a_ledger_of_a_later_program_is_refused(folder):
    Ledger.open(folder).close()
    database = sqlite3.connect(folder / connections.FILE)
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()
    for write in (True, False):
        with pytest.raises(StoreError) as caught:
            Ledger.open(folder, write=write)
        problem = caught.value.problems[0]
        assert problem.code == "ledger-newer"
        assert "9999" in problem.message
        assert tables.HEAD in problem.message
        assert problem.fix == "use the version of Aegis that wrote it, or a newer one"


def test_an_older_ledger_is_migrated_when_opened_to_write(folder):
    """An empty database with alembic's own table stands for a version before the first."""
    folder.mkdir(parents=True)
    database = sqlite3.connect(folder / connections.FILE)
    database.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    database.commit()
    database.close()
    with Ledger.open(folder) as ledger:
        assert ledger.last_step() == 0
        assert connections._version(ledger.connection) == tables.HEAD


OLD_DIGESTS = (Path(__file__).parents[1] / "fixtures" / "ledgers").glob("*.sql")


@pytest.mark.parametrize("file", sorted(OLD_DIGESTS), ids=lambda file: file.stem)
def test_a_ledger_of_an_earlier_program_is_migrated_and_goes_on(folder, file, steps_of):
    """Its rows keep their digests, and new rows are chained to them."""
    folder.mkdir(parents=True)
    database = sqlite3.connect(folder / connections.FILE)
    database.executescript(file.read_text("utf-8"))
    before = database.execute("SELECT id, digest FROM steps ORDER BY id").fetchall()
    assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (file.stem,)
    database.close()
    with pytest.raises(StoreError) as caught:
        Ledger.open(folder, write=False)
    assert caught.value.problems[0].code == "ledger-older"
    with Ledger.open(folder) as ledger:
        run = ledger.connection.exec_driver_sql
        assert connections._version(ledger.connection) == tables.HEAD
        assert ledger.verify() == []
        assert [tuple(row) for row in run("SELECT id, digest FROM steps ORDER BY id")] == before
        assert [step.decision.remarks for step in ledger.experiences()] == [{}] * 6
        assert ledger.pending().decision.remarks == {}
        steps_of.settle(ledger, 7)
        ledger.commit()
        steps_of.write(ledger, 8, 12)
        assert ledger.verify() == []
        assert ledger.experience(9).decision.remarks == {"segments": 1, "cut": 3}
        after = run("SELECT id, digest FROM steps WHERE id < 7 ORDER BY id")
        assert [tuple(row) for row in after] == before[:6]
        run("UPDATE steps SET remarks = '{\"segments\":1.0}' WHERE id = 3")
        assert any(line.startswith("step 3 was changed") for line in ledger.verify())


def test_an_older_ledger_is_not_migrated_by_looking(folder):
    folder.mkdir(parents=True)
    sqlite3.connect(folder / connections.FILE).close()
    with pytest.raises(StoreError) as caught:
        Ledger.open(folder, write=False)
    assert caught.value.problems[0].code == "ledger-older"


def test_a_database_of_something_else_is_left_alone(folder):
    folder.mkdir(parents=True)
    database = sqlite3.connect(folder / connections.FILE)
    database.execute("CREATE TABLE photos (id)")
    database.close()
    with pytest.raises(StoreError) as caught:
        Ledger.open(folder)
    assert caught.value.problems[0].code == "ledger-foreign"
    assert "photos" in caught.value.problems[0].message


def test_a_file_that_is_no_database_is_named(folder):
    folder.mkdir(parents=True)
    (folder / connections.FILE).write_text("this is a letter, not a database" * 200)
    for write in (True, False):
        with pytest.raises(StoreError) as caught:
            Ledger.open(folder, write=write)
        assert caught.value.problems[0].code == "ledger-damaged"
        assert str(folder / connections.FILE) in caught.value.problems[0].where


@pytest.mark.parametrize("name", ["a b", "what?", "100%41", "#1", "naïve", "x;y&z=1"])
def test_any_folder_name_will_do(tmp_path, name):
    with Ledger.open(tmp_path / name) as ledger:
        ledger.begin_run("r", "rules", 0)
        ledger.commit()
    assert (tmp_path / name / connections.FILE).exists()
    with Ledger.open(tmp_path / name, write=False) as reader:
        assert reader.run("r").profile == "rules"


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "half.sqlite"
    monkeypatch.setattr(tables, "SEARCH", ("CREATE NONSENSE",))
    with pytest.raises(StoreError):
        connections.connect(path, write=True)
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    database.close()


def test_a_value_of_the_wrong_type_is_refused_by_the_table(ledger):
    with pytest.raises(sqlalchemy.exc.IntegrityError, match="cannot store TEXT"):
        ledger.connection.exec_driver_sql("INSERT INTO gaps (term, count) VALUES ('x', 'many')")


def test_search_follows_the_knowledge(ledger):
    run = ledger.connection.exec_driver_sql
    columns = "(source, identifier, title, text, tool, retrieved_at, digest, step)"
    for number, title in enumerate(["Low-rank adaptation", "Sparse routing"]):
        run(
            f"INSERT INTO knowledge {columns} VALUES ('library', ?, ?, 'A text', 't', 'now', 'd', 1)",
            (str(number), title),
        )

    def found(words):
        query = "SELECT rowid FROM knowledge_fts WHERE knowledge_fts MATCH ? ORDER BY rowid"
        return [row[0] for row in run(query, (words,))]

    assert found("adaptations") == [1]  # porter: the plural finds the singular
    run("UPDATE knowledge SET title = 'Adapters' WHERE id = 1")
    assert found("rank") == []
    assert found("adapters") == [1]
    run("UPDATE knowledge SET read_step = 3 WHERE id = 1")
    run("DELETE FROM knowledge WHERE id = 2")
    assert found("routing") == []
    run("INSERT INTO knowledge_fts(knowledge_fts) VALUES ('integrity-check')")


def test_a_full_disk_is_named_and_what_was_committed_stays(folder, steps_of):
    """The size limit of the process stands for the disk; it is lifted again at the end."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Ledger.open(folder) as ledger:
            steps_of.write(ledger, 1, 4)
            written = max(file.stat().st_size for file in folder.iterdir())
            resource.setrlimit(resource.RLIMIT_FSIZE, (written + 100_000, old[1]))
            with pytest.raises(StoreError) as caught:
                steps_of.write(ledger, 5, 400)
            assert caught.value.problems[0].code == "disk-full"
            assert "aegis run" in caught.value.problems[0].fix
            reached = ledger.last_step()
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
            steps_of.write(ledger, reached + 1, reached + 6)
            assert [e.step for e in ledger.experiences()] == list(range(1, reached + 7))
            assert ledger.verify() == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert reached > 4
