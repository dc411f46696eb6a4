"""The roles that plugins fill, as protocols: implement the methods, inherit nothing.

The host checks the interface of every object that ``build`` returns (`aegis.host.interface`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from aegis.contracts.action import Action
    from aegis.contracts.capabilities import EngineCapabilities, TokenizerCapabilities
    from aegis.contracts.experience import Experience
    from aegis.contracts.outcome import Document, StepResult, ToolResult
    from aegis.contracts.scores import Scores
    from aegis.contracts.view import View


@frozen
class Written:
    """Text that an engine wrote into a slot.

    Attributes:
        text: One line.
        log_probability: Of the text, under the engine and the constraints in force.
        tokens: How many it took.
    """

    text: str
    log_probability: float
    tokens: int = 0


class Engine(Protocol):
    """The policy: gives every candidate a log-probability.

    An engine may have one more property, `remarks`, that says something about its last `score`:

        @property
        def remarks(self) -> Mapping[str, float]:
            return {"segments": 3, "cut": 2}

    At most 16 names (lower-case letters, digits, - and _) with finite numbers: how many segments
    of computation it took, how many items of the view were left out because they did not fit. The
    host reads it right after each `score` and records it with the decision
    (`aegis.Decision.remarks`). An engine without it remarks nothing.
    """

    capabilities: EngineCapabilities

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:
        """Return one log-probability a candidate, shape (n,), with logsumexp 0."""
        ...

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item."""
        ...

    def write(self, view: View, action: Action, slot: str) -> Written:
        """Return text for the open slot; called only where ``capabilities.writes_text``."""
        ...

    def save(self, directory: Path) -> None:
        """Write everything needed to serve the engine again into an empty folder."""
        ...

    def close(self) -> None:
        """Give back memory and files; the engine is not used afterwards."""
        ...


class Tokenizer(Protocol):
    """Text to ids and back."""

    capabilities: TokenizerCapabilities

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; no special token is made from its content."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of `ids`."""
        ...

    def save(self, directory: Path) -> None:
        """Write the tokenizer's files into a folder."""
        ...


class ExperienceDataset(Protocol):
    """Steps selected for a trainer, in a fixed order."""

    @property
    def returns(self) -> Sequence[float]:
        """Return-to-go of each step, (n,).

        The discounted sum of its episode's rewards from this step on, computed over the whole
        episode before any step was left out.
        """
        ...

    @property
    def advantages(self) -> Sequence[float]:
        """How much better than usual each step went, (n,); above 0 where it paid.

        The return-to-go less its mean over comparable steps, in units of its standard deviation;
        0 where nothing is comparable.
        """
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Experience: ...

    def __iter__(self) -> Iterator[Experience]: ...


@frozen
class TrainingContext:
    """What a trainer is told.

    Attributes:
        seed: All of its randomness derives from this.
        directory: Empty folder for the result.
        state: Folder where the trainer keeps what it needs to go on after an interruption. What
            it writes there at any time is handed back as `resume_from`, also after a crash.
        resume_from: Folder of an interrupted training's state to go on with, or None.
        deadline: `time.monotonic()` at which it must have stopped.
        should_stop: True once it should save and return.
        report: Takes metrics (loss, examples, seconds) at any time.
        validation: Held-out steps; no episode of the training data is among them.
        in_order: Whether the training data goes from simple to hard and is best trained on in
            this order (``[learning].curriculum``), not shuffled. `aegis.neural` keeps to it.
    """

    seed: int
    directory: Path
    state: Path
    resume_from: Path | None
    deadline: float
    should_stop: Callable[[], bool]
    report: Callable[[Mapping[str, float]], None]
    validation: ExperienceDataset
    in_order: bool = False


@frozen
class TrainingResult:
    """What a trainer returns: the folder it wrote, and what it did.

    Attributes:
        directory: Folder of the result: everything that ``build`` needs beside `needs`.
        metrics: Final figures (``loss``, ``held_out_loss``, ``trainable_parameters``,
            ``total_parameters``, ...).
        examples: Examples that were trained on, each counted once.
        epochs: Passes over them, a part of one included.
        stopped_because: ``finished``, ``early`` (the held-out loss no longer falls), ``deadline``,
            ``interrupted`` (`should_stop`; the state is kept), or ``diverged``.
        needs: What the result is served with beside its own files, by name (``base_model``,
            ``base_weights``); named in the checkpoint's manifest.
    """

    directory: Path
    metrics: Mapping[str, float]
    examples: int
    epochs: float
    stopped_because: str
    needs: Mapping[str, str] = field(factory=dict)


class Trainer(Protocol):
    """Experience in, candidate checkpoint out."""

    accepts: frozenset[str]

    def train(
        self, engine: Engine, data: ExperienceDataset, context: TrainingContext
    ) -> TrainingResult:
        """Train and write the result into ``context.directory``."""
        ...


@frozen
class ToolSpec:
    """What a tool is.

    Attributes:
        name: The component's name.
        description: One sentence.
        arguments: JSON Schema of the arguments (type object). A property with
            ``"format": "document"`` takes a reference of a knowledge item; the host hands the
            document to the call.
        effects: What a call changes: ``none`` (reads only), ``local`` (writes in the run's
            folder), ``external``.
        idempotent: Whether calling twice with the same key equals calling once.
        timeout: Seconds after which a call is ended.
        stale_after: Seconds after which an answer is worth asking for again; 0 for never.
    """

    name: str
    description: str
    arguments: Mapping[str, Any]
    effects: Literal["none", "local", "external"] = "none"
    idempotent: bool = True
    timeout: float = 30.0
    stale_after: float = 0.0


@frozen
class ToolContext:
    """What a call may use. There is no database in it, and no way to the agent.

    Attributes:
        key: The call's idempotency key; the same when a call is repeated after a crash.
        deadline: `time.monotonic()` at which the call will be ended.
        cache: Folder of the tool's own, kept between runs and safe to delete.
        documents: The documents that arguments of format ``document`` refer to, by reference.
        offline: Whether nothing may touch the network.
    """

    key: str
    deadline: float
    cache: Path
    documents: Mapping[str, Document] = field(factory=dict)
    offline: bool = False


class Tool(Protocol):
    """Something that an agent can do.

    ``candidates`` is called in the agent's process and must be quick and without side effects;
    ``call`` is carried out in the plugin's worker process.
    """

    spec: ToolSpec

    def candidates(self, view: View) -> Iterable[Action | Mapping[str, Any]]:
        """Return legal calls for this view, best first; arguments alone are a call of this tool."""
        ...

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Carry out one call. What it raises is recorded as an outcome with status ``error``."""
        ...


class Environment(Protocol):
    """Where candidates come from and decisions are carried out.

    An environment may have one more method, `experts`, for policies that look behind its views:

        def experts(self) -> Mapping[str, Sequence[Engine]]:
            return {"bot": [Bot(self)]}

    Each decides in this very environment, at its current step. They stand beside the figures of
    other policies, and one of them may be the teacher of demonstrations
    (``aegis data collect --teacher bot``). Where a name has several engines, each plays every
    episode and the best return counts: what could be reached at least.
    """

    def reset(self, seed: int) -> View:
        """Begin an episode and return its first view."""
        ...

    def candidates(self, view: View) -> Sequence[Action]:
        """Return the legal candidates of the current step."""
        ...

    def step(self, action: Action) -> StepResult:
        """Carry out one decision."""
        ...
