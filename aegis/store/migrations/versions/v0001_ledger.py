"""Create the ledger, the knowledge and their search index."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

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


def upgrade() -> None:
    """Make every table of an empty database."""
    op.create_table(
        "calls",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.CheckConstraint("status IN ('ok', 'partial', 'empty', 'error', 'timeout', 'denied')"),
        sa.PrimaryKeyConstraint("key"),
        sqlite_strict=True,
    )
    op.create_table(
        "gaps",
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opened_step", sa.Integer(), nullable=True),
        sa.Column("closed_step", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("term"),
        sqlite_strict=True,
    )
    op.create_table(
        "goals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), server_default="[]", nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("priority", sa.REAL(), server_default="0", nullable=False),
        sa.Column("created_step", sa.Integer(), nullable=False),
        sa.Column("closed_step", sa.Integer(), nullable=True),
        sa.Column("progress", sa.REAL(), server_default="0", nullable=False),
        sa.CheckConstraint("origin IN ('interest', 'gap', 'told', 'import')"),
        sa.CheckConstraint("state IN ('open', 'active', 'done', 'abandoned')"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_table(
        "knowledge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("authors", sa.Text(), server_default="[]", nullable=False),
        sa.Column("published", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", sa.Text(), server_default="[]", nullable=False),
        sa.Column("refs", sa.Text(), server_default="[]", nullable=False),
        sa.Column("withdrawn", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("retrieved_at", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("read_step", sa.Integer(), nullable=True),
        sa.Column("sentences", sa.Text(), server_default="[]", nullable=False),
        sa.Column("terms", sa.Text(), server_default="[]", nullable=False),
        sa.CheckConstraint("withdrawn IN (0, 1)"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "identifier"),
        sqlite_strict=True,
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("started", sa.Text(), nullable=False),
        sa.Column("finished", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_table(
        "state",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_strict=True,
    )
    op.create_table(
        "episodes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("goal", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("started_step", sa.Integer(), nullable=False),
        sa.Column("finished", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint("origin IN ('own', 'practice', 'teacher', 'import')"),
        sa.CheckConstraint("finished IN (0, 1)"),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("generator", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("started", sa.Text(), nullable=False),
        sa.Column("chosen", sa.Integer(), nullable=True),
        sa.Column("tool", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("gained", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.REAL(), nullable=True),
        sa.Column("reward", sa.REAL(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=True),
        sa.Column("finished", sa.Text(), nullable=True),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=True),
        sa.Column("text_logp", sa.REAL(), nullable=True),
        sa.Column("plan_logp", sa.REAL(), nullable=True),
        sa.Column("engine_logp", sa.LargeBinary(), nullable=False),
        sa.Column("behaviour_logp", sa.LargeBinary(), nullable=False),
        sa.Column("view_digest", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("items", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("view_delta", sa.Text(), nullable=False),
        sa.Column("candidates_delta", sa.Text(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.CheckConstraint("origin IN ('own', 'practice', 'teacher', 'import')"),
        sa.CheckConstraint("status IN ('ok', 'partial', 'empty', 'error', 'timeout', 'denied')"),
        sa.CheckConstraint("(status IS NULL) = (finished IS NULL)"),
        sa.CheckConstraint("(status IS NULL) = (reward IS NULL)"),
        sa.CheckConstraint("done IN (0, 1)"),
        sa.CheckConstraint("length(engine_logp) = length(behaviour_logp)"),
        sa.ForeignKeyConstraint(
            ["episode"],
            ["episodes.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("episode", "idx"),
        sa.UniqueConstraint("key"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("goals_by_state", "goals", ["state"], unique=False)
    for statement in SEARCH:
        op.execute(statement)
