"""A contest: contenders play the same seeds of a task, in processes side by side.

Every episode is kept as soon as it is over, under a digest of everything that it follows from. So
a contest that was stopped goes on where it stopped, and what was played once is not played again.

    with Contest(folder, project.folder, task, contenders, range(200), jobs=2) as contest:
        contest.run(show)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from attrs import define, field

from aegis.config.structure import from_json
from aegis.errors import EvaluationError, Problem
from aegis.evaluation.episode import Episode, EpisodeFile
from aegis.evaluation.playing_job import PlayingJob
from aegis.host.seat import seat_of
from aegis.jobs.job_file import write_json
from aegis.jobs.kept_lines import keeping
from aegis.jobs.pool import GRACE, NO_DEADLINE, Piece, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from aegis.evaluation.contender import Contender
    from aegis.evaluation.task import Task

PLAYER: Final = "aegis.evaluation.playing_main"

_DIGITS: Final = 32
"""Of a fingerprint, as names of folders show it."""


@define(eq=False)
class Standing:
    """How far a contender is.

    Attributes:
        contender: Who plays.
        file: Where its episodes are kept.
        seeds: What it has to play.
        episodes: What it has played, by seed; other seeds may be among them.
        known: How many of the seeds had been played before this contest.
    """

    contender: Contender
    file: EpisodeFile
    seeds: tuple[int, ...]
    episodes: dict[int, Episode]
    known: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.known = self.done

    @property
    def done(self) -> int:
        """How many of the seeds are played."""
        return sum(seed in self.episodes for seed in self.seeds)

    @property
    def missing(self) -> list[int]:
        """The seeds that are left."""
        return [seed for seed in self.seeds if seed not in self.episodes]

    def result(self) -> list[Episode]:
        """Return its episodes in the order of the seeds; all of them must be played."""
        return [self.episodes[seed] for seed in self.seeds]


class Contest:
    """Contenders that play the same seeds. Use it as a context manager, from one thread.

    Args:
        folder: Where episodes are kept (``data/run/evaluations``).
        project: The project's folder.
        task: What is played.
        contenders: Who plays, in the order of the table.
        seeds: Seeds of the episodes.
        jobs: Processes side by side.
        fresh: Whether episodes that were kept are put aside and played again.
    """

    def __init__(
        self,
        folder: Path,
        project: Path,
        task: Task,
        contenders: Iterable[Contender],
        seeds: Sequence[int],
        *,
        jobs: int,
        fresh: bool = False,
    ) -> None:
        self._task, self._jobs = task, jobs
        self._places: dict[Path, Standing] = {}
        self.standings = [self._standing(folder, one, tuple(seeds), fresh) for one in contenders]
        self._pool = Pool(
            project,
            jobs,
            code="evaluation",
            error=EvaluationError,
            memory_fix="use an engine that takes less, or fewer --jobs",
        )
        for piece in self._pieces():
            self._pool.add(piece)

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.__exit__()

    @property
    def complete(self) -> bool:
        """Whether every contender has played every seed."""
        return not any(standing.missing for standing in self.standings)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._pool.stopping

    def stop(self) -> None:
        """Ask the processes to end; may be called from a signal handler."""
        self._pool.stop()

    def run(self, seen: Callable[[Contest], None]) -> None:
        """Play until it is over, showing where it stands now and then.

        Raises:
            AegisError: What went wrong in a process; those beside it are ended. What was played
                is kept.
        """
        while not self._pool.over:
            self._pool.poll()
            seen(self)

    def _standing(
        self, folder: Path, contender: Contender, seeds: tuple[int, ...], fresh: bool
    ) -> Standing:
        place = folder / contender.fingerprint(self._task)[:_DIGITS]
        if (same := self._places.get(place)) is not None:  # another name of the same policy
            return Standing(contender, same.file, seeds, same.episodes)
        file = EpisodeFile(place / "episodes.txt")
        if fresh:
            file.put_aside()
        standing = self._places[place] = Standing(contender, file, seeds, file.read())
        about = place / "about.json"
        with keeping(place):
            if standing.missing and not about.exists():
                place.mkdir(parents=True, exist_ok=True)
                write_json(about, _about(contender, self._task))
        return standing

    def _pieces(self) -> Iterator[Piece]:
        """Yield what is left to play, every contender's seeds shared among the processes."""
        for standing in self._places.values():
            missing = standing.missing
            for first in range(min(self._jobs, len(missing))):
                yield self._piece(standing, tuple(missing[first :: self._jobs]))

    def _piece(self, standing: Standing, seeds: tuple[int, ...]) -> Piece:
        contender = standing.contender
        job = PlayingJob(
            workplace=contender.workplace,
            environment=seat_of(self._task.environment),
            content=self._task.content,
            player=contender.player,
            greedy=contender.greedy,
            seeds=seeds,
            seconds=NO_DEADLINE,
            grace=GRACE,
        )

        def take(message: Mapping[str, Any]) -> None:
            match message:
                case {"episode": dict(values)}:
                    episode = from_json(Episode, values)
                    standing.file.add(episode)
                    standing.episodes.setdefault(episode.seed, episode)

        def ended() -> None:
            left = set(seeds) - standing.episodes.keys()
            if left:
                raise EvaluationError(
                    Problem(
                        "evaluation-incomplete",
                        f"the process that played {contender.name} ended with {len(left)} "
                        "episodes unplayed",
                        fix="run it again, without --fresh: it goes on where it stopped",
                    )
                )

        return Piece(PLAYER, job, f"the play of {contender.name}", take, ended)


def _about(contender: Contender, task: Task) -> dict[str, Any]:
    """Return what a person who opens the folder wants to know."""
    return {
        "task": task.name,
        "split": task.split,
        "rules": task.version,
        "contender": contender.name,
        "model": contender.model,
        "checkpoint": contender.checkpoint,
        "greedy": contender.greedy,
    }
