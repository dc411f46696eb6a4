"""What people send to a running agent: request files that the runner applies between steps.

One process owns a run's folder. A command that wants to write while a run is on drops a file
into ``inbox/`` and waits for the answer beside it; without a runner it applies the request itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from typing import TYPE_CHECKING, Any, Final, Literal

from aegis.errors import InputError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from aegis.store.ledger import Ledger

Request = Literal["fact", "goal"]
LONGEST: Final = 2_000
"""Characters that a fact or goal may have."""

_PATIENCE: Final = 60.0
"""Seconds to wait for the runner's answer; a step with a slow tool may take half of that."""


def deliver(folder: Path, kind: Request, text: str) -> str:
    """Apply a request, through the runner where one is on, and return the answer.

    Raises:
        InputError: If the text cannot be used.
        StoreError: If the runner does not answer.
    """
    from aegis.agent.clock import SystemClock
    from aegis.store.owning import owning

    clean = _checked(text)
    try:
        with owning(folder) as ledger:
            answer = _apply(ledger, kind, clean, SystemClock().now())
            ledger.commit()
            return answer
    except StoreError as error:
        if error.problems[0].code != "locked":
            raise
    return _ask(folder / "inbox", kind, clean)


def _checked(text: str) -> str:
    clean = " ".join(text.split())
    if not clean or len(clean) > LONGEST or any(not (c.isprintable() or c == " ") for c in clean):
        raise InputError.of(
            "text-unusable",
            f"a text of 1 to {LONGEST} printable characters is wanted, this one has {len(clean)}",
            fix='aegis tell "a sentence"',
        )
    return clean


def _ask(inbox: Path, kind: Request, text: str) -> str:
    inbox.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns()}-{uuid.uuid4().hex[:8]}"
    request, answer = inbox / f"{name}.json", inbox / f"{name}.answer"
    hidden = inbox / f".{name}"
    hidden.write_text(json.dumps({"kind": kind, "text": text}), encoding="utf-8")
    os.replace(hidden, request)  # noqa: PTH105 - the same call, and the word that says atomic
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if answer.exists():
            words = answer.read_text(encoding="utf-8")
            answer.unlink()
            return words
        time.sleep(0.05)
    raise StoreError.of(
        "no-answer",
        f"the running agent did not answer within {_PATIENCE:.0f} s; the request stays there",
        where=str(request),
        fix="wait for its step to end, or stop it and say it again",
    )


class Inbox:
    """The runner's side: applies what lies there, in the order of arrival."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self._folder = folder / "inbox"
        self._ledger = ledger

    def apply(self, now: str) -> int:
        """Apply all requests into the ledger's open transaction; return how many there were."""
        if not self._folder.is_dir():
            return 0
        requests = sorted(self._folder.glob("*.json"))
        for request in requests:
            answer = self._one(request, now)
            self._ledger.commit()
            hidden = request.with_name(f".{request.stem}")
            hidden.write_text(answer, encoding="utf-8")
            os.replace(hidden, request.with_suffix(".answer"))  # noqa: PTH105 - as above
            request.unlink()
        return len(requests)

    def _one(self, request: Path, now: str) -> str:
        try:
            value = json.loads(request.read_text(encoding="utf-8"))
            return _apply(self._ledger, value["kind"], _checked(value["text"]), now)
        except (ValueError, KeyError, TypeError, UnicodeError) as error:
            return f"this request cannot be read: {error}"
        except InputError as error:
            return str(error)


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
