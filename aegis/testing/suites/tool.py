"""Checks of tools. Calls are carried out as the agent carries them out: in a worker process."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from aegis.agent.sanitise import sanitise
from aegis.agent.worker import Workers
from aegis.contracts.capabilities import ToolCapabilities
from aegis.contracts.outcome import Document, ToolResult
from aegis.contracts.roles import ToolContext
from aegis.contracts.schema import violations
from aegis.host.interface import actions
from aegis.testing.checks import Broken, check
from aegis.testing.subject import only_if
from aegis.testing.toys import toy_views

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aegis.contracts.action import Action
    from aegis.host.composition import Chosen
    from aegis.testing.subject import Subject

_QUICK: Final = 0.25
"""Seconds in which candidates have to be there: the loop waits for them at every step."""
_CALLS: Final = 3
_DOCUMENT: Final = Document("kit", "1", "Low-rank adaptation", "It trains two thin matrices. " * 20)


@frozen
class _Equipped:
    tools: tuple[Chosen, ...]


def _built(subject: Subject) -> Any:
    return subject.once("built", subject.build)


def _proposed(subject: Subject) -> list[Action]:
    """Return up to a few candidates for each toy view."""

    def propose() -> list[Action]:
        tool, plugin = _built(subject), subject.chosen.plugin
        return [
            action
            for view in toy_views().values()
            for action in actions(tool, view, plugin)[:_CALLS]
        ]

    return subject.once("proposed", propose)


def _filled(action: Action) -> Mapping[str, Any]:
    return action.filled("low-rank adaptation").arguments if action.slot else action.arguments


def _documents(spec: Any, arguments: Mapping[str, Any]) -> dict[str, Document]:
    properties = spec.arguments.get("properties", {})
    return {
        str(value): _DOCUMENT
        for name, value in arguments.items()
        if properties.get(name, {}).get("format") == "document"
    }


@check("tool-candidates")
def candidates_fit(subject: Subject) -> None:
    """Candidates for any view are legal calls of the tool, the same asked twice."""
    tool, plugin = _built(subject), subject.chosen.plugin
    for name, view in toy_views().items():
        first = actions(tool, view, plugin)
        if actions(tool, view, plugin) != first:
            raise Broken(
                f'the view "{name}" got other candidates the second time',
                cause="candidates draws from a generator, or counts its calls",
                fix="let them follow from the view alone",
            )


@check("tool-quick", needs=["tool-candidates"])
def candidates_are_quick(subject: Subject) -> None:
    """Candidates come at once, and without the network."""
    tool, plugin = _built(subject), subject.chosen.plugin
    with _no_network() as tried:
        began = time.monotonic()
        for view in toy_views().values():
            actions(tool, view, plugin)
        took = (time.monotonic() - began) / len(toy_views())
    if tried or took > _QUICK:
        what = f"reached for {tried[0]}" if tried else f"took {took:.1f} s a view"
        raise Broken(
            f"candidates {what}",
            cause="the work of the call is done where calls are proposed",
            fix="propose from what the view shows; do the work in call",
        )


@check("tool-described")
def described(subject: Subject) -> None:
    """A slot that candidates leave open is the one that the manifest names."""
    said = subject.described()
    only_if(isinstance(said, ToolCapabilities), "it has no describe")
    slots = {action.slot for action in _proposed(subject)} - {None}
    allowed = {getattr(said, "text_slot", None)}
    if slots - allowed:
        raise Broken(
            f'candidates leave "{min(map(str, slots - allowed))}" open, '
            f"and describe says text_slot = {getattr(said, 'text_slot', None)!r}",
            cause="describe was not changed with the candidates",
            fix="return ToolCapabilities(text_slot=...) from describe",
        )


@check("tool-calls", needs=["tool-candidates"])
def schema_matches_behaviour(subject: Subject) -> None:
    """Every call that it proposes, and the least that its schema allows, is carried out."""
    tool = _built(subject)
    proposals = [_filled(action) for action in _proposed(subject)]
    least = _least(tool.spec.arguments)
    if not violations(tool.spec.arguments, least, "arguments"):
        proposals.insert(0, least)
    for arguments in proposals[: 2 * _CALLS]:
        try:
            result = _call(subject, tool, arguments)
        except Exception as error:
            raise Broken(
                f"{dict(arguments)!r:.80} is legal by its schema and raises "
                f"{type(error).__name__}: {error}",
                cause="the schema allows more than call reads, or requires less",
                fix="name every limit in the schema; answer what fails with a ToolResult",
            ) from error
        if not isinstance(result, ToolResult):
            raise Broken(
                f"call returned {type(result).__name__}",
                cause="plain text is returned",
                fix='return aegis.ToolResult("ok", documents=(...,))',
            )


def _call(subject: Subject, tool: Any, arguments: Mapping[str, Any]) -> Any:
    context = ToolContext(
        key="check",
        deadline=time.monotonic() + tool.spec.timeout,
        cache=subject.scratch("cache"),
        documents=_documents(tool.spec, arguments),
        offline=True,
    )
    return tool.call(dict(arguments), context)


def _least(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the least arguments that a schema asks for."""
    properties = schema.get("properties", {})
    return {name: _value(properties.get(name, {})) for name in schema.get("required", ())}


def _value(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema or "const" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        return low if low is not None else high if high is not None else 1
    if kind == "array":
        return [_value(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
    if kind == "object":
        return _least(schema)
    if kind == "string":
        return "a" * max(1, schema.get("minLength", 1))
    return False if kind == "boolean" else None


@check("tool-clean", needs=["tool-calls"])
def results_are_clean(subject: Subject) -> None:
    """What it answers is stored as it is: JSON values, no controls, at most 1 MiB, a reason."""
    tool = _built(subject)
    for arguments in [_filled(action) for action in _proposed(subject)][:_CALLS]:
        result = _call(subject, tool, arguments)
        clean = sanitise(result)
        notes = list(clean.notes)
        if result.status != "ok" and not result.message:
            notes.append(f"status {result.status} has no message")
        if any(not document.title.strip() for document in result.documents):
            notes.append("a document has no title")
        if notes:
            raise Broken(
                f"the answer to {dict(arguments)!r:.60} was changed: {'; '.join(notes)}",
                cause="what came from outside is passed on as it is",
                fix="decode, cut and strip it in call; say what was left out by status partial",
            )


@check("tool-offline", needs=["tool-calls"])
def offline(subject: Subject) -> None:
    """Where nothing may touch the network, nothing does; a tool without network never does."""
    tool = _built(subject)
    for arguments in [_filled(action) for action in _proposed(subject)][:_CALLS]:
        with _no_network() as tried:
            result = _call(subject, tool, arguments)
        if tried:
            raise Broken(
                f"offline, a call reached for {tried[0]} (it answered {result.status})",
                cause="context.offline is not looked at",
                fix="answer offline calls from the cache, or with status error and unreachable",
            )


@contextmanager
def _no_network() -> Iterator[list[str]]:
    """Refuse connections to anything but this machine, and note what was tried."""
    tried: list[str] = []
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def refuse(this: socket.socket, address: Any) -> Any:
        if this.family == socket.AF_UNIX or str(address[0]) in ("127.0.0.1", "::1", "localhost"):
            return connect(this, address)
        tried.append(str(address[0]))
        raise OSError("the network is cut off by the conformance kit")

    def unresolved(host: Any, *rest: Any, **named: Any) -> Any:
        if str(host) in ("127.0.0.1", "::1", "localhost", "None", ""):
            return resolve(host, *rest, **named)
        tried.append(str(host))
        raise socket.gaierror("the network is cut off by the conformance kit")

    socket.socket.connect = refuse  # type: ignore[method-assign,assignment]  # for the length of the block
    socket.getaddrinfo = unresolved
    try:
        yield tried
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]  # put back
        socket.getaddrinfo = resolve


@check("tool-worker", needs=["tool-candidates"])
def works_in_its_worker(subject: Subject) -> None:
    """In the worker process it answers within its timeout."""
    spec = _built(subject).spec
    proposals = [_filled(action) for action in _proposed(subject)][:_CALLS]
    only_if(proposals, "it proposed nothing for the kit's views")
    with Workers(_Equipped((subject.chosen,)), subject.runtime()) as workers:
        trouble = workers.ready()
        if trouble:
            raise Broken(
                next(iter(trouble.values())),
                cause="the worker has the plugin alone: no agent, no database, no terminal",
                fix="build the tool from its settings and the runtime",
            )
        for number, arguments in enumerate(proposals):
            result = workers.call(
                spec.name,
                arguments,
                key=f"check-{number}",
                documents=_documents(spec, arguments),
                offline=True,
            )
            if result.status == "timeout":
                raise Broken(
                    f"{dict(arguments)!r:.60}: {result.message}",
                    cause="it waits without looking at context.deadline",
                    fix="give every wait a timeout that ends before context.deadline",
                )
            if result.status == "error" and not isinstance(result.message, str):
                raise Broken(
                    "an error without a message", cause="none was given", fix="say what failed"
                )
