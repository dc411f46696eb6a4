"""What comes back from an action: documents, results, outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import field, frozen

from aegis.contracts.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

Status = Literal["ok", "partial", "empty", "error", "timeout", "denied"]
STATUSES: Final[tuple[Status, ...]] = ("ok", "partial", "empty", "error", "timeout", "denied")


@frozen
class Document:
    """Something that a tool found or made, with where it comes from.

    Attributes:
        source: Where it lives: ``library``, ``arxiv``, ``note``, ... (a component name).
        identifier: Stable name within the source, the same over versions (``2106.09685``).
        title: One line.
        text: Plain text: an abstract, a note, the text of a file.
        url: Address or path for people; empty where there is none.
        version: Version within the source, 0 where it has none.
        authors: Names, in order.
        published: ISO date or empty.
        tags: Subject categories or tags.
        references: Identifiers or slugs of other documents that it names.
        withdrawn: Whether the source says that it was withdrawn.
    """

    source: str
    identifier: str
    title: str
    text: str
    url: str = ""
    version: int = 0
    authors: tuple[str, ...] = ()
    published: str = ""
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    withdrawn: bool = False


@frozen
class Reading:
    """What reading one document gave.

    Attributes:
        ref: The reference of the document that was read.
        sentences: Its key sentences, in the document's order.
        terms: Its characteristic terms, strongest first.
        references: Other works that it names (identifiers, slugs, links).
    """

    ref: str
    sentences: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@frozen
class ToolResult:
    """What a tool returns from a call.

    Attributes:
        status: ``ok``: everything asked for. ``partial``: something is missing and the message
            says what. ``empty``: the question was answered and there is nothing. ``error``,
            ``timeout``: it was not answered. ``denied``: not allowed.
        message: One line for people; required for anything but ``ok``.
        documents: What was found or made.
        readings: What was read.
        retry_after: Seconds for which calling again is pointless; 0 where unknown.
        unreachable: Whether the whole tool is out of reach (no network), not only this call.
    """

    status: Status
    message: str = ""
    documents: tuple[Document, ...] = ()
    readings: tuple[Reading, ...] = ()
    retry_after: float = 0.0
    unreachable: bool = False


@frozen
class Outcome:
    """How a decision went, as the ledger keeps it.

    Attributes:
        status: As in `ToolResult`.
        message: One line for people.
        gained: New relevant items of knowledge.
        seconds: Wall time of the call, by a monotonic clock.
        items: References of the knowledge items that came back, new or known.
    """

    status: Status
    message: str = ""
    gained: int = 0
    seconds: float = 0.0
    items: tuple[str, ...] = ()


@frozen
class StepResult:
    """What an environment returns from one step.

    Attributes:
        view: The next view; of no meaning where `done`, `reset` begins the next episode.
        outcome: How the action went.
        reward: The reward of this step, finite.
        done: Whether the episode ended with this step.
        goal_completed: Whether it ended because the goal was reached.
        info: Facts for reports (JSON); never shown to an engine.
    """

    view: View
    outcome: Outcome
    reward: float
    done: bool = False
    goal_completed: bool = False
    info: Mapping[str, Any] = field(factory=dict)
