"""The old system's training file: one JSON object with ``examples``, as experience.

What becomes of one example:

- its view is the state: the first active goal, ``top_curiosity`` as gaps, ``recent_knowledge`` as
  facts, the counters and the other lists as observation;
- its action is the call with its arguments; what the call's text was counts as written text, so
  that the row can train a text loss. There are no candidates: the old system recorded none;
- its outcome follows from the result, its reward from the outcome and the table given;
- the example itself is kept word for word (as JSON) in ``extra``.

A new episode begins where the active goals change, where ``iteration`` does not go up, and at
an example that says neither.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from aegis.contracts.action import Action
from aegis.contracts.names import is_name
from aegis.contracts.outcome import Outcome
from aegis.contracts.view import View
from aegis.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.config.settings import RewardSettings
    from aegis.contracts.outcome import Status
    from aegis.learning.exchange_report import ImportReport

FORMAT: Final = "aegis-v1"

_SLOTS: Final = {
    "web_search": "query",
    "ask_human": "question",
    "propose_improvement": "proposal",
    "learn": "focus",
    "explore": "domain",
    "idle": None,
    "finish": "answer",
}
"""The free text of each action. ``finish`` is none of the old system's, but files have it."""
_KNOWN: Final = frozenset(_SLOTS) - {"finish"}
_ABOUT_THE_DECISION: Final = frozenset(
    {
        "action",
        "reasoning",
        "confidence",
        "raw_generation",
        "goal_id",
        "motivation",
        "neural_decision",
        "ponder_cost",
    }
)
"""Keys of an action that are no arguments of the call."""
_SEEKING: Final = frozenset({"web_search", "learn", "explore"})
"""Actions that are expected to bring knowledge; to come back with nothing costs."""

_COUNTERS: Final = ("goal_count", "curiosity_count", "knowledge_count", "questions_asked")
_LISTS: Final = (
    "active_goals",
    "goal_types",
    "top_curiosity",
    "recent_knowledge",
    "recent_actions",
)
_STATUSES: Final[dict[str, Status]] = {
    "completed": "ok",
    "approved": "ok",
    "auto_approved": "ok",
    "proposed": "partial",
    "pending_approval": "partial",
    "already_pending": "partial",
    "partial": "partial",
    "idle": "empty",
    "empty": "empty",
    "failed": "error",
    "error": "error",
    "timeout": "timeout",
    "rejected": "denied",
    "denied": "denied",
}
_FOUND: Final = re.compile(r"Found and integrated (\d{1,9}) knowledge items?")
_MOST: Final = 10**9
"""Items that one step can have brought, beyond which a number is no count."""
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@frozen
class Example:
    """One example of the file, read.

    Attributes:
        number: Its place in the file, from 1.
        key: Digest of its content, what makes it the same example in another file.
        content: The example itself, as JSON.
        started: When it was recorded, as the file says, or empty.
        goals: Its active goals, or None where the file does not say.
        iteration: The old system's counter, or None.
        view: What was shown, the step number left at 1.
        action: The call, or None where it is not known.
        text: What was written into the call, or None.
        outcome: How it went.
        reward: By the table given.
    """

    number: int
    key: str
    content: str
    started: str
    goals: tuple[str, ...] | None
    iteration: int | None
    view: View
    action: Action | None
    text: str | None
    outcome: Outcome
    reward: float

    def begins_episode(self, before: Example | None) -> bool:
        """Return whether an episode begins with this example, given the one before."""
        if before is None or (self.goals is None and self.iteration is None):
            return True
        if self.goals != before.goals:
            return True
        if self.iteration is None or before.iteration is None:
            return False
        return self.iteration <= before.iteration


def load(text: str, report: ImportReport) -> Any:
    """Return the JSON value that `text` holds, with what JSON does not have made harmless.

    ``NaN`` and infinities become texts; of a key that occurs twice both values are kept.

    Raises:
        ValueError: If it is not JSON (`json.JSONDecodeError` knows line and column).
        RecursionError: If it is nested too deeply.
    """

    def both(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            values = {}
            for key, value in pairs:
                if key in values:
                    report.repeated_keys[plain(key)] += 1
                values[_free(key, values)] = value
        return values

    return json.loads(text, parse_constant=str, parse_float=_finite, object_pairs_hook=both)


def examples(document: Any, where: str) -> list[Any]:
    """Return the examples of a file.

    Raises:
        InputError: If the document is not the old system's file.
    """
    found = document.get("examples") if isinstance(document, dict) else None
    if isinstance(found, list):
        return found
    raise InputError.of(
        "exchange-unknown",
        "neither Aegis JSONL nor the old system's training data: expected a header line "
        '{"aegis": "experience", ...}, or one JSON object with a list "examples"',
        where=where,
        fix="`aegis data export FILE` writes the first, the old system's data_collector the second",
    )


def read(record: Any, number: int, rewards: RewardSettings, report: ImportReport) -> Example | None:
    """Return an example, or None where it is no object; count what is odd about it."""
    if not isinstance(record, dict):
        report.reject(number, f"expected an object, found {_kind(record)}")
        return None
    content = json.dumps(record, separators=(",", ":"))
    if _SURROGATES.search(json.dumps(record, ensure_ascii=False)):
        report.cleaned += 1
    look = _Look(report)
    for name in ("timestamp", "example_id"):
        look.require(record, name)
    name, action, text = _action(look, record)
    outcome, reward = _outcome(look, record, name, rewards)
    state = look.table(record, "state")
    lists = {key: look.texts(state, key) for key in _LISTS}
    started = record.get("timestamp")
    return Example(
        number=number,
        key=f"import:{hashlib.sha256(_canonical(record)).hexdigest()}",
        content=content,
        started=plain(started) if isinstance(started, str) else "",
        goals=lists["active_goals"],
        iteration=look.count(state, "iteration"),
        view=_view(lists, {key: look.count(state, key) for key in _COUNTERS}),
        action=action,
        text=text,
        outcome=outcome,
        reward=reward,
    )


@frozen
class _Look:
    """Looks values up and counts in the report what is missing or odd."""

    report: ImportReport = field()

    def require(self, table: dict[str, Any] | None, name: str, path: str = "") -> Any:
        if table is None:
            return None
        if name not in table:
            self.report.missing_keys[path + name] += 1
        return table.get(name)

    def table(self, table: dict[str, Any], name: str) -> dict[str, Any] | None:
        value = self.require(table, name)
        if name in table and not isinstance(value, dict):
            self.odd(name, value)
        return value if isinstance(value, dict) else None

    def count(self, state: dict[str, Any] | None, name: str) -> int | None:
        value = self.require(state, name, "state.")
        if value is None or (type(value) is int and abs(value) <= _MOST):
            return value
        self.odd(f"state.{name}", value)
        return None

    def texts(self, state: dict[str, Any] | None, name: str) -> tuple[str, ...] | None:
        value = self.require(state, name, "state.")
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self.odd(f"state.{name}", value)
        return None

    def odd(self, path: str, value: object) -> None:
        self.report.odd_values[f"{path}: {_kind(value)}"] += 1


def _view(lists: dict[str, tuple[str, ...] | None], counters: dict[str, int | None]) -> View:
    goals = lists["active_goals"] or ()
    observation = [f"{name} {value}" for name, value in counters.items() if value is not None]
    for name in ("goal_types", "recent_actions"):
        words = lists[name]
        observation += [f"{name} {', '.join(words)}"] if words else []
    observation += [f"other goal {goal}" for goal in goals[1:]]
    return View(
        goal=goals[0] if goals else "",
        facts=lists["recent_knowledge"] or (),
        gaps=lists["top_curiosity"] or (),
        observation=tuple(observation),
    )


def _action(look: _Look, record: dict[str, Any]) -> tuple[str, Action | None, str | None]:
    """Return the action's name, the call and the text written into it, as far as known."""
    raw = record.get("action")
    name = raw.get("action") if isinstance(raw, dict) else None
    if "action" not in record:
        look.require(record, "action")
    if raw is not None and not isinstance(raw, dict):
        look.odd("action", raw)
    if isinstance(raw, dict) and name is not None and not isinstance(name, str):
        look.odd("action.action", name)
    if not isinstance(raw, dict) or not isinstance(name, str):
        if isinstance(raw, dict) and "action" not in raw:
            look.require(raw, "action", "action.")
        look.report.null_actions += 1
        return "", None, None
    if name not in _KNOWN:
        look.report.unknown_actions[plain(name)] += 1
    if not is_name(name):  # it would stand unescaped in what an engine reads
        return name, None, None
    slot = _SLOTS.get(name)
    written = look.require(raw, slot, "action.") if slot is not None else None
    arguments = {key: value for key, value in raw.items() if key not in _ABOUT_THE_DECISION}
    if name == "idle":
        arguments.pop("reason", None)
    text = plain(written) if isinstance(written, str) else None
    return name, Action(name, arguments), text


def _outcome(
    look: _Look, record: dict[str, Any], name: str, rewards: RewardSettings
) -> tuple[Outcome, float]:
    """Return how it went and what that is worth."""
    result = look.table(record, "result")
    if result is None:
        return Outcome("partial", "no result was recorded"), 0.0
    said, status = result.get("result"), _status(look, result)
    message = _message(result)
    gained = _gained(look, result, message)
    if status == "ok" and (message == "No Results" or gained == 0):
        status = "empty"
    if isinstance(said, dict) and isinstance(said.get("status"), str):
        status = _STATUSES.get(said["status"], status)
    outcome = Outcome(status, message, gained or 0)
    return outcome, rewards.step + _reward(name, outcome, rewards)


def _status(look: _Look, result: dict[str, Any]) -> Status:
    raw = look.require(result, "status", "result.")
    status = _STATUSES.get(raw) if isinstance(raw, str) else None
    if status is None and raw is not None:
        shown = raw if isinstance(raw, str) and is_name(raw) else _kind(raw)
        look.report.odd_values[f"result.status: {shown}"] += 1
    return status or "partial"


def _message(result: dict[str, Any]) -> str:
    said = result.get("result", result.get("reason", ""))
    return " ".join(plain(said if isinstance(said, str) else json.dumps(said)).split())


def _gained(look: _Look, result: dict[str, Any], message: str) -> int | None:
    """Return how many items came, or None where the result does not say."""
    found = _FOUND.search(message)
    if found:
        return int(found[1])
    stated = result.get("knowledge_gained")
    if stated is None:
        return None
    if type(stated) is int and 0 <= stated <= _MOST:
        return stated
    look.odd("result.knowledge_gained", stated)
    return None


def _reward(name: str, outcome: Outcome, rewards: RewardSettings) -> float:
    if outcome.gained:
        return outcome.gained * rewards.new_item
    if outcome.status in {"error", "timeout"} or outcome.message == "incorrect":
        return rewards.failed_search
    if outcome.message == "correct":
        return rewards.goal_completed
    if outcome.status == "empty" and name in _SEEKING:
        return rewards.failed_search
    return 0.0


def _finite(digits: str) -> float | str:
    """Return a number, or its text where no float holds it (``1e999``)."""
    number = float(digits)
    return number if math.isfinite(number) else digits


def _canonical(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode("ascii")


def _free(key: str, taken: dict[str, Any]) -> str:
    """Return a key under which a second value can be kept."""
    number, free = 2, key
    while free in taken:
        free, number = f"{key} ({number})", number + 1
    return free


def plain(text: str) -> str:
    """Return text that can be stored: halves of surrogate pairs become U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)


def _kind(value: object) -> str:
    names: Sequence[tuple[type | tuple[type, ...], str]] = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "a text"),
        (list, "a list"),
        (dict, "an object"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "null")
