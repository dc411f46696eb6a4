"""The ledger: runs, episodes and steps, written one commit a step and read by everything else.

A step is written in two parts. `Ledger.intend` records what was decided before it is carried
out; `Ledger.settle` records how it went. The loop commits once a step, after the next intent:

    settle(step 41) · intend(step 42) · commit() · carry out step 42 · settle(step 42) · ...

After a crash `Ledger.pending` is the one decision whose result is unknown. The loop repeats the
call with the same key and settles it: calls happen at least once, records exactly once.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects import sqlite

from aegis.errors import Problem, StoreError
from aegis.store import connection as connections
from aegis.store import reading, rows, runs, sizes, summary, verify
from aegis.store.reading import Memory, Selection
from aegis.store.runs import EpisodeRow, RunRow
from aegis.store.tables import steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from sqlalchemy import Connection, RowMapping

    from aegis.contracts.experience import Experience, Origin
    from aegis.contracts.outcome import Outcome
    from aegis.store.rows import Shown
    from aegis.store.sizes import BytesPerStep
    from aegis.store.summary import Counts


class Place(NamedTuple):
    """What a step belongs to."""

    run: str
    episode: int


class _Statement(NamedTuple):
    """SQL compiled once, and the names of its parameters in order."""

    text: str
    names: tuple[str, ...]


def _compiled(statement: Any, columns: tuple[str, ...]) -> _Statement:
    compiled = statement.compile(dialect=sqlite.dialect(), column_keys=list(columns))
    return _Statement(str(compiled), tuple(compiled.positiontup))


# Both are run once a step, so that they are made once and not built again.
_INTEND: Final = _compiled(insert(steps), (*rows.INTENT_COLUMNS, "digest"))
_SETTLE: Final = _compiled(
    update(steps).where(steps.c.id == bindparam("step"), steps.c.status.is_(None)),
    (*rows.RESULT_COLUMNS, "digest"),
)


class Ledger:
    """The ledger of one run's folder. Open it with `Ledger.open`; close it or use ``with``.

    A writing ledger belongs to the process that holds the folder's `RunLock`; it is the only
    writing connection. What is written stands in an open transaction until `commit`.

    Attributes:
        connection: The SQLAlchemy connection, for what else lives in the database. Writes over
            it join the ledger's open transaction.
        path: The database file.
        writable: Whether it was opened to write.
    """

    def __init__(self, connection: Connection, path: Path, *, writable: bool) -> None:
        self.connection = connection
        self.path = path
        self.writable = writable
        self._memory = Memory(connection)
        self._last = 0
        self._digest = ""
        self._pending: int | None = None
        if writable:
            self._load()
            connection.rollback()

    @classmethod
    def open(cls, folder: Path, *, write: bool = True) -> Ledger:
        """Open the ledger of a run's folder (``data/run``), new where there is none.

        Args:
            folder: The run's folder.
            write: Whether to write; False for commands that look while a run goes on: they see
                what was committed last and can change nothing.

        Raises:
            StoreError: ``ledger-absent`` (only to read), ``ledger-newer``, ``ledger-older``,
                ``ledger-foreign``, ``ledger-damaged``, ``ledger-unwritable``, ``locked``.
        """
        path = folder / connections.FILE
        with connections.translated(path):
            return cls(connections.connect(path, write=write), path, writable=write)

    def close(self) -> None:
        """Close the database; what was not committed is undone."""
        connections.close(self.connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def commit(self) -> None:
        """Make everything written since the last commit durable, at once or not at all.

        Raises:
            StoreError: ``disk-full`` and others; then the open transaction was undone and the
                ledger stands where the last commit left it.
        """
        with self._undone_on_error():
            self.connection.commit()

    def rollback(self) -> None:
        """Undo everything written since the last commit."""
        self.connection.rollback()
        self._memory.forget()
        self._load()
        self.connection.rollback()

    def begin_run(self, run: str, profile: str, seed: int, started: str | None = None) -> None:
        """Record that a run begins, or goes on: then it is unfinished again.

        Args:
            run: Identifier of the run, the same over resumes.
            profile: The profile that decides from now on.
            seed: The run's seed.
            started: When it began, UTC, ISO 8601; now where it is not given.
        """
        known = self.run(run)
        begun = known.started if known is not None else started or runs.now()
        with self._undone_on_error(only_if_lost=True):
            runs.put_run(self.connection, RunRow(run, profile, seed, begun))

    def finish_run(self, run: str, reason: str, finished: str | None = None) -> None:
        """Record that a run ended and why (``steps``, ``interrupted``, ``idle``, ...)."""
        with self._undone_on_error(only_if_lost=True):
            runs.end_run(self.connection, run, reason, finished or runs.now())

    def put_run(self, row: RunRow) -> None:
        """Record a run as it is described, over what is recorded of it."""
        with self._undone_on_error(only_if_lost=True):
            runs.put_run(self.connection, row)

    def run(self, run: str) -> RunRow | None:
        """Return a run, or None."""
        return runs.find_run(self.connection, run)

    def last_run(self) -> RunRow | None:
        """Return the run of this project that began last, or None."""
        return runs.newest_run(self.connection)

    def begin_episode(  # noqa: PLR0917 - the columns of one row, in their order
        self,
        episode: int,
        run: str,
        environment: str,
        seed: int,
        goal: str,
        origin: Origin,
        first_step: int,
    ) -> None:
        """Record that an episode begins with step `first_step`.

        Raises:
            StoreError: ``already-recorded`` if there is an episode of this number.
        """
        self.put_episode(EpisodeRow(episode, run, environment, seed, goal, origin, first_step))

    def put_episode(self, row: EpisodeRow) -> None:
        """Record a new episode as it is described.

        Raises:
            StoreError: ``already-recorded`` if there is an episode of this number.
        """
        with self._undone_on_error(only_if_lost=True):
            runs.add_episode(self.connection, row)

    def finish_episode(self, episode: int) -> None:
        """Record that an episode ended."""
        with self._undone_on_error(only_if_lost=True):
            runs.end_episode(self.connection, episode)

    def next_episode(self) -> int:
        """Return the number of the next episode, from 1."""
        return runs.highest_episode(self.connection) + 1

    def episode(self, episode: int) -> EpisodeRow | None:
        """Return an episode, or None."""
        return runs.find_episode(self.connection, episode)

    def open_episode(self, environment: str | None = None) -> EpisodeRow | None:
        """Return the newest episode that did not end (of one environment), or None."""
        return runs.newest_open_episode(self.connection, environment)

    def last_index(self, episode: int) -> int:
        """Return the index of the last step of an episode, 0 where it has none."""
        query = select(func.max(steps.c.idx)).where(steps.c.episode == episode)
        return self.connection.execute(query).scalar() or 0

    def intend(self, experience: Experience) -> None:
        """Record a decision before it is carried out, in the open transaction.

        Log-probabilities are kept as float32. The outcome, reward and end of the experience are
        not looked at: `settle` records them.

        Raises:
            StoreError: ``out-of-order`` if it is not the next step or the step before has no
                result, ``already-recorded`` if its key was used, ``not-storable``.
        """
        self._expect(experience.step)
        base = self._base(experience)
        values, shown = rows.intent(experience, base)
        digest = rows.intent_link(self._digest, values)
        self._execute(
            _INTEND, {**dict(zip(rows.INTENT_COLUMNS, values, strict=True)), "digest": digest}
        )
        self._memory.keep(experience.episode, experience.index, shown)
        self._last, self._digest, self._pending = experience.step, digest, experience.step

    def settle(self, step: int, outcome: Outcome, reward: float, done: bool, finished: str) -> None:
        """Record how a step went, in the open transaction.

        Args:
            step: The step that was intended last.
            outcome: How it went.
            reward: Its reward, finite.
            done: Whether the episode ended with it.
            finished: When the result was there, UTC, ISO 8601.

        Raises:
            StoreError: ``out-of-order`` if the step is not outstanding, ``not-storable``.
        """
        if step != self._pending:
            raise _out_of_order(f"step {step} is not waiting for a result", self.path)
        values = rows.result(outcome, reward, done=done, finished=finished)
        digest = rows.link(self._digest, values)
        named = dict(zip(rows.RESULT_COLUMNS, values, strict=True))
        self._execute(_SETTLE, {**named, "digest": digest, "step": step})
        self._digest, self._pending = digest, None

    def record(self, experience: Experience, finished: str) -> None:
        """Record a step whose result is known already, as imports and demonstrations have it.

        Raises:
            StoreError: As `intend` and `settle`.
        """
        if experience.outcome is None or experience.reward is None:
            raise rows.not_storable("outcome", "a step without result is intended, not recorded")
        self.intend(experience)
        self.settle(
            experience.step, experience.outcome, experience.reward, experience.done, finished
        )

    def pending(self) -> Experience | None:
        """Return the decision whose result is unknown: at most one, the newest."""
        query = select(steps).where(steps.c.status.is_(None)).order_by(steps.c.id.desc()).limit(1)
        row = self.connection.execute(query).mappings().first()
        return None if row is None else reading.decoded(row, Memory(self.connection))

    def last_step(self) -> int:
        """Return the number of the newest step, one that waits for its result included."""
        if self.writable:
            return self._last
        return self.connection.execute(select(func.max(steps.c.id))).scalar() or 0

    def has_key(self, key: str) -> int | None:
        """Return the step that was recorded under this key, or None."""
        return self.connection.execute(select(steps.c.id).where(steps.c.key == key)).scalar()

    def place(self, step: int) -> Place:
        """Return what a recorded step belongs to, without reading what it showed.

        Raises:
            StoreError: ``no-such-row``.
        """
        query = select(steps.c.run, steps.c.episode).where(steps.c.id == step)
        row = self.connection.execute(query).first()
        if row is None:
            raise runs.absent("step", step)
        return Place(*row)

    def experience(self, step: int) -> Experience:
        """Return one step, also one that waits for its result.

        Raises:
            StoreError: ``no-such-row``, ``ledger-damaged``.
        """
        query = select(steps).where(steps.c.id == step)
        row = self.connection.execute(query).mappings().first()
        if row is None:
            raise runs.absent("step", step)
        return reading.decoded(row, Memory(self.connection))

    def experiences(
        self,
        *,
        origin: Origin | None = None,
        environment: str | None = None,
        episode: int | None = None,
        since: int = 0,
        limit: int | None = None,
    ) -> Iterator[Experience]:
        """Yield the steps whose result is known, in order, a page at a time.

        Args:
            origin: Only steps of this origin.
            environment: Only steps in this environment.
            episode: Only steps of this episode.
            since: Only steps with a higher number.
            limit: At most so many, the first ones.

        Raises:
            StoreError: ``ledger-damaged`` at the first step that is not what was written.
        """
        selection = Selection(origin, environment, episode, since, limit)
        return reading.experiences(self.connection, selection)

    def count(self, selection: Selection) -> int:
        """Return how many steps are selected, the limit left out."""
        query = select(func.count()).select_from(steps).where(selection.condition())
        return self.connection.execute(query).scalar_one()

    def recorded(self, selection: Selection) -> Iterator[tuple[RowMapping, Experience]]:
        """Yield the selected steps, each with its row of the table, for exports."""
        return reading.recorded(self.connection, selection)

    def recent(self, count: int) -> list[Experience]:
        """Return the last `count` steps whose result is known, oldest first."""
        query = select(func.max(steps.c.id)).where(steps.c.status.is_not(None))
        last = self.connection.execute(query).scalar() or 0
        return list(self.experiences(since=max(0, last - count)))

    def counts(self) -> Counts:
        """Return how much is recorded, by origin."""
        return summary.counts(self.connection)

    def reward_curve(
        self, points: int, *, span: int = 4096, origin: Origin | None = None
    ) -> list[float]:
        """Return mean rewards of at most `points` equal stretches of the last `span` steps."""
        return summary.reward_curve(self.connection, points, span, origin)

    def bytes_per_step(self, sample: int = 1000) -> BytesPerStep:
        """Return what a step takes, over the newest `sample` steps."""
        return sizes.bytes_per_step(self.connection, sample)

    def verify(self) -> list[str]:
        """Return one sentence for everything that is not what was written."""
        if self.writable:
            return verify.findings(self.connection)
        self.connection.exec_driver_sql("BEGIN")  # one snapshot, whatever a run writes meanwhile
        try:
            return verify.findings(self.connection)
        finally:
            self.connection.exec_driver_sql("ROLLBACK")

    def _load(self) -> None:
        query = select(steps.c.id, steps.c.digest, steps.c.status).order_by(steps.c.id.desc())
        row = self.connection.execute(query.limit(1)).first()
        self._last, self._digest = (0, "") if row is None else (row.id, row.digest)
        self._pending = row.id if row is not None and row.status is None else None

    def _expect(self, step: int) -> None:
        if self._pending is not None:
            raise _out_of_order(f"step {self._pending} has no result yet", self.path)
        if step != self._last + 1:
            raise _out_of_order(f"step {step} follows {self._last}", self.path)

    def _base(self, experience: Experience) -> Shown:
        try:
            with self._undone_on_error(only_if_lost=True):
                return self._memory.base(experience.episode, experience.index)
        except ValueError as error:
            raise StoreError(
                Problem(
                    "ledger-damaged",
                    f"episode {experience.episode} is not what was written: {error}",
                    where=str(self.path),
                    fix="`aegis doctor` lists what is damaged; put back a copy of the ledger",
                )
            ) from error

    def _execute(self, statement: _Statement, values: Mapping[str, Any]) -> None:
        parameters = tuple(values[name] for name in statement.names)
        with self._undone_on_error(only_if_lost=True):
            self.connection.exec_driver_sql(statement.text, parameters)

    @contextlib.contextmanager
    def _undone_on_error(self, *, only_if_lost: bool = False) -> Iterator[None]:
        """Translate what the database reports; after it the ledger's own state is true again."""
        try:
            with connections.translated(self.path):
                yield
        except StoreError:
            # A full disk makes SQLite undo the whole transaction, not the one statement.
            if not only_if_lost or not self._in_transaction():
                with connections.translated(self.path):
                    self.rollback()
            raise

    def _in_transaction(self) -> bool:
        driver = self.connection.connection.driver_connection
        return driver is not None and bool(driver.in_transaction)


def _out_of_order(message: str, path: Path) -> StoreError:
    fix = "settle the step that `pending` returns, then record the step after `last_step`"
    return StoreError(Problem("out-of-order", message, str(path), fix))
