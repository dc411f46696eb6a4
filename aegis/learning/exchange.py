"""Experience in and out of the ledger: JSON lines, and the old system's training file.

An export imports again to identical rows. An import is whole or not there: one transaction, and
a file with an error changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from aegis.config.settings import RewardSettings
from aegis.contracts.experience import Decision, Experience
from aegis.errors import InputError, Problem, StoreError
from aegis.learning import exchange_jsonl, exchange_v1
from aegis.learning.exchange_report import ImportReport
from aegis.store.reading import Selection
from aegis.store.runs import IMPORTED, EpisodeRow, RunRow, now
from aegis.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aegis.contracts.experience import Origin
    from aegis.learning.exchange_jsonl import Line
    from aegis.learning.exchange_v1 import Example
    from aegis.store.ledger import Ledger

    Progress = Callable[[int, int], None]

__all__ = ["ImportReport", "export_jsonl", "import_file"]

_TOLD = 20
"""Lines with errors that are told at once; the rest are of the same kind, or are not read."""
_OFTEN = 100
"""Records after which progress is reported."""


def _silent(_done: int, _total: int) -> None:
    pass


def export_jsonl(
    ledger: Ledger,
    path: Path,
    *,
    origin: Origin | None = None,
    environment: str | None = None,
    episode: int | None = None,
    since: int = 0,
    progress: Progress = _silent,
) -> int:
    """Write the selected steps whose result is known, and return how many.

    The file appears whole, under its name, when everything is written. Steps that a run adds
    meanwhile are left out.

    Args:
        ledger: Where to read; opened to read will do.
        path: The file; it is written over.
        origin: Only steps of this origin.
        environment: Only steps in this environment.
        episode: Only steps of this episode.
        since: Only steps with a higher number.
        progress: Called with (done, total) now and then.

    Raises:
        InputError: If the file cannot be written.
        StoreError: ``ledger-damaged``.
    """
    count = ledger.count(Selection(origin, environment, episode, since))
    selection = Selection(origin, environment, episode, since, limit=count)
    try:
        with whole_file(path) as file:
            file.write(f"{exchange_jsonl.header(count)}\n".encode("ascii"))
            for done, text in enumerate(_lines(ledger, selection), start=1):
                file.write(f"{text}\n".encode("ascii"))
                if done % _OFTEN == 0 or done == count:
                    progress(done, count)
    except OSError as error:
        raise InputError.of(
            "unwritable",
            f"the export cannot be written: {error.strerror}",
            where=str(path),
            fix="choose a file in a folder that exists and may be written",
        ) from error
    return count


def _lines(ledger: Ledger, selection: Selection) -> Iterator[str]:
    runs: set[str] = set()
    episodes: set[int] = set()
    for row, experience in ledger.recorded(selection):
        run = None if experience.run in runs else ledger.run(experience.run)
        number = experience.episode
        episode = None if number in episodes else ledger.episode(number)
        runs.add(experience.run)
        episodes.add(number)
        yield exchange_jsonl.line(experience, row["finished"], run, episode)


def import_file(
    ledger: Ledger,
    path: Path,
    *,
    rewards: RewardSettings | None = None,
    progress: Progress = _silent,
) -> ImportReport:
    """Read a file of experience into the ledger and commit it, or change nothing.

    Aegis JSONL keeps its origins; in an empty ledger its rows become what they were. The old
    system's examples get origin and environment ``import``. What is in the ledger already is
    counted and not recorded twice.

    Args:
        ledger: Opened to write, nothing uncommitted in it.
        path: Aegis JSONL or the old system's JSON; which, its content tells.
        rewards: What an outcome of the old system is worth; the defaults of ``[agent.rewards]``
            where it is not given.
        progress: Called with (done, total) now and then.

    Raises:
        InputError: If the file is neither, or damaged (with line and column), or contradicts
            itself.
        StoreError: ``step-open`` if a decision waits for its result.
    """
    _require_settled(ledger)
    report = ImportReport(path=str(path))
    try:
        if _first_line_is_header(path):
            _Lines(ledger, path, report, progress).take()
        else:
            _take_examples(ledger, path, report, rewards or RewardSettings(), progress)
        ledger.commit()
    except BaseException:
        ledger.rollback()
        raise
    return report


def _require_settled(ledger: Ledger) -> None:
    pending = ledger.pending()
    if pending is not None:
        raise StoreError(
            Problem(
                "step-open",
                f"step {pending.step} was decided and its result is not recorded yet; "
                "nothing can follow it before",
                where=str(ledger.path),
                fix="aegis run --steps 1, which repeats the call and records it; then import again",
            )
        )


def _first_line_is_header(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return exchange_jsonl.is_header(json.loads(file.readline(1 << 16)))
    except OSError as error:
        raise InputError.of(
            "unreadable", f"the file cannot be read: {error.strerror}", where=str(path)
        ) from error
    except (ValueError, RecursionError):
        return False


def _take_examples(
    ledger: Ledger,
    path: Path,
    report: ImportReport,
    rewards: RewardSettings,
    progress: Progress,
) -> None:
    """Import the old system's file."""
    content = path.read_bytes()
    report.format = exchange_v1.FORMAT
    records = exchange_v1.examples(_document(content, path, report), str(path))
    report.records = len(records)
    run = RunRow(f"import-{hashlib.sha256(content).hexdigest()[:12]}", IMPORTED, 0, now())
    fresh = _fresh(ledger, records, rewards, report)
    for done, (example, index, is_last) in enumerate(_placed(fresh), start=1):
        if report.imported == 0:
            ledger.put_run(evolve(run, finished=run.started, reason="import"))
        if index == 1:
            report.episodes += 1
        _record(ledger, run, example, index, is_last=is_last)
        report.took(example.action.tool if example.action else None, example.reward)
        if done % _OFTEN == 0 or done == len(fresh):
            progress(done, len(fresh))


def _document(content: bytes, path: Path, report: ImportReport) -> Any:
    try:
        return exchange_v1.load(content.decode("utf-8-sig"), report)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _damaged(path, line, "the file is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} at column {error.colno}"
        raise _damaged(path, error.lineno, message) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, 1, f"not JSON that can be read: {error}") from error


def _fresh(
    ledger: Ledger, records: list[Any], rewards: RewardSettings, report: ImportReport
) -> list[Example]:
    """Return the examples that the ledger does not have; count the others."""
    fresh: dict[str, Example] = {}
    for number, record in enumerate(records, start=1):
        example = exchange_v1.read(record, number, rewards, report)
        if example is None:
            continue
        if example.key in fresh or ledger.has_key(example.key) is not None:
            report.duplicates += 1
        else:
            fresh[example.key] = example
    return list(fresh.values())


def _placed(examples: list[Example]) -> Iterator[tuple[Example, int, bool]]:
    """Yield each example with its index in its episode and whether it is the episode's last."""
    index, before = 0, None
    begins = [False] * (len(examples) + 1)
    for place, example in enumerate(examples):
        begins[place] = example.begins_episode(before)
        before = example
    begins[len(examples)] = True
    for place, example in enumerate(examples):
        index = 1 if begins[place] else index + 1
        yield example, index, begins[place + 1]


def _record(ledger: Ledger, run: RunRow, example: Example, index: int, *, is_last: bool) -> None:
    step = ledger.last_step() + 1
    if index == 1:
        number = ledger.next_episode()
        goal = exchange_v1.plain(example.view.goal)
        ledger.put_episode(EpisodeRow(number, run.id, "import", 0, goal, "import", step, True))
    experience = Experience(
        step=step,
        run=run.id,
        episode=ledger.next_episode() - 1,
        index=index,
        environment="import",
        origin="import",
        seed=0,
        generator=exchange_v1.FORMAT,
        key=example.key,
        started=example.started,
        view=evolve(example.view, step=index),
        decision=Decision((), None, (), (), example.action, text=example.text),
        outcome=example.outcome,
        reward=example.reward,
        done=is_last,
        extra=example.content,
    )
    ledger.record(experience, finished=example.started)


@frozen
class _Lines:
    """Imports a file of Aegis JSONL."""

    ledger: Ledger
    path: Path
    report: ImportReport
    progress: Progress
    runs: dict[str, str] = field(factory=dict)
    episodes: dict[int, int] = field(factory=dict)

    def take(self) -> None:
        """Import every line; errors of up to twenty lines are told at once."""
        report = self.report
        report.format = exchange_jsonl.FORMAT
        above = self.ledger.next_episode() - 1
        problems: list[Problem] = []
        with self.path.open("rb") as file:
            count = exchange_jsonl.promised(json.loads(file.readline()), f"{self.path}:1")
            for number, content in enumerate(file, start=2):
                report.records += 1
                try:
                    line = exchange_jsonl.parse(content.decode("utf-8"))
                    if not problems:
                        self._record(line, above)
                except UnicodeDecodeError:
                    problems.append(_problem(self.path, number, "the file is not UTF-8 text"))
                except (InputError, StoreError) as error:
                    problems += [_problem(self.path, number, p.message) for p in error.problems]
                if len(problems) >= _TOLD:
                    raise InputError(problems)
                if report.records % _OFTEN == 0 or report.records == count:
                    self.progress(report.records, count)
        if report.records != count:
            message = f"the header promises {count} experiences, the file has {report.records}"
            problems.append(_problem(self.path, report.records + 1, message))
        if problems:
            raise InputError(problems)

    def _record(self, line: Line, above: int) -> None:
        experience = line.experience
        known = self.ledger.has_key(experience.key)
        if known is not None:
            # What follows of the same episode belongs to the episode that is there already.
            there = self.ledger.place(known)
            self.runs.setdefault(experience.run, there.run)
            self.episodes.setdefault(experience.episode, there.episode)
            self.report.duplicates += 1
            return
        step = self.ledger.last_step() + 1
        run = self._run(line)
        episode = self._episode(line, run, above, step - experience.step)
        self.ledger.record(evolve(experience, step=step, run=run, episode=episode), line.finished)
        action = experience.decision.action
        self.report.took(action.tool if action else None, experience.reward or 0.0)

    def _run(self, line: Line) -> str:
        """Return the run here that a run of the file is, new where it is not known."""
        name = line.experience.run
        if name not in self.runs:
            if line.run is None or line.run.id != name:
                raise InputError.of(
                    "exchange-malformed", f"begins_run: run {name!r} is described nowhere"
                )
            self.runs[name] = self._put_run(line.run)
        return self.runs[name]

    def _put_run(self, row: RunRow) -> str:
        """Write a run, under another name where the ledger has another run of its name."""
        name, number = row.id, 2
        while (there := self.ledger.run(name)) is not None:
            if (there.seed, there.started) == (row.seed, row.started):
                return name
            name, number = f"{row.id}-{number}", number + 1
        self.ledger.put_run(evolve(row, id=name))
        return name

    def _episode(self, line: Line, run: str, above: int, shift: int) -> int:
        """Return the episode here that an episode of the file is, new where it is not known."""
        number, row = line.experience.episode, line.episode
        if number not in self.episodes:
            if row is None or row.id != number or row.run != line.experience.run:
                message = f"begins_episode: episode {number} is described nowhere"
                raise InputError.of("exchange-malformed", message)
            self.episodes[number] = number + above
            started = row.started_step + shift
            self.ledger.put_episode(evolve(row, id=number + above, run=run, started_step=started))
            self.report.episodes += 1
        return self.episodes[number]


def _problem(path: Path, line: int, message: str) -> Problem:
    fix = "nothing was imported; correct the line, or export the file again"
    return Problem("exchange-malformed", message, f"{path}:{line}", fix)


def _damaged(path: Path, line: int, message: str) -> InputError:
    return InputError(_problem(path, line, message))
