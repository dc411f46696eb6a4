"""What one step is in the table ``steps``: experience to columns and back.

Texts are kept as deltas against the step before of the same episode (`aegis.store.delta`), so
that a row holds what its step adds. Every `KEYFRAME` steps the base is empty, which bounds what
has to be read to show one step of a long episode.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from array import array
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aegis.contracts.action import Action
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome
from aegis.contracts.remarks import remark_faults
from aegis.contracts.text import BAR
from aegis.contracts.view import View
from aegis.errors import Problem, StoreError
from aegis.store.delta import apply, delta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import RowMapping


KEYFRAME: Final = 64
_ITEM: Final = BAR.lstrip()
_DEFAULTS: Final[tuple[Any, ...]] = ("", {}, None, "", {})
"""What an action's parts are where they are left out: tool, arguments, slot, about, signals."""

_pack: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
_canonical: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_pack_ascii: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Shown(NamedTuple):
    """What one step showed, as lines: the base for the next step of its episode."""

    view: Sequence[str] = ()
    candidates: Sequence[str] = ()


NOTHING: Final = Shown()


INTENT_COLUMNS: Final = (
    "id", "run", "episode", "idx", "environment", "origin", "seed", "generator", "key", "started",
    "chosen", "tool", "engine", "checkpoint", "text_logp", "plan_logp", "engine_logp",
    "behaviour_logp", "view_digest", "text", "plan", "action", "view_delta", "candidates_delta",
    "extra", "remarks",
)  # fmt: skip
RESULT_COLUMNS: Final = (
    "status", "gained", "seconds", "reward", "done", "finished", "message", "items",
)  # fmt: skip


def is_keyframe(index: int) -> bool:
    """Return whether the step of this index in its episode is stored whole."""
    return index % KEYFRAME == 1


def intent(experience: Experience, base: Shown) -> tuple[tuple[Any, ...], Shown]:
    """Return the values of `INTENT_COLUMNS`, and what the step showed.

    Raises:
        StoreError: ``not-storable`` if the decision contradicts itself, a number is not finite or
            a value is not JSON.
    """
    decision = experience.decision
    _check(experience)
    text = experience.view.render()
    shown = Shown(view_lines(text), _candidate_lines(experience))
    values = (
        experience.step,
        experience.run,
        experience.episode,
        experience.index,
        experience.environment,
        experience.origin,
        experience.seed,
        experience.generator,
        experience.key,
        experience.started,
        decision.chosen,
        None if decision.action is None else decision.action.tool,
        decision.engine,
        decision.checkpoint,
        _single(decision.text_log_probability),
        _single(decision.plan_log_probability),
        _floats(decision.engine_log_probabilities),
        _floats(decision.behaviour_log_probabilities),
        hashlib.sha256(text.encode("utf-8")).hexdigest(),
        decision.text,
        decision.plan,
        _own_action(experience),
        delta(base.view, shown.view),
        delta(base.candidates, shown.candidates),
        experience.extra,
        _remarks(decision),
    )
    return values, shown


def result(outcome: Outcome, reward: float, *, done: bool, finished: str) -> tuple[Any, ...]:
    """Return the values of `RESULT_COLUMNS`.

    Raises:
        StoreError: ``not-storable`` if the reward or the seconds are not finite.
    """
    for name, number in (("reward", reward), ("seconds", outcome.seconds)):
        if not math.isfinite(number):
            raise not_storable(name, f"{number!r} is not a finite number")
    # Adding zero makes 0.0 of -0.0, which SQLite does not keep and the digest would tell apart.
    return (
        outcome.status,
        outcome.gained,
        outcome.seconds + 0.0,
        reward + 0.0,
        int(done),
        finished,
        outcome.message,
        _pack(list(outcome.items)),
    )


def intent_link(previous: str, values: Sequence[object]) -> str:
    """Return the link over the values of `INTENT_COLUMNS`.

    Remarks, which come last, are left out where there are none: a row that was written before the
    column was there has the digest that it had.

    Raises:
        StoreError: As `link`.
    """
    return link(previous, values if values[-1] is not None else values[:-1])


def link(previous: str, values: Iterable[object]) -> str:
    """Return the digest that chains `values` to the digest before: sha256, in hexadecimal.

    A step has two links, one over what was intended and one over how it went, so that an edit is
    noticed also while the result is outstanding.

    Raises:
        StoreError: ``not-storable`` if a text holds half a surrogate pair or a value is of a type
            that the database does not have.
    """
    plain = [value.hex() if isinstance(value, bytes) else value for value in values]
    try:
        content = previous + _canonical(plain)
        return hashlib.sha256(content.encode("utf-8")).hexdigest()
    except TypeError as error:
        raise not_storable("step", str(error)) from error
    except UnicodeEncodeError as error:
        near = content[max(0, error.start - 20) : error.start]
        raise not_storable("text", f"half a surrogate pair after {near!r}") from None


def experience(
    row: RowMapping, base: Shown, parse: Callable[[str], Action]
) -> tuple[Experience, Shown]:
    """Return the experience that a row holds, and what it showed.

    Args:
        row: The row.
        base: What the step before showed.
        parse: `parse_action`, or what remembers its results.

    Raises:
        StoreError: ``ledger-damaged`` if the row is not what was written.
    """
    try:
        shown = shown_by(row, base)
        view = View.parse(view_text(shown.view))
        candidates = tuple(parse(line) for line in shown.candidates)
        return _experience(row, view, candidates), shown
    except (ValueError, TypeError, LookupError) as error:
        raise damaged(row, str(error)) from error


def shown_by(row: RowMapping, base: Shown) -> Shown:
    """Return what a row showed, its view compared with the digest of its rendering.

    Raises:
        ValueError: If the row is not what was written.
    """
    shown = Shown(
        apply(base.view, row["view_delta"]), apply(base.candidates, row["candidates_delta"])
    )
    digest = hashlib.sha256(view_text(shown.view).encode("utf-8")).hexdigest()
    if digest != row["view_digest"]:
        raise ValueError("the view is not the one that was decided on")
    return shown


def view_lines(text: str) -> list[str]:
    """Return a view's rendering cut into its items, a line each, so that equal items are equal.

    ``found: a | b`` becomes ``found:``, ``| a``, ``| b``: an item is the same line wherever in
    its section it stands. `view_text` is the inverse.
    """
    lines: list[str] = []
    for section in text.split("\n"):
        name, _, items = section.partition(" ")
        lines.append(name)
        lines += [_ITEM + item for item in items.split(BAR)]
    return lines


def view_text(lines: Sequence[str]) -> str:
    """Return the rendering that `view_lines` cut."""
    sections: list[list[str]] = []
    for line in lines:
        if line.startswith(_ITEM) and sections:
            sections[-1].append(line[len(_ITEM) :])
        else:
            sections.append([line])
    return "\n".join(f"{name} {BAR.join(items)}" for name, *items in sections)


def action_line(action: Action) -> str:
    """Return an action as one line of compact JSON, what is default left out at the end."""
    parts: list[Any] = [
        action.tool,
        dict(action.arguments),
        action.slot,
        action.about,
        dict(action.signals),
    ]
    while len(parts) > 1 and parts[-1] == _DEFAULTS[len(parts) - 1]:
        parts.pop()
    line = _pack(parts)
    return line if line.isascii() or _is_text(line) else _pack_ascii(parts)


def parse_action(line: str) -> Action:
    """Return the action that `action_line` wrote."""
    return Action(*json.loads(line))


def not_storable(what: str, why: str) -> StoreError:
    """Return the error for a value that the ledger does not take."""
    return StoreError(
        Problem(
            "not-storable",
            f"{what}: {why}",
            fix="the part that made it must make it finite, consistent and plain text",
        )
    )


def _check(experience: Experience) -> None:
    decision = experience.decision
    count = len(decision.candidates)
    for name in ("engine_log_probabilities", "behaviour_log_probabilities"):
        values = getattr(decision, name)
        if len(values) != count:
            raise not_storable(name, f"{len(values)} values for {count} candidates")
        if not all(value < math.inf for value in values):
            raise not_storable(name, "a log-probability is below infinity and a number")
    for name in ("text_log_probability", "plan_log_probability"):
        value = getattr(decision, name)
        if value is not None and not value < math.inf:
            raise not_storable(name, f"{value!r} is no log-probability")
    if decision.chosen is not None and not 0 <= decision.chosen < count:
        raise not_storable("chosen", f"candidate {decision.chosen} of {count}")
    for fault in remark_faults(decision.remarks):
        raise not_storable("remarks", fault)


def _candidate_lines(experience: Experience) -> list[str]:
    try:
        return [action_line(action) for action in experience.decision.candidates]
    except (ValueError, TypeError) as error:
        raise not_storable("candidates", f"arguments and signals are JSON: {error}") from error


def _taken(candidates: Sequence[Action], chosen: int | None, text: str | None) -> Action | None:
    """Return the action that follows from the choice, which is not stored again."""
    if chosen is None:
        return None
    candidate = candidates[chosen]
    return candidate if candidate.slot is None or text is None else candidate.filled(text)


def _own_action(experience: Experience) -> str | None:
    """Return the action as JSON where it does not follow from the choice, else None."""
    decision = experience.decision
    taken = _taken(decision.candidates, decision.chosen, decision.text)
    if taken is decision.action or taken == decision.action:
        return None
    try:
        return "null" if decision.action is None else action_line(decision.action)
    except (ValueError, TypeError) as error:
        raise not_storable("action", f"arguments and signals are JSON: {error}") from error


def _remarks(decision: Decision) -> str | None:
    """Return the remarks as a JSON object of floats, None where there are none."""
    if not decision.remarks:
        return None
    return _pack({name: float(value) for name, value in decision.remarks.items()})


def _experience(row: RowMapping, view: View, candidates: tuple[Action, ...]) -> Experience:
    return Experience(
        step=row["id"],
        run=row["run"],
        episode=row["episode"],
        index=row["idx"],
        environment=row["environment"],
        origin=row["origin"],
        seed=row["seed"],
        generator=row["generator"],
        key=row["key"],
        started=row["started"],
        view=view,
        decision=_decision(row, candidates),
        outcome=_outcome(row),
        reward=row["reward"],
        done=bool(row["done"]),
        extra=row["extra"],
    )


def _decision(row: RowMapping, candidates: tuple[Action, ...]) -> Decision:
    return Decision(
        candidates=candidates,
        chosen=row["chosen"],
        engine_log_probabilities=_unpacked(row["engine_logp"]),
        behaviour_log_probabilities=_unpacked(row["behaviour_logp"]),
        action=_action(row, candidates),
        text=row["text"],
        text_log_probability=row["text_logp"],
        plan=row["plan"],
        plan_log_probability=row["plan_logp"],
        engine=row["engine"],
        checkpoint=row["checkpoint"],
        remarks={} if row["remarks"] is None else dict(json.loads(row["remarks"])),
    )


def _action(row: RowMapping, candidates: tuple[Action, ...]) -> Action | None:
    own = row["action"]
    if own is None:
        return _taken(candidates, row["chosen"], row["text"])
    return None if own == "null" else parse_action(own)


def _outcome(row: RowMapping) -> Outcome | None:
    if row["status"] is None:
        return None
    return Outcome(
        status=row["status"],
        message=row["message"],
        gained=row["gained"],
        seconds=row["seconds"],
        items=tuple(json.loads(row["items"])),
    )


def _floats(values: Sequence[float]) -> bytes:
    """Return float32, little endian."""
    packed = array("f", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpacked(blob: bytes) -> tuple[float, ...]:
    packed = array("f")
    packed.frombytes(blob)
    if sys.byteorder == "big":
        packed.byteswap()
    return tuple(packed)


def _single(value: float | None) -> float | None:
    """Return the nearest float32, as a double that equals it."""
    return None if value is None else array("f", (value,))[0] + 0.0


def _is_text(line: str) -> bool:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def damaged(row: RowMapping, why: str) -> StoreError:
    """Return the error for a row that is not what was written."""
    return StoreError(
        Problem(
            "ledger-damaged",
            f"step {row['id']} is not what was written: {why}",
            fix="`aegis doctor` lists what is damaged; put back a copy of the ledger",
        )
    )
