"""Plain functions as tools: ``@aegis.tool``.

@aegis.tool(network=True, timeout=10)
def search_wiki(query: str, limit: int = 5) -> list[aegis.Document]:
    '''Search the wiki.'''
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

from attrs import field, frozen

from aegis.contracts.action import Action
from aegis.contracts.capabilities import ToolCapabilities
from aegis.contracts.component import Component
from aegis.contracts.names import NAME_RULE, is_name
from aegis.contracts.outcome import Document, ToolResult
from aegis.contracts.roles import ToolSpec
from aegis.contracts.text import one_line
from aegis.errors import PluginError, Problem, ToolError
from aegis.host.plugin import TOOL_MARK
from aegis.host.signature import CONTEXT, signature_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from aegis.contracts.component import Runtime
    from aegis.contracts.roles import ToolContext
    from aegis.contracts.view import View

    Proposals = Callable[[View], Iterable[Mapping[str, Any]]]

F = TypeVar("F", bound="Callable[..., Any]")

MOST: Final = 8
"""Candidates that the host proposes for a function at one step."""

_QUERIES: Final = ("query", "text")


@overload
def tool(function: F, /) -> F: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effects: Literal["none", "local", "external"] = "none",
    idempotent: bool = True,
    timeout: float = 30.0,
    stale_after: float = 0.0,
    network: bool = False,
    candidates: Proposals | None = None,
) -> Callable[[F], F]: ...


def tool(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effects: Literal["none", "local", "external"] = "none",
    idempotent: bool = True,
    timeout: float = 30.0,
    stale_after: float = 0.0,
    network: bool = False,
    candidates: Proposals | None = None,
) -> F | Callable[[F], F]:
    """Make a function a tool of the plugin whose module it stands in. It stays a function.

    The schema comes from the type hints: ``str``, ``int``, ``float``, ``bool``, ``list[...]``,
    ``Literal[...]``, any of them with ``| None``, and defaults. The docstring gives the
    description (its first line) and, under ``Args:``, that of each argument. A parameter named
    ``context`` gets the `ToolContext`.

    It may return a string, a `Document`, a list of documents, or a `ToolResult`. A string
    becomes a document of the tool's own. Nothing (None, an empty string or list) is an outcome
    with status ``empty``.

    What is proposed at a step, at most eight calls, unless `candidates` says otherwise:

    - a parameter ``query`` or ``text`` of type ``str`` takes the goal, its missing terms and the
      knowledge gaps of the view, one call each;
    - parameters that are ``Literal`` or ``bool`` take all their combinations;
    - one other ``str`` without a default is left as a slot to an engine that writes text;
    - parameters with a default keep it; a function without parameters is one call.

    Args:
        function: The function, where the decorator is used without arguments.
        name: Name of the tool; the function's own by default.
        description: One sentence, instead of the docstring's first line.
        effects: What a call changes: ``none``, ``local`` (the run's folder), ``external``.
        idempotent: Whether calling twice with the same key equals calling once.
        timeout: Seconds after which a call is ended.
        stale_after: Seconds after which an answer is worth asking for again; 0 for never.
        network: Whether a call reaches the network.
        candidates: Takes the view and returns the calls to propose, as mappings of arguments,
            best first.

    Raises:
        PluginError: If no schema can be derived, or nothing could ever be proposed.
    """

    def mark(marked: F) -> F:
        taken = signature_of(marked)
        spec = ToolSpec(
            name=name or marked.__name__,
            description=description or taken.description,
            arguments=taken.schema,
            effects=effects,
            idempotent=idempotent,
            timeout=timeout,
            stale_after=stale_after,
        )
        made = _Function(marked, spec, taken.takes_context, network, candidates)
        problems = list(_problems(made))
        if problems:
            raise PluginError(problems)
        setattr(marked, TOOL_MARK, made)
        return marked

    return mark if function is None else mark(function)


def components(module: object) -> tuple[Component, ...]:
    """Return the tools among the functions that are defined in `module`."""
    home = getattr(module, "__name__", None)
    return tuple(
        made.component()
        for value in vars(module).values()
        if isinstance(made := getattr(value, TOOL_MARK, None), _Function)
        and made.function.__module__ == home
    )


@frozen
class _Function:
    function: Callable[..., Any]
    spec: ToolSpec
    takes_context: bool
    network: bool
    proposals: Proposals | None

    @property
    def slot(self) -> str | None:
        """The one argument that only an engine that writes can fill, or None."""
        return next(iter(_open(self.spec.arguments)), None)

    def component(self) -> Component:
        slot = None if self.proposals else self.slot
        facts = ToolCapabilities(
            text_slot=slot, closed_candidates=slot is None, network=self.network
        )

        def describe(config: None) -> ToolCapabilities:  # noqa: ARG001 - the protocol of describe
            return facts

        def build(
            config: None,  # noqa: ARG001 - the protocol of build
            parts: Mapping[str, Any],  # noqa: ARG001 - the same
            runtime: Runtime,  # noqa: ARG001 - the same
        ) -> FunctionTool:
            return FunctionTool(self.spec, self)

        return Component(
            kind="tool",
            name=self.spec.name,
            summary=one_line(self.spec.description, 120),
            describe=describe,
            build=build,
        )


@frozen
class FunctionTool:
    """A `Tool` made from a function."""

    spec: ToolSpec
    _made: _Function = field(repr=False)

    def candidates(self, view: View) -> Iterable[Action]:
        """Return the calls that `tool` says."""
        name, slot = self.spec.name, self._made.slot
        if self._made.proposals is not None:
            return [Action(name, dict(call)) for call in self._made.proposals(view)]
        calls = itertools.islice(_calls(self.spec.arguments, view), MOST)
        return [Action(name, call, slot=slot) for call in calls]

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Call the function.

        Raises:
            ToolError: If it returns something that is no result.
        """
        extra = {CONTEXT: context} if self._made.takes_context else {}
        return _result(self.spec.name, self._made.function(**arguments, **extra))


def _calls(schema: Mapping[str, Any], view: View) -> Iterator[dict[str, Any]]:
    """Return closed calls: every query with every combination of the closed arguments."""
    properties = schema["properties"]
    queries = [name for name in _QUERIES if _is_text(properties.get(name))][:1]
    closed = {key: values for key, below in properties.items() if (values := _values(below))}
    asked = _asked(view) if queries else [None]
    for combination in itertools.product(*closed.values()):
        for text in asked:
            yield dict(zip(closed, combination, strict=True)) | dict.fromkeys(queries, text)


def _asked(view: View) -> list[str]:
    return list(dict.fromkeys(filter(None, (view.goal, *view.missing, *view.gaps))))


def _open(schema: Mapping[str, Any]) -> list[str]:
    """Return the arguments that must be given and that nothing is known for."""
    properties = schema["properties"]
    asked = next((name for name in _QUERIES if _is_text(properties.get(name))), None)
    return [name for name in schema["required"] if name != asked and not _values(properties[name])]


def _is_text(schema: Mapping[str, Any] | None) -> bool:
    return schema is not None and schema.get("type") == "string" and "enum" not in schema


def _values(schema: Mapping[str, Any]) -> list[Any]:
    """Return all values of a closed argument, its default first; empty where it is open."""
    values = list(schema.get("enum", ()))
    if schema.get("type") == "boolean":
        values = [False, True]
    if "default" in schema and values:
        values.sort(key=lambda value: value != schema["default"])
    return values


def _problems(made: _Function) -> Iterator[Problem]:
    spec = made.spec
    code = made.function.__code__
    where = f"{code.co_filename}:{code.co_firstlineno}"
    if not is_name(spec.name):
        yield Problem(
            "tool-signature",
            f'the tool name "{spec.name}" is not allowed: {NAME_RULE}',
            where=where,
            fix=f'@aegis.tool(name="{spec.name.lower().lstrip("_")}")',
        )
    if not spec.description:
        yield Problem(
            "tool-signature",
            f'tool "{spec.name}" has no description',
            where=where,
            fix="give the function a docstring: its first line is what people and engines read",
        )
    if inspect.iscoroutinefunction(made.function):
        yield Problem(
            "tool-signature",
            f'tool "{spec.name}" is a coroutine, and nothing would await it',
            where=where,
            fix="make it a plain function; calls have a process of their own",
        )
    if made.proposals is None:
        yield from _unproposable(spec, where)


def _unproposable(spec: ToolSpec, where: str) -> Iterator[Problem]:
    """Say which arguments keep the host from ever proposing a call."""
    needed = _open(spec.arguments)
    properties = spec.arguments["properties"]
    if not needed or (len(needed) == 1 and _is_text(properties[needed[0]])):
        return
    names = ", ".join(f'"{name}"' for name in needed)
    yield Problem(
        "tool-signature",
        f'tool "{spec.name}": the host can propose no value for {names}; '
        "an engine can write one string at most",
        where=where,
        fix="give them defaults or Literal[...], or pass candidates=: a function of the view",
    )


def _result(name: str, value: object) -> ToolResult:
    if isinstance(value, ToolResult):
        return value
    if value is None or value in ("", [], ()):
        return ToolResult("empty", f"{name} returned nothing")
    if isinstance(value, str):
        return ToolResult("ok", documents=(_document(name, value),))
    items = value if isinstance(value, (list, tuple)) else [value]
    documents = tuple(item for item in items if isinstance(item, Document))
    if len(documents) < len(items) or not documents:
        raise ToolError(
            Problem(
                "tool-result",
                f'tool "{name}" returned a {type(value).__name__}: {one_line(repr(value), 80)}',
                fix="return a string, a Document, a list of documents, or a ToolResult",
            )
        )
    return ToolResult("ok", documents=documents)


def _document(name: str, text: str) -> Document:
    """Return a text that a function made as a document: its first line is the title."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    title = one_line(text.strip().partition("\n")[0], 120) or digest
    return Document(source=name, identifier=digest, title=title, text=text)
