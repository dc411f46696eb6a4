"""Collecting: episodes of a task become experience, of a teacher to imitate or of a profile.

Episodes are played in processes side by side and kept one by one, so that what was stopped goes
on. When all are there they are put together in the order of their seeds: the same command gives
the same experience, however many processes there were and however often it was stopped.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from attrs import evolve, frozen

from aegis.errors import EvaluationError, Problem
from aegis.evaluation.playing_job import PlayingJob
from aegis.host.seat import seat_of
from aegis.jobs.kept_lines import KeptLines
from aegis.jobs.pool import GRACE, NO_DEADLINE, Piece, Pool
from aegis.learning import exchange_jsonl
from aegis.learning.collecting_job import CollectingJob
from aegis.store.runs import EpisodeRow, RunRow
from aegis.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from aegis.contracts.experience import Experience
    from aegis.evaluation.contender import Contender
    from aegis.evaluation.task import Task

COLLECTOR: Final = "aegis.learning.collecting_main"
FOLDER: Final = "collecting"
"""Folder below the run's where episodes are kept until they are put together."""

_FORMAT: Final = 2
"""Of what is kept of an episode; a change makes everything be played again."""
_DIGITS: Final = 32


@frozen
class Exploring:
    """How the recorded behaviour departs from who decides.

    Attributes:
        epsilon: Share of decisions taken uniformly at random.
        temperature: What the scores are divided by.
    """

    epsilon: float = 0.0
    temperature: float = 1.0


class Collection:
    """Episodes on their way to become experience. Use it as a context manager, from one thread.

    Args:
        run_folder: The run's folder of the project.
        project: The project's folder.
        task: What is played.
        who: Who plays.
        seeds: Seeds of the episodes.
        origin: What the experience counts as.
        jobs: Processes side by side.
        exploring: How behaviour departs from who plays.
        fresh: Whether episodes that were kept are put aside and played again.

    Attributes:
        episodes: What is there, by seed: lines of Aegis JSONL, one a step.
        completed: Seeds of the episodes whose goal was reached.
        known: How many of the seeds had been played before.
        fingerprint: Digest of everything that an episode follows from beside its seed.
    """

    def __init__(
        self,
        run_folder: Path,
        project: Path,
        task: Task,
        who: Contender,
        seeds: Sequence[int],
        *,
        origin: Literal["teacher", "practice"],
        jobs: int,
        exploring: Exploring,
        fresh: bool = False,
    ) -> None:
        self.task, self.who, self.seeds = task, who, tuple(seeds)
        self._origin, self._jobs, self._exploring = origin, jobs, exploring
        self.fingerprint = self._digest()
        self._kept = KeptLines(run_folder / FOLDER / self.fingerprint[:_DIGITS] / "episodes.txt")
        if fresh:
            self._kept.put_aside()
        self.episodes: dict[int, list[str]] = {}
        self.completed: set[int] = set()
        wanted = {*self.seeds}
        for line in self._kept:
            kept = json.loads(line)
            if kept["seed"] in wanted:
                self._take(**kept)
        self.known = self.done
        self._pool = Pool(project, jobs, code="collecting", error=EvaluationError)
        missing = [seed for seed in self.seeds if seed not in self.episodes]
        for first in range(min(jobs, len(missing))):
            self._pool.add(self._piece(tuple(missing[first::jobs])))

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.__exit__()

    @property
    def done(self) -> int:
        """How many of the episodes are there."""
        return sum(seed in self.episodes for seed in self.seeds)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._pool.stopping

    def stop(self) -> None:
        """Ask the processes to end; may be called from a signal handler."""
        self._pool.stop()

    def run(self, report: Callable[[int, int], None]) -> bool:
        """Play what is missing; returns whether all is there.

        Raises:
            AegisError: What went wrong in a process; what was played is kept.
        """
        while not self._pool.over:
            self._pool.poll()
            report(self.done, len(self.seeds))
        return self.done == len(self.seeds)

    def write(self, file: Path) -> int:
        """Write the experience as Aegis JSONL and return how many steps it has.

        Raises:
            OSError: What the disk refuses.
        """
        count = sum(len(self.episodes[seed]) for seed in self.seeds)
        with whole_file(file) as stream:
            stream.write(f"{exchange_jsonl.header(count)}\n".encode("ascii"))
            for line in self._lines():
                stream.write(f"{line}\n".encode("ascii"))
        return count

    def _lines(self) -> Iterator[str]:
        run = f"collected-{self.fingerprint[:12]}"
        began = exchange_jsonl.parse(self.episodes[self.seeds[0]][0]).experience.started
        described = RunRow(run, self.who.name, 0, began, began, "collected")
        step = 0
        for number, seed in enumerate(self.seeds, start=1):
            whole = [exchange_jsonl.parse(text) for text in self.episodes[seed]]
            keys = _keys(self.fingerprint, [parsed.experience for parsed in whole])
            for index, (parsed, key) in enumerate(zip(whole, keys, strict=True)):
                step += 1
                found = evolve(parsed.experience, step=step, run=run, episode=number, key=key)
                episode = EpisodeRow(
                    number, run, self.task.name, seed, found.view.goal, self._origin, step, True
                )
                yield exchange_jsonl.line(
                    found,
                    parsed.finished,
                    described if step == 1 else None,
                    episode if index == 0 else None,
                )

    def _take(self, seed: int, lines: list[str], *, completed: bool) -> None:
        self.episodes[seed] = lines
        self.completed |= {seed} if completed else set()

    def _piece(self, seeds: tuple[int, ...]) -> Piece:
        who, exploring = self.who, self._exploring
        play = PlayingJob(
            workplace=who.workplace,
            environment=seat_of(self.task.environment),
            content=self.task.content,
            player=who.player,
            greedy=who.greedy,
            seeds=seeds,
            seconds=NO_DEADLINE,
            grace=GRACE,
        )
        job = CollectingJob(
            play=play,
            seconds=play.seconds,
            grace=play.grace,
            task=self.task.name,
            generator=self.task.rules,
            origin=self._origin,
            epsilon=exploring.epsilon,
            temperature=exploring.temperature,
        )

        begun: list[str] = []

        def take(message: Mapping[str, Any]) -> None:
            match message:
                case {"recorded": {"lines": list(lines), "over": False}}:
                    begun.extend(lines)
                case {"recorded": {"seed": int(seed), "lines": list(lines), "completed": bool(it)}}:
                    whole = [*begun, *lines]
                    begun.clear()
                    kept = {"seed": seed, "lines": whole, "completed": it}
                    self._kept.add(json.dumps(kept, separators=(",", ":")).encode("ascii"))
                    self._take(seed, whole, completed=it)

        def ended() -> None:
            left = set(seeds) - self.episodes.keys()
            if left:
                message = f"a process ended with {len(left)} episodes unplayed"
                raise EvaluationError(
                    Problem(
                        "collecting-incomplete",
                        message,
                        fix="run it again, without --fresh: it goes on where it stopped",
                    )
                )

        return Piece(COLLECTOR, job, f"the play of {who.name}", take, ended)

    def _digest(self) -> str:
        facts = [
            _FORMAT,
            self.who.fingerprint(self.task),
            self.task.split,
            self._origin,
            self._exploring.epsilon,
            self._exploring.temperature,
        ]
        return hashlib.sha256(json.dumps(facts).encode("ascii")).hexdigest()


def _keys(fingerprint: str, episode: Sequence[Experience]) -> list[str]:
    """Return a key for each step that it has again when the same episode is collected again.

    An episode that went otherwise, though nothing that is known of it had changed, has none of
    them: its steps are never put behind those of the other one.
    """
    whole = hashlib.sha256(f"{fingerprint} {episode[0].seed}".encode("ascii"))
    for step in episode:
        action = step.decision.action
        facts = [step.view.render(), None if action is None else action.key, step.reward]
        whole.update(json.dumps(facts).encode("ascii"))
    return [
        hashlib.sha256(f"{whole.hexdigest()} {index}".encode("ascii")).hexdigest()
        for index in range(1, len(episode) + 1)
    ]
