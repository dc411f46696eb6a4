"""What people send to a running agent: request files that the runner applies between steps.

One process owns a run's folder. A command that wants to write while a run is on drops a file
into ``inbox/`` and waits for the answer beside it; without a runner it applies the request itself.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Final, Literal

from aegis.errors import AegisError, InputError, Problem, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aegis.store.ledger import Ledger

    Answer = dict[str, Any]
    Apply = Callable[[Mapping[str, Any], str], Answer]

Request = Literal["fact", "goal"]
LONGEST: Final = 2_000
"""Characters that a fact or goal may have."""

_PATIENCE: Final = 60.0
"""Seconds to wait for the runner's answer; a step with a slow tool may take half of that."""
_LARGEST: Final = 64 << 10
"""Bytes of a request."""


def deliver(folder: Path, kind: Request, text: str) -> str:
    """Tell a fact or a goal, through the runner where one is on, and return the answer.

    Raises:
        InputError: If the text cannot be used.
        StoreError: If the runner does not answer.
    """
    from aegis.agent.clock import SystemClock

    clean = _checked(text)

    def directly(ledger: Ledger) -> Answer:
        answer = _apply(ledger, kind, clean, SystemClock().now())
        ledger.commit()
        return {"answer": answer}

    return str(applied(folder, {"kind": kind, "text": clean}, directly)["answer"])


def applied(
    folder: Path,
    payload: Mapping[str, Any],
    directly: Callable[[Ledger], Answer],
    patience: float = _PATIENCE,
) -> Answer:
    """Have a request applied, by the runner where one is on, and return the answer.

    Args:
        folder: The run's folder.
        payload: The request, as the runner reads it.
        directly: Applies it on a ledger of one's own, where nothing runs.
        patience: Seconds to wait for the runner.

    Raises:
        StoreError: ``no-answer`` if the runner does not answer.
        AegisError: What whoever applied it raised.
    """
    from aegis.store.owning import owning

    while True:
        try:
            with owning(folder) as ledger:
                return directly(ledger)
        except StoreError as error:
            if error.problems[0].code != "locked":
                raise
        answer = _ask(folder, payload, patience)
        if answer is not None:
            return answer


def _checked(text: str) -> str:
    clean = " ".join(text.split())
    if not clean or len(clean) > LONGEST or any(not (c.isprintable() or c == " ") for c in clean):
        raise InputError.of(
            "text-unusable",
            f"a text of 1 to {LONGEST} printable characters is wanted, this one has {len(clean)}",
            fix='aegis tell "a sentence"',
        )
    return clean


def _ask(folder: Path, payload: Mapping[str, Any], patience: float) -> Answer | None:
    """Return the runner's answer; None if it ended before it took the request up."""
    from aegis.store.lock import RunLock

    inbox = folder / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns()}-{uuid.uuid4().hex[:8]}"
    request, answer = inbox / f"{name}.json", inbox / f"{name}.answer"
    _put(request, payload)
    lock, end = RunLock(folder), time.monotonic() + patience
    while time.monotonic() < end:
        gone = lock.holder() is None
        if answer.exists():
            words = json.loads(answer.read_text(encoding="utf-8"))
            answer.unlink()
            return _read_answer(words)
        if gone and _withdrawn(request):
            return None
        time.sleep(0.05)
    raise StoreError.of(
        "no-answer",
        f"the running agent did not answer within {patience:.0f} s; the request stays there",
        where=str(request),
        fix="wait for its step to end, or stop it and say it again",
    )


def _withdrawn(request: Path) -> bool:
    try:
        request.unlink()
    except FileNotFoundError:  # it was applied: the answer is there
        return False
    return True


def _put(place: Path, value: Mapping[str, Any]) -> None:
    """Write a file that is whole as soon as it has its name."""
    hidden = place.with_name(f".{place.name}")
    hidden.write_text(json.dumps(value), encoding="utf-8")
    hidden.replace(place)


def _refusal(error: AegisError) -> Answer:
    """Return an error as an answer."""
    return {"error": type(error).__name__, "problems": [list(p) for p in error.problems]}


def _read_answer(words: Answer) -> Answer:
    """Return an answer, or raise the error that it is."""
    if "error" not in words:
        return words
    known = {kind.__name__: kind for kind in AegisError.__subclasses__()}
    kind = known.get(words["error"], AegisError)
    raise kind(tuple(Problem(*problem) for problem in words["problems"]))


class Inbox:
    """The runner's side: applies what lies there, in the order of arrival.

    Args:
        folder: The run's folder.
        ledger: Where requests are applied.
        others: What applies requests of further kinds, by kind. It commits by itself; what it
            raises is the answer.
    """

    def __init__(
        self, folder: Path, ledger: Ledger, others: Mapping[str, Apply] | None = None
    ) -> None:
        self._folder = folder / "inbox"
        self._ledger = ledger
        self._others = others or {}

    def apply(self, now: str) -> int:
        """Apply all requests into the ledger's open transaction; return how many there were."""
        if not self._folder.is_dir():
            return 0
        requests = sorted(self._folder.glob("[!.]*.json"))
        for request in requests:
            answer = self._one(request, now)
            self._ledger.commit()
            if answer is not None:
                _put(request.with_suffix(".answer"), answer)
                request.unlink(missing_ok=True)
        return len(requests)

    def _one(self, request: Path, now: str) -> Answer | None:
        """Apply one request; None where who asked has taken it back."""
        try:
            value = _value(request)
            other = self._others.get(str(value.get("kind")))
            if other is not None:
                return self._other(other, value, now)
            return {"answer": _apply(self._ledger, value["kind"], _checked(value["text"]), now)}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            return _refusal(
                InputError.of("request-unusable", f"this request cannot be read: {error}")
            )
        except InputError as error:
            return _refusal(error)

    def _other(self, apply: Apply, value: Mapping[str, Any], now: str) -> Answer:
        try:
            return apply(value, now)
        except AegisError as error:
            return _refusal(error)


def _value(request: Path) -> dict[str, Any]:
    with request.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST} bytes")
    return dict(json.loads(data))


def _apply(ledger: Ledger, kind: Any, text: str, now: str) -> str:
    from aegis.agent.integration import told
    from aegis.knowledge.gaps import key
    from aegis.knowledge.goals import Goals, goal_terms
    from aegis.knowledge.items import Items

    step = ledger.last_step()
    if kind == "fact":
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        item, new = Items(ledger.connection).add(told(text, digest), tool="tell", at=now, step=step)
        return f"noted as item {item.ref}" if new else f"known already as item {item.ref}"
    if kind == "goal":
        goals = Goals(ledger.connection)
        if not goal_terms(text):
            raise InputError.of(
                "goal-unusable", f'"{text}" names no subject', fix="name one in words"
            )
        same = [
            g for g in goals.all() if key(g.subject) == key(text) and g.state in {"open", "active"}
        ]
        if same:
            return f"is a goal already: {same[0].text}"
        goal = goals.add(text, "told", step=step)
        return f"set as goal {goal.id}: {goal.text}"
    raise InputError.of("request-unknown", f"no request is called {kind!r}")
