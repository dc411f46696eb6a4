from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aegis
from aegis.contracts.roles import ToolContext
from aegis.contracts.view import View
from aegis.errors import PluginError, ToolError
from aegis.host.functions import MOST, components
from aegis.host.interface import actions, verify_interface
from aegis.host.plugin import PluginInfo, Provided

PLUGIN = PluginInfo("mine.py", "local file", "")
VIEW = View(goal="Understand adapters", missing=("rank",), gaps=("svd", "rank"))


def component_of(function):
    class Module:
        __name__ = function.__module__

    setattr(Module, function.__name__, staticmethod(function))
    holder = type("Holder", (), {})()
    holder.__name__ = function.__module__
    holder.function = function
    (component,) = components(holder)
    return component


def built(function):
    component = component_of(function)
    tool = component.build(None, {}, None)
    verify_interface(tool, Provided(component, PLUGIN))
    return tool


def proposed(function, view=VIEW):
    return actions(built(function), view, PLUGIN)


def called(function, **arguments):
    context = ToolContext(key="k", deadline=0.0, cache=None)
    return built(function).call(arguments, context)


def test_a_decorated_function_stays_a_function():
    @aegis.tool
    def double(number: int = 2) -> str:
        """Double it."""
        return str(2 * number)

    assert double(4) == "8"
    assert double.__name__ == "double"


def test_the_specification_comes_from_signature_docstring_and_keywords():
    @aegis.tool(effects="external", timeout=5, network=True, idempotent=False, stale_after=60)
    def send(text: str) -> None:
        """Send a message.

        Args:
            text: What to say.
        """

    spec = built(send).spec
    assert (spec.name, spec.description) == ("send", "Send a message.")
    assert (spec.effects, spec.timeout, spec.idempotent, spec.stale_after) == (
        "external", 5, False, 60,
    )  # fmt: skip
    assert spec.arguments["properties"]["text"] == {
        "type": "string", "description": "What to say.",
    }  # fmt: skip
    assert component_of(send).describe(None).network


def test_name_and_description_may_be_given():
    @aegis.tool(name="search_wiki", description="Search the wiki.")
    def SearchWiki(query: str) -> str: ...

    assert built(SearchWiki).spec.name == "search_wiki"
    assert component_of(SearchWiki).summary == "Search the wiki."


def test_a_function_without_parameters_is_one_call():
    @aegis.tool
    def today() -> str:
        """Say the date."""

    assert proposed(today) == (aegis.Action("today"),)


@pytest.mark.parametrize("name", ["query", "text"])
def test_a_query_takes_the_goal_what_is_missing_and_the_gaps(name):
    scope = {"aegis": aegis}
    source = f"def find({name}: str, limit: int = 5) -> str:\n    'Find.'"
    exec(compile(source, "find", "exec"), scope)
    find = aegis.tool(scope["find"])
    assert [action.arguments for action in proposed(find)] == [
        {name: "Understand adapters"}, {name: "rank"}, {name: "svd"},
    ]  # fmt: skip
    assert component_of(find).describe(None).closed_candidates


def test_closed_parameters_take_their_combinations_defaults_first():
    @aegis.tool
    def sort(by: Literal["date", "name"], reverse: bool = True, limit: int = 3) -> str:
        """Sort."""

    assert [action.arguments for action in proposed(sort)] == [
        {"by": "date", "reverse": True}, {"by": "date", "reverse": False},
        {"by": "name", "reverse": True}, {"by": "name", "reverse": False},
    ]  # fmt: skip


def test_no_more_than_eight_calls_are_proposed():
    @aegis.tool
    def dial(a: Literal[1, 2, 3], b: Literal[1, 2, 3]) -> str:
        """Dial."""

    assert len(proposed(dial)) == MOST == 8


def test_one_open_string_is_a_slot_for_an_engine_that_writes():
    @aegis.tool
    def note(body: str, public: bool) -> str:
        """Keep a note."""

    assert [(action.arguments, action.slot) for action in proposed(note)] == [
        ({"public": False}, "body"), ({"public": True}, "body"),
    ]  # fmt: skip
    facts = component_of(note).describe(None)
    assert (facts.text_slot, facts.closed_candidates) == ("body", False)


def test_candidates_may_come_from_a_function_of_the_view():
    @aegis.tool(candidates=lambda view: [{"page": view.step}, {"page": view.step + 1}])
    def turn(page: int) -> str:
        """Turn to a page."""

    assert [action.arguments for action in proposed(turn, View(goal="g", step=4))] == [
        {"page": 4}, {"page": 5},
    ]  # fmt: skip
    assert component_of(turn).describe(None).closed_candidates


def test_what_could_never_be_proposed_is_refused():
    with pytest.raises(PluginError, match='can propose no value for "page"'):

        @aegis.tool
        def turn(page: int) -> str:
            """Turn to a page."""

    with pytest.raises(PluginError, match='can propose no value for "a", "b"'):

        @aegis.tool
        def join(a: str, b: str) -> str:
            """Join."""


def test_a_tool_needs_a_name_a_description_and_no_coroutine():
    with pytest.raises(PluginError) as caught:

        @aegis.tool
        async def _Fetch() -> str: ...

    assert len(caught.value.problems) == 3
    assert 'the tool name "_Fetch" is not allowed' in str(caught.value)
    assert "has no description" in str(caught.value)
    assert "is a coroutine" in str(caught.value)


DOCUMENT = aegis.Document(source="wiki", identifier="1", title="T", text="x")


@pytest.mark.parametrize("nothing", [None, "", [], ()])
def test_nothing_is_an_empty_outcome(nothing):
    @aegis.tool
    def look() -> str:
        """Look."""
        return nothing

    assert called(look).status == "empty"
    assert called(look).documents == ()


def test_a_string_becomes_a_document_of_the_tool():
    @aegis.tool
    def tell() -> str:
        """Tell."""
        return "The title\nand more"

    result = called(tell)
    (document,) = result.documents
    assert result.status == "ok"
    assert (document.source, document.title) == ("tell", "The title")
    assert document.text == "The title\nand more"
    assert document.identifier == called(tell).documents[0].identifier


def test_documents_and_results_pass():
    results = [DOCUMENT, [DOCUMENT, DOCUMENT], (DOCUMENT,), aegis.ToolResult("partial", "half")]

    @aegis.tool(candidates=lambda view: [])
    def get(index: int) -> list[aegis.Document]:
        """Get."""
        return results[index]

    assert [len(called(get, index=i).documents) for i in range(4)] == [1, 2, 1, 0]
    assert called(get, index=3).status == "partial"


@pytest.mark.parametrize("wrong", [3, {"a": 1}, ["x"], [DOCUMENT, "x"], object(), b"x", 0, False])
def test_anything_else_is_an_error_that_names_the_type(wrong):
    @aegis.tool
    def get() -> str:
        """Get."""
        return wrong

    with pytest.raises(ToolError, match=f'tool "get" returned a {type(wrong).__name__}'):
        called(get)


def test_the_context_is_handed_to_a_function_that_asks_for_it():
    @aegis.tool
    def key(context: ToolContext) -> str:
        """Say the key."""
        return context.key

    assert called(key).documents[0].text == "k"


@given(
    st.builds(
        View,
        goal=st.text(),
        missing=st.lists(st.text(), max_size=12).map(tuple),
        gaps=st.lists(st.text(), max_size=12).map(tuple),
    )
)
def test_every_candidate_is_a_legal_call_and_none_comes_twice(view):
    @aegis.tool
    def find(query: str, deep: bool, sort: Literal["a", "b"] = "b") -> str:
        """Find."""

    candidates = proposed(find, view)
    assert len(candidates) <= MOST
    assert len({action.key for action in candidates}) == len(candidates)
    texts = {view.goal, *view.missing, *view.gaps}
    assert all(action.arguments["query"] in texts for action in candidates)
