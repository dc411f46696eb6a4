"""research-gym: seeded practice in finding what belongs to a topic (rules of version 1).

A topic is a seed document of the corpus. The goal names it by its title; relevant are its `k`
nearest documents by TF-IDF, and they stay hidden. The policy searches, reads what it found,
writes one note and finishes: +1 for each relevant document read first, -0.25 for an irrelevant
one, -0.05 a step, and 0.02 for each relevant document that the note cites. A tenth of the tool
calls fail, decided by the seed and the call, so that every policy meets the same failures.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from attrs import define, field, frozen

from aegis.contracts.capabilities import EnvironmentCapabilities
from aegis.contracts.outcome import Outcome, StepResult
from aegis.errors import InputError
from aegis.evaluation.gym.desk import FINISH, NOTE, READ, SEARCH, Desk, call_of
from aegis.evaluation.gym.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from aegis.contracts.action import Action
    from aegis.contracts.outcome import Status
    from aegis.contracts.roles import Engine
    from aegis.contracts.view import View
    from aegis.evaluation.gym.index import GymIndex
    from aegis.evaluation.gym.relevance import Relevance

STEPS: Final = 40
FAILURES: Final = 0.10
RELEVANT_READ: Final = 1.0
IRRELEVANT_READ: Final = -0.25
STEP: Final = -0.05
CITED: Final = 0.02

Split = Literal["practice", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("practice", "validation", "test")

_FAILURES: Final[tuple[Status, ...]] = ("error", "timeout", "empty", "partial")
_PARTIAL_RESULTS: Final = 2
_MESSAGES: Final = {
    "error": "the call failed",
    "timeout": "no answer in time",
    "empty": "nothing came back",
    "partial": "only a part came back",
}


def split_of(identifier: str) -> Split:
    """Return the split of a topic: sha256 of its id, modulo 5."""
    rest = int(hashlib.sha256(identifier.encode("utf-8")).hexdigest(), 16) % 5
    return "test" if rest == 0 else "validation" if rest == 1 else "practice"


def relevant_by_default(documents: int) -> int:
    """Return `k` for a corpus of that size: 20, or 8 for one of up to 2,000 documents."""
    return 20 if documents > 2000 else 8


def failure_of(seed: int, call: str, attempt: int, share: float) -> Status | None:
    """Return how a call fails, or None where it does not.

    Uniform over (seed, call, attempt), hence the same whatever was done before it.
    """
    digest = hashlib.blake2b(f"{seed} {attempt} {call}".encode(), digest_size=8).digest()
    drawn = int.from_bytes(digest, "big") / 2**64
    return _FAILURES[int(drawn / share * len(_FAILURES))] if drawn < share else None


def topics_of(index: GymIndex, split: Split) -> tuple[int, ...]:
    """Return the topics of a split, in the order in which seeds 0, 1, 2, ... take them.

    A document without any term that counts for relevance has no neighbours and is no topic.
    """
    usable = index.relevance.has_vector()
    chosen = [d for d, i in enumerate(index.ids) if usable[d] and split_of(i) == split]
    return tuple(sorted(chosen, key=lambda d: hashlib.sha256(index.ids[d].encode()).digest()))


@frozen(eq=False)
class Judge:
    """What is hidden from the policy: which documents are relevant to the topic.

    Attributes:
        relevant: The relevant documents.
    """

    relevant: frozenset[int]

    @classmethod
    def of(cls, relevance: Relevance, document: int, k: int) -> Judge:
        """Return the judge of a topic."""
        return cls(frozenset(relevance.nearest(document, k)))

    def reading(self, document: int) -> float:
        """Return the reward for reading a document for the first time."""
        return RELEVANT_READ if document in self.relevant else IRRELEVANT_READ

    def count(self, documents: Sequence[int]) -> int:
        """Return how many of some distinct documents are relevant."""
        return len(self.relevant.intersection(documents))


@define(eq=False)
class ResearchGym:
    """The environment `research-gym` over one corpus.

    Attributes:
        index: The indexed corpus.
        split: Which topics are played.
        k: How many documents are relevant to a topic; 0 for the corpus' default.
        steps: Steps of an episode at most.
        failures: Share of the tool calls that fail, 0 to 1.
    """

    index: GymIndex
    split: Split = "practice"
    k: int = 0
    steps: int = STEPS
    failures: float = FAILURES
    capabilities: EnvironmentCapabilities = field(init=False, repr=False)
    topics: tuple[int, ...] = field(init=False, repr=False)
    _scratch: npt.NDArray[np.float64] = field(init=False, repr=False)
    _episode: Episode | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.capabilities = EnvironmentCapabilities(version=VERSION, seeded=True, splits=True)
        self.k = self.k or relevant_by_default(len(self.index.ids))
        self._scratch = np.zeros(len(self.index.search.terms))
        self.topics = topics_of(self.index, self.split)
        if not self.topics:
            raise InputError.of(
                "corpus-too-small",
                f"no document of the corpus ({len(self.index.ids)}) can be a topic of {self.split}",
                fix="give a corpus of some hundred documents",
            )

    def reset(self, seed: int) -> View:
        """Begin the episode of a seed and return its first view.

        Seeds 0 to ``len(topics) - 1`` have distinct topics; further ones repeat them with other
        failures.
        """
        document = self.topics[seed % len(self.topics)]
        desk = Desk(self.index.search, document, self.steps, self._scratch)
        self._episode = Episode(seed, desk, Judge.of(self.index.relevance, document, self.k))
        return desk.view()

    def candidates(self, view: View) -> Sequence[Action]:  # noqa: ARG002 - the role's signature; the episode knows its own step
        """Return the legal candidates of the current step, at most 24; none after the end."""
        episode = self.episode
        return () if episode.over else episode.desk.candidates()

    def step(self, action: Action) -> StepResult:
        """Carry out one of the candidates.

        Raises:
            InputError: If the action is no candidate of this step, or no episode is running.
        """
        episode = self.episode
        offered = episode.offered(action)
        outcome, earned = episode.carry_out(offered, self._failure(offered))
        episode.desk.end_step(offered, outcome.status, outcome.gained)
        finished = offered.tool == FINISH
        episode.over = finished or episode.desk.step > self.steps
        return StepResult(
            view=episode.desk.view(),
            outcome=outcome,
            reward=earned + STEP,
            done=episode.over,
            goal_completed=finished and episode.desk.complete,
            info=episode.facts(self.index.ids),
        )

    @property
    def episode(self) -> Episode:
        """The running episode, hidden part included: for the oracle and reports only."""
        if self._episode is None:
            raise InputError.of("gym-not-reset", "no episode was begun", fix="call reset(seed)")
        return self._episode

    def experts(self) -> dict[str, Sequence[Engine]]:
        """Return the oracle, and the oracles whose best return shows what the candidates allow."""
        from aegis.evaluation.gym.oracle import Oracle, noisy_oracles

        return {"oracle": [Oracle(self)], "best-in-candidates": noisy_oracles(self)}

    def _failure(self, action: Action) -> Status | None:
        if action.tool == FINISH:
            return None
        attempt = self.episode.desk.attempt(action)
        return failure_of(self.episode.seed, call_of(action), attempt, self.failures)


@define(eq=False)
class Episode:
    """One episode: the desk that the policy sees, the judge that it does not.

    Attributes:
        seed: Its seed.
        desk: What is visible.
        judge: What is relevant.
        over: Whether it has ended.
    """

    seed: int
    desk: Desk
    judge: Judge
    over: bool = False

    def offered(self, action: Action) -> Action:
        """Return the candidate of the current step that makes the same call as `action`."""
        if self.over:
            raise InputError.of("gym-episode-over", "the episode has ended", fix="call reset(seed)")
        candidates = self.desk.candidates()
        if any(candidate is action for candidate in candidates):
            return action
        for candidate in candidates:  # an action that was recorded and read again
            if candidate.key == action.key:
                return candidate
        raise InputError.of(
            "gym-no-candidate",
            f"{action.render()!r} is no candidate of step {self.desk.step}",
            fix="pass one of candidates(view)",
        )

    def carry_out(self, action: Action, failure: Status | None) -> tuple[Outcome, float]:
        """Return the outcome, and the reward but for the step's own cost."""
        if action.tool == SEARCH:
            return self._search(action, failure), 0.0
        if failure is not None:
            return Outcome(failure, _MESSAGES[failure]), 0.0
        if action.tool == READ:
            return self._read(action)
        if action.tool == NOTE:
            return self._note()
        return Outcome("ok", "finished"), 0.0

    def _search(self, action: Action, failure: Status | None) -> Outcome:
        query, page = action.arguments["query"], action.arguments["page"]
        if failure is not None and failure != "partial":
            return Outcome(failure, _MESSAGES[failure])
        documents = self.desk.results(query, page)
        if failure == "partial":
            new = self.desk.lay(documents[:_PARTIAL_RESULTS], page)
            return Outcome("partial", _MESSAGES["partial"], gained=len(new), items=tuple(new))
        new = self.desk.lay(documents, page)
        self.desk.answered(query, page, documents)
        if not documents:
            return Outcome("empty", "no results")
        return Outcome("ok", gained=len(new), items=tuple(new))

    def _read(self, action: Action) -> tuple[Outcome, float]:
        ref = action.arguments["document"]
        found = self.desk.learn(ref)
        # `gained` counts what was read, relevant or not: what is recorded is shown.
        return Outcome("ok", gained=1, items=(ref,)), self.judge.reading(found.document)

    def _note(self) -> tuple[Outcome, float]:
        self.desk.noted = True
        return Outcome("ok", "noted"), CITED * self.relevant_read

    @property
    def relevant_read(self) -> int:
        """How many of the relevant documents were read."""
        return self.judge.count([found.document for found in self.desk.read.values()])

    def facts(self, ids: Sequence[str]) -> dict[str, object]:
        """Return the facts for reports."""
        return {
            "topic": ids[self.desk.seed_document],
            "relevant": len(self.judge.relevant),
            "relevant_read": self.relevant_read,
            "read": len(self.desk.read),
        }
