"""The tables of the ledger's database, as SQLAlchemy Core describes them.

One database holds what happened (runs, episodes, steps, promotions) and what the agent knows
(goals, knowledge, gaps, calls, state), so that one commit covers both. All tables are STRICT:
SQLite then refuses a value of the wrong type instead of keeping it.

The order of the columns of ``steps`` matters: the short ones come first, so that a scan over
rewards does not read the long texts.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    REAL,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

HEAD: Final = "0003"
"""The newest migration. A ledger whose version differs is migrated when it is opened to write."""

ORIGINS: Final = ("own", "practice", "teacher", "import")
STATUSES: Final = ("ok", "partial", "empty", "error", "timeout", "denied")

metadata = MetaData()


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})")


def _flag(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN (0, 1)")


alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("profile", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("started", Text, nullable=False),
    Column("finished", Text),
    Column("reason", Text),
    Column("digest", Text, nullable=False),
    sqlite_strict=True,
)

episodes = Table(
    "episodes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", Text, ForeignKey("runs.id"), nullable=False),
    Column("environment", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("goal", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("started_step", Integer, nullable=False),
    Column("finished", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    _one_of("origin", ORIGINS),
    _flag("finished"),
    sqlite_strict=True,
)

steps = Table(
    "steps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", Text, ForeignKey("runs.id"), nullable=False),
    Column("episode", Integer, ForeignKey("episodes.id"), nullable=False),
    Column("idx", Integer, nullable=False),
    Column("environment", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("generator", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("started", Text, nullable=False),
    Column("chosen", Integer),
    Column("tool", Text),
    Column("status", Text),
    Column("gained", Integer),
    Column("seconds", REAL),
    Column("reward", REAL),
    Column("done", Integer),
    Column("finished", Text),
    Column("engine", Text, nullable=False),
    Column("checkpoint", Text),
    Column("text_logp", REAL),
    Column("plan_logp", REAL),
    Column("engine_logp", LargeBinary, nullable=False),
    Column("behaviour_logp", LargeBinary, nullable=False),
    Column("view_digest", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("message", Text),
    Column("items", Text),
    Column("text", Text),
    Column("plan", Text),
    Column("action", Text),
    Column("view_delta", Text, nullable=False),
    Column("candidates_delta", Text, nullable=False),
    Column("extra", Text, nullable=False),
    Column("remarks", Text),  # none: the engine remarked nothing
    UniqueConstraint("episode", "idx"),
    _one_of("origin", ORIGINS),
    _one_of("status", STATUSES),
    _flag("done"),
    CheckConstraint("(status IS NULL) = (reward IS NULL)"),
    CheckConstraint("(status IS NULL) = (finished IS NULL)"),
    CheckConstraint("length(engine_logp) = length(behaviour_logp)"),
    sqlite_strict=True,
    sqlite_autoincrement=True,  # keeps the highest number ever given: a cut tail is noticed
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("profile", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("checkpoint", Text),  # none: the weights of the configuration
    Column("previous", Text),
    Column("why", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("digest", Text, nullable=False),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)

goals = Table(
    "goals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("terms", Text, nullable=False, server_default="[]"),
    Column("origin", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("priority", REAL, nullable=False, server_default="0"),
    Column("created_step", Integer, nullable=False),
    Column("closed_step", Integer),
    Column("progress", REAL, nullable=False, server_default="0"),
    _one_of("origin", ("interest", "gap", "told", "import")),
    _one_of("state", ("open", "active", "done", "abandoned")),
    sqlite_strict=True,
)

knowledge = Table(
    "knowledge",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("url", Text, nullable=False, server_default=""),
    Column("authors", Text, nullable=False, server_default="[]"),
    Column("published", Text, nullable=False, server_default=""),
    Column("tags", Text, nullable=False, server_default="[]"),
    Column("refs", Text, nullable=False, server_default="[]"),
    Column("withdrawn", Integer, nullable=False, server_default="0"),
    Column("tool", Text, nullable=False),
    Column("retrieved_at", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("read_step", Integer),
    Column("sentences", Text, nullable=False, server_default="[]"),
    Column("terms", Text, nullable=False, server_default="[]"),
    UniqueConstraint("source", "identifier"),
    _flag("withdrawn"),
    sqlite_strict=True,
)

gaps = Table(
    "gaps",
    metadata,
    Column("term", Text, primary_key=True, nullable=False),
    Column("count", Integer, nullable=False, server_default="0"),
    Column("opened_step", Integer),
    Column("closed_step", Integer),
    sqlite_strict=True,
)

calls = Table(
    "calls",
    metadata,
    Column("key", Text, primary_key=True, nullable=False),
    Column("tool", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("step", Integer, nullable=False),
    _one_of("status", STATUSES),
    sqlite_strict=True,
)

state = Table(
    "state",
    metadata,
    Column("key", Text, primary_key=True, nullable=False),
    Column("value", Text, nullable=False),
    sqlite_strict=True,
)

goals_by_state = Index("goals_by_state", goals.c.state)

SEARCH: Final = (
    """CREATE VIRTUAL TABLE knowledge_fts USING fts5(
    title, text, content='knowledge', content_rowid='id', tokenize='porter unicode61')""",
    """CREATE TRIGGER knowledge_fts_insert AFTER INSERT ON knowledge BEGIN
    INSERT INTO knowledge_fts(rowid, title, text) VALUES (new.id, new.title, new.text);
END""",
    """CREATE TRIGGER knowledge_fts_delete AFTER DELETE ON knowledge BEGIN
    INSERT INTO knowledge_fts(knowledge_fts, rowid, title, text)
        VALUES ('delete', old.id, old.title, old.text);
END""",
    """CREATE TRIGGER knowledge_fts_update AFTER UPDATE OF id, title, text ON knowledge BEGIN
    INSERT INTO knowledge_fts(knowledge_fts, rowid, title, text)
        VALUES ('delete', old.id, old.title, old.text);
    INSERT INTO knowledge_fts(rowid, title, text) VALUES (new.id, new.title, new.text);
END""",
)
"""Full-text search over the knowledge, kept in step by triggers (FTS5, external content)."""
