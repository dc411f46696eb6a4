"""Aegis' own exchange format: JSON lines, one experience a line after a header.

    {"aegis": "experience", "version": 1, "count": 2}
    {"step": 1, "run": "a", ..., "begins_run": {...}, "begins_episode": {...}}
    {"step": 2, "run": "a", ...}

Pure ASCII. Floats are written so that they come back exactly; minus infinity is ``"-inf"``. The
first line of a run and of an episode also describes the run and the episode; ``remarks`` is left
out where the engine remarked nothing. Every line is strict: an unknown key, a missing one or a
value of another type is an error that names them.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from attrs import asdict

from aegis.contracts.action import Action
from aegis.contracts.experience import Decision, Experience, Origin
from aegis.contracts.names import did_you_mean
from aegis.contracts.outcome import STATUSES, Outcome
from aegis.contracts.remarks import remark_faults
from aegis.contracts.view import View
from aegis.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aegis.store.runs import EpisodeRow, RunRow

FORMAT: Final = "aegis-jsonl"
VERSION: Final = 1
_MINUS_INFINITY: Final = "-inf"


class Line(NamedTuple):
    """One line of the file: an experience, when it was settled, and what begins with it."""

    experience: Experience
    finished: str
    run: RunRow | None
    episode: EpisodeRow | None


class _LineError(ValueError):
    """A value of a line is not what the format has there."""


def header(count: int) -> str:
    """Return the first line of a file with `count` experiences."""
    return _dumped({"aegis": "experience", "version": VERSION, "count": count})


def is_header(document: object) -> bool:
    """Return whether a JSON value is the first line of such a file, of whatever version."""
    return isinstance(document, dict) and document.get("aegis") == "experience"


def promised(document: Mapping[str, Any], where: str) -> int:
    """Return how many experiences a header promises.

    Raises:
        InputError: If the file is of a later version, or the header is incomplete.
    """
    version, count = document.get("version"), document.get("count")
    if version != VERSION:
        raise InputError.of(
            "exchange-version",
            f"the file has format version {version!r}, this program reads {VERSION}",
            where=where,
            fix="export it again, or install a newer Aegis",
        )
    if type(count) is not int or count < 0:
        raise InputError.of(
            "exchange-malformed",
            f'the header\'s "count" is a whole number, not {count!r}',
            where=where,
        )
    return count


def line(
    experience: Experience, finished: str, run: RunRow | None, episode: EpisodeRow | None
) -> str:
    """Return an experience as one line, with the run and the episode that begin with it."""
    decision, outcome = experience.decision, experience.outcome
    assert outcome is not None, "only settled steps are exported"
    values: dict[str, Any] = {
        "step": experience.step,
        "run": experience.run,
        "episode": experience.episode,
        "index": experience.index,
        "environment": experience.environment,
        "origin": experience.origin,
        "seed": experience.seed,
        "generator": experience.generator,
        "key": experience.key,
        "started": experience.started,
        "finished": finished,
        "view": experience.view.render(),
        "candidates": [_action(action) for action in decision.candidates],
        "chosen": decision.chosen,
        "engine_log_probabilities": [_score(v) for v in decision.engine_log_probabilities],
        "behaviour_log_probabilities": [_score(v) for v in decision.behaviour_log_probabilities],
        "action": None if decision.action is None else _action(decision.action),
        "text": decision.text,
        "text_log_probability": _score(decision.text_log_probability),
        "plan": decision.plan,
        "plan_log_probability": _score(decision.plan_log_probability),
        "engine": decision.engine,
        "checkpoint": decision.checkpoint,
        "outcome": {**asdict(outcome), "items": list(outcome.items)},
        "reward": experience.reward,
        "done": experience.done,
        "extra": experience.extra,
    }
    if decision.remarks:
        values["remarks"] = {name: float(value) for name, value in decision.remarks.items()}
    if run is not None:
        values["begins_run"] = asdict(run)
    if episode is not None:
        # Whether it ended is left out: an episode that comes from a file is not gone on with.
        described = asdict(episode)
        del described["finished"]
        values["begins_episode"] = described
    return _dumped(values)


def parse(text: str) -> Line:
    """Return what a line says.

    Raises:
        InputError: With everything that is wrong with the line.
    """
    values = _object(text)
    problems = _problems(values, _LINE, _OPTIONAL)
    if not problems:
        try:
            return _line(values)
        except (_LineError, InputError) as error:
            first = error.problems[0].message if isinstance(error, InputError) else str(error)
            problems = [first]
    raise InputError(Problem("exchange-malformed", message) for message in problems)


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg} at column {error.colno}"
        raise InputError.of("exchange-malformed", message) from error
    except (ValueError, RecursionError) as error:
        raise InputError.of("exchange-malformed", f"not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError.of("exchange-malformed", "expected an object")
    return values


def _no_constant(name: str) -> None:
    raise _LineError(f"{name} is no JSON")


def _line(values: Mapping[str, Any]) -> Line:
    run, episode = values.get("begins_run"), values.get("begins_episode")
    _require(run, _RUN, "begins_run")
    _require(episode, _EPISODE, "begins_episode")
    _require(values["outcome"], _OUTCOME, "outcome")
    return Line(
        _experience(values),
        values["finished"],
        None if run is None else _run(run),
        None if episode is None else _episode(episode),
    )


def _run(values: Mapping[str, Any]) -> RunRow:
    from aegis.store.runs import RunRow  # a training reads steps without a database

    return RunRow(**values)


def _episode(values: Mapping[str, Any]) -> EpisodeRow:
    from aegis.store.runs import EpisodeRow

    return EpisodeRow(**values, finished=True)


def _experience(values: Mapping[str, Any]) -> Experience:
    outcome = values["outcome"]
    return Experience(
        **{name: values[name] for name in _PLAIN},
        view=View.parse(values["view"]),
        decision=_decision(values),
        outcome=Outcome(
            **{**outcome, "seconds": float(outcome["seconds"]), "items": tuple(outcome["items"])}
        ),
        reward=float(values["reward"]),
    )


def _decision(values: Mapping[str, Any]) -> Decision:
    action = values["action"]
    return Decision(
        candidates=tuple(_parsed_action(item, "candidates") for item in values["candidates"]),
        chosen=values["chosen"],
        engine_log_probabilities=_parsed_scores(values, "engine_log_probabilities"),
        behaviour_log_probabilities=_parsed_scores(values, "behaviour_log_probabilities"),
        action=None if action is None else _parsed_action(action, "action"),
        text=values["text"],
        text_log_probability=_parsed_score(values["text_log_probability"], "text_log_probability"),
        plan=values["plan"],
        plan_log_probability=_parsed_score(values["plan_log_probability"], "plan_log_probability"),
        engine=values["engine"],
        checkpoint=values["checkpoint"],
        remarks=_parsed_remarks(values.get("remarks", {})),
    )


def _action(action: Action) -> dict[str, Any]:
    """Return an action as JSON values, what is default left out."""
    values: dict[str, Any] = {"tool": action.tool}
    if action.arguments:
        values["arguments"] = dict(action.arguments)
    if action.slot is not None:
        values["slot"] = action.slot
    if action.about:
        values["about"] = action.about
    if action.signals:
        values["signals"] = dict(action.signals)
    return values


def _parsed_action(values: Any, where: str) -> Action:
    complete: Any = values
    if isinstance(values, dict):
        complete = {"arguments": {}, "slot": None, "about": "", "signals": {}, **values}
    _require(complete, _ACTION, where)
    return Action(**complete)


def _score(value: float | None) -> float | str | None:
    return _MINUS_INFINITY if value == -math.inf else value


def _parsed_scores(values: Mapping[str, Any], name: str) -> tuple[float, ...]:
    return tuple(_number(value, name) for value in values[name])


def _parsed_score(value: Any, name: str) -> float | None:
    return None if value is None else _number(value, name)


def _number(value: Any, name: str) -> float:
    if value == _MINUS_INFINITY:
        return -math.inf
    if not _NUMBER.fits(value):
        raise _LineError(f'{name}: expected a number or "{_MINUS_INFINITY}", found {_short(value)}')
    return float(value)


def _parsed_remarks(values: Any) -> dict[str, float]:
    for fault in remark_faults(values):
        raise _LineError(f"remarks: {fault}")
    return {name: float(value) for name, value in values.items()}


def _require(values: Any, fields: Mapping[str, _Rule], where: str) -> None:
    if values is None and where.startswith("begins"):
        return
    if not isinstance(values, dict):
        raise _LineError(f"{where}: expected an object, found {_short(values)}")
    problems = _problems(values, fields)
    if problems:
        raise _LineError(f"{where}.{problems[0]}")


def _problems(
    values: Mapping[str, Any], fields: Mapping[str, _Rule], optional: Sequence[str] = ()
) -> list[str]:
    """Return everything that is wrong with the keys and the types of an object's values."""
    problems = [
        f"{key}: unknown key{did_you_mean(key, fields)}"
        for key in values
        if key not in fields and key not in optional
    ]
    for name, rule in fields.items():
        if name not in values:
            problems.append(f"{name}: missing")
        elif not rule.fits(values[name]):
            problems.append(f"{name}: expected {rule.expected}, found {_short(values[name])}")
    return problems


class _Rule(NamedTuple):
    """What a value must be."""

    expected: str
    fits: Callable[[Any], bool]


def _typed(expected: str, *kinds: type) -> _Rule:
    return _Rule(expected, lambda value: type(value) in kinds)


def _one_of(options: Sequence[str]) -> _Rule:
    return _Rule("one of " + ", ".join(options), lambda value: value in options)


def _short(value: object) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."


def _dumped(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":"), allow_nan=False)


def _is_text(value: object) -> bool:
    return type(value) is str and not _HALF.search(value)


def _is_whole(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


_HALF: Final = re.compile("[\ud800-\udfff]")
_TEXT: Final = _Rule("a text of whole characters", _is_text)
_MAYBE_TEXT: Final = _Rule(
    "a text of whole characters or null", lambda value: value is None or _is_text(value)
)
_WHOLE: Final = _Rule("a whole number of 64 bits", _is_whole)
_NUMBER: Final = _Rule(
    # Compared and not converted: a whole number of JSON may be too large for a float.
    "a finite number",
    lambda value: type(value) in {int, float} and abs(value) <= sys.float_info.max,
)
_LIST: Final = _typed("a list", list)
_TEXTS: Final = _Rule(
    "a list of texts", lambda value: type(value) is list and all(_is_text(v) for v in value)
)
_OBJECT: Final = _typed("an object", dict)
_ANYTHING: Final = _Rule("anything", lambda _value: True)

_PLAIN: Final[Mapping[str, _Rule]] = {
    "step": _WHOLE,
    "run": _TEXT,
    "episode": _WHOLE,
    "index": _WHOLE,
    "environment": _TEXT,
    "origin": _one_of(get_args(Origin)),
    "seed": _WHOLE,
    "generator": _TEXT,
    "key": _TEXT,
    "started": _TEXT,
    "done": _typed("true or false", bool),
    "extra": _TEXT,
}
_LINE: Final[Mapping[str, _Rule]] = {
    **_PLAIN,
    "finished": _TEXT,
    "view": _TEXT,
    "candidates": _LIST,
    "chosen": _Rule("a whole number or null", lambda value: value is None or _is_whole(value)),
    "engine_log_probabilities": _LIST,
    "behaviour_log_probabilities": _LIST,
    "action": _typed("an object or null", dict, type(None)),
    "text": _MAYBE_TEXT,
    "text_log_probability": _ANYTHING,
    "plan": _MAYBE_TEXT,
    "plan_log_probability": _ANYTHING,
    "engine": _TEXT,
    "checkpoint": _MAYBE_TEXT,
    "outcome": _OBJECT,
    "reward": _NUMBER,
}
_OPTIONAL: Final = ("remarks", "begins_run", "begins_episode")
_ACTION: Final[Mapping[str, _Rule]] = {
    "tool": _TEXT,
    "arguments": _OBJECT,
    "slot": _typed("a text or null", str, type(None)),
    "about": _typed("a text", str),
    "signals": _Rule(
        "an object of whole numbers",
        lambda value: type(value) is dict and all(_is_whole(v) for v in value.values()),
    ),
}
_OUTCOME: Final[Mapping[str, _Rule]] = {
    "status": _one_of(STATUSES),
    "message": _TEXT,
    "gained": _WHOLE,
    "seconds": _NUMBER,
    "items": _TEXTS,
}
_RUN: Final[Mapping[str, _Rule]] = {
    "id": _TEXT,
    "profile": _TEXT,
    "seed": _WHOLE,
    "started": _TEXT,
    "finished": _MAYBE_TEXT,
    "reason": _MAYBE_TEXT,
}
_EPISODE: Final[Mapping[str, _Rule]] = {
    "id": _WHOLE,
    "run": _TEXT,
    "environment": _TEXT,
    "seed": _WHOLE,
    "goal": _TEXT,
    "origin": _one_of(get_args(Origin)),
    "started_step": _WHOLE,
}
