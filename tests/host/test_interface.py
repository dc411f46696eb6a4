import numpy as np
import pytest
from attrs import evolve

import aegis
from aegis.contracts.view import View
from aegis.errors import PluginError
from aegis.host.interface import METHODS, actions, remarks_of, verify_interface
from aegis.host.plugin import PluginInfo, Provided
from aegis.host.role import verify_capabilities

PLUGIN = PluginInfo("acme", "acme-kit", "1.2")
VIEW = View(goal="g")


def provided(kind, name="thing"):
    component = aegis.Component(kind=kind, name=name, summary="s", build=print)
    return Provided(component, PLUGIN)


def faults(built, kind, name="thing"):
    with pytest.raises(PluginError) as caught:
        verify_interface(built, provided(kind, name))
    (problem,) = caught.value.problems
    assert problem.code == "plugin-interface"
    start = f'plugin "acme" (acme-kit 1.2): {kind} "{name}" does not fit its role: '
    assert problem.message.startswith(start)
    return problem.message.removeprefix(start).split("; ")


class Engine:
    capabilities = aegis.EngineCapabilities(kind="x")

    def score(self, view, candidates): ...
    def score_batch(self, items): ...
    def save(self, directory): ...
    def close(self): ...


class Tool:
    spec = aegis.ToolSpec("thing", "Do it.", {"type": "object", "properties": {}})

    def candidates(self, view): ...
    def call(self, arguments, context): ...


def with_spec(**changes):
    tool = Tool()
    tool.spec = evolve(Tool.spec, **changes)
    return tool


def test_what_fits_passes():
    verify_interface(Engine(), provided("engine"))
    verify_interface(Tool(), provided("tool"))


@pytest.mark.parametrize("kind", METHODS)
def test_an_empty_object_lacks_everything(kind):
    said = " ".join(faults(object(), kind))
    assert all(f"it has no method {method}" in said for method in METHODS[kind])


@pytest.mark.parametrize("kind", METHODS)
def test_the_methods_are_those_of_the_protocols(kind):
    from aegis.contracts import roles

    protocol = getattr(roles, kind.capitalize())
    own = {name for name in vars(protocol) if not name.startswith("_")}
    assert set(METHODS[kind]) == own - {"write"}


def test_an_engine_that_says_it_writes_needs_write():
    engine = Engine()
    engine.capabilities = aegis.EngineCapabilities(kind="x", writes_text=True)
    assert faults(engine, "engine") == ["it has no method write"]


def test_a_method_must_take_what_the_host_gives():
    class Short(Engine):
        def score(self, view): ...

    (fault,) = faults(Short(), "engine")
    assert fault == "score(view) does not take 2 arguments: too many positional arguments"


def test_a_method_may_take_more_with_defaults():
    class Long(Engine):
        def score(self, view, candidates, *, cache=None, **more): ...

    verify_interface(Long(), provided("engine"))


def test_a_keyword_that_must_be_given_is_too_much():
    class Strict(Engine):
        def score(self, view, candidates, *, cache): ...

    assert "missing a required" in faults(Strict(), "engine")[0]


def test_a_coroutine_is_no_method():
    class Async(Engine):
        async def score(self, view, candidates): ...

    assert faults(Async(), "engine") == ["score is a coroutine, and the host calls it directly"]


def test_an_attribute_is_no_method():
    class Odd(Engine):
        close = 3

    assert faults(Odd(), "engine") == ["close is 3 (int), not a method"]


def test_capabilities_must_be_of_the_role():
    class Odd(Engine):
        capabilities = aegis.TokenizerCapabilities(max_token_id=3)

    assert "capabilities must be EngineCapabilities" in faults(Odd(), "engine")[0]


def test_a_trainer_says_what_it_accepts():
    class Trainer:
        accepts = "hrm"

        def train(self, engine, data, context): ...

    assert faults(Trainer(), "trainer") == [
        "accepts must be a frozenset of engine kinds, not 'hrm' (str)"
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "other"}, 'spec.name is "other", and the component is "thing"'),
        ({"description": " "}, "spec.description is empty"),
        ({"effects": "some"}, "spec.effects is 'some', none of none, local, external"),
        ({"timeout": 0}, "spec.timeout must be a number of seconds above 0, not 0"),
        ({"timeout": float("nan")}, "spec.timeout must be a number of seconds above 0, not nan"),
        ({"timeout": "30"}, "spec.timeout must be a number of seconds above 0, not '30'"),
        ({"stale_after": -1}, "spec.stale_after must be a number of seconds, not -1"),
        ({"arguments": {"type": "array"}}, 'the schema must have type "object"'),
        ({"arguments": {"type": "object", "allOf": []}}, 'keyword "allOf" is not supported'),
    ],
)
def test_a_tool_specification_must_make_sense(changes, said):
    assert said in " ".join(faults(with_spec(**changes), "tool"))


@pytest.mark.parametrize(
    ("kind", "facts", "said"),
    [
        ("engine", None, "it must be EngineCapabilities, not None"),
        ("engine", {"kind": "x"}, "it must be EngineCapabilities"),
        ("engine", aegis.EngineCapabilities("x", embedding_rows=0), "embedding_rows must be an"),
        ("engine", aegis.EngineCapabilities("x", embedding_rows=1e3), "at least 1, not 1000.0"),
        ("engine", aegis.EngineCapabilities("x", context_length="9"), "context_length must be"),
        ("engine", aegis.EngineCapabilities("x", characters_per_token=0), "above 0, not 0"),
        ("engine", aegis.EngineCapabilities("x", adapters=["a"]), "adapters must be a frozenset"),
        ("engine", aegis.EngineCapabilities("x", unverified=("rows",)), "unverified names 'rows'"),
        ("tokenizer", aegis.TokenizerCapabilities(-1), "max_token_id must be an integer of"),
        ("trainer", aegis.TrainerCapabilities(accepts="hrm"), "accepts must be a frozenset"),
    ],
)
def test_what_describe_returns_must_make_sense(kind, facts, said):
    with pytest.raises(PluginError) as caught:
        verify_capabilities(facts, provided(kind))
    assert said in caught.value.problems[0].message
    assert f'describe of {kind} "thing"' in caught.value.problems[0].message


class Search:
    spec = aegis.ToolSpec(
        "search",
        "Search.",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1},
                "limit": {"type": "integer", "maximum": 9},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
    )

    def __init__(self, *items):
        self.items = items

    def candidates(self, view):
        yield from self.items


def test_mappings_and_actions_are_candidates():
    action = aegis.Action("search", {"query": "a"}, about="A", signals={"rank": 1})
    assert actions(Search({"query": "b", "limit": 3}, action), VIEW, PLUGIN) == (
        aegis.Action("search", {"query": "b", "limit": 3}),
        action,
    )


def test_an_open_slot_need_not_be_given():
    open_slot = aegis.Action("search", {"limit": 1}, slot="query")
    assert actions(Search(open_slot), VIEW, PLUGIN) == (open_slot,)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({}, 'arguments lacks "query"'),
        ({"query": ""}, "arguments.query has 0 characters, at least 1 are needed"),
        ({"query": 3}, "arguments.query must be string, not 3"),
        ({"query": "a", "limit": 10}, "arguments.limit is 10, at most 9 is allowed"),
        ({"query": "a", "limit": np.int64(3)}, "arguments.limit must be integer"),
        ({"query": "a", "lmit": 3}, 'unknown key "lmit"; did you mean "limit"?'),
        ("a", "'a' (str) is neither an Action nor a mapping of arguments"),
        (aegis.Action("delete", {"query": "a"}), 'an action of "delete"'),
        (aegis.Action("search", {"query": "a"}, slot="query"), 'the slot "query" is filled'),
        (aegis.Action("search", {"query": "a"}, slot="limit"), 'the slot "limit" takes no text'),
        (aegis.Action("search", {"query": "a"}, slot="site"), 'the slot "site" is no argument'),
        (aegis.Action("search", {"query": "a"}, signals={"rank": 0.5}), "signals must be integers"),
        (aegis.Action("search", ["a"]), "arguments are ['a'] (list)"),
    ],
)
def test_a_candidate_that_is_no_legal_call_is_attributed(item, said):
    with pytest.raises(PluginError) as caught:
        actions(Search({"query": "fine"}, item), VIEW, PLUGIN)
    (problem,) = caught.value.problems
    assert problem.code == "plugin-candidates"
    assert problem.message.startswith(
        'plugin "acme" (acme-kit 1.2): tool "search" proposed what it does not accept: '
    )
    assert said in problem.message


def test_what_proposing_raises_is_attributed():
    class Broken(Search):
        def candidates(self, view):
            yield {"query": "a"}
            raise ValueError("gone")

    with pytest.raises(PluginError) as caught:
        actions(Broken(), VIEW, PLUGIN)
    assert caught.value.problems[0].message == (
        'plugin "acme" (acme-kit 1.2) raised in candidates of tool "search": ValueError: gone'
    )


def test_a_tool_that_never_ends_is_cut():
    class Endless(Search):
        def candidates(self, view):
            while True:
                yield {"query": "a"}

    assert len(actions(Endless(), VIEW, PLUGIN)) == 256


def remarking(said):
    engine = Engine()
    engine.remarks = said
    return engine


def test_an_engine_without_remarks_remarks_nothing():
    assert remarks_of(Engine(), "thing", PLUGIN) == {}


def test_remarks_are_taken_as_floats_whatever_becomes_of_the_mapping():
    said = {"segments": 3, "cut": np.float32(0.5)}
    taken = remarks_of(remarking(said), "thing", PLUGIN)
    said.clear()
    assert taken == {"segments": 3.0, "cut": 0.5}
    assert {type(value) for value in taken.values()} == {float}


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"segments": float("nan")}, "segments is nan, no finite number"),
        ({"segments": "three"}, "segments is 'three', no finite number"),
        ({f"r{i}": i for i in range(1000)}, "1000 of them, at most 16 are allowed"),
        ({"Segments": 3}, "'Segments' is no name"),
        (lambda: {"segments": 3}, "is no mapping of names to numbers"),
    ],
)
def test_remarks_of_another_shape_are_attributed(said, fault):
    with pytest.raises(PluginError) as caught:
        remarks_of(remarking(said), "thing", PLUGIN)
    (problem,) = caught.value.problems
    assert problem.code == "plugin-interface"
    assert problem.message.startswith(
        'plugin "acme" (acme-kit 1.2): engine "thing" does not fit its role: remarks: '
    )
    assert fault in problem.message
    assert problem.fix == "pip install --upgrade acme-kit, or aegis plugins disable acme"


@pytest.mark.parametrize("wrong", ["self.taken", "1 / 0"])
def test_what_reading_remarks_raises_is_attributed(wrong):
    class Broken(Engine):
        @property
        def remarks(self):
            return {"segments": eval(wrong)}

    with pytest.raises(PluginError) as caught:
        remarks_of(Broken(), "thing", PLUGIN)
    assert caught.value.problems[0].message.startswith(
        'plugin "acme" (acme-kit 1.2) raised in remarks of engine "thing": '
    )
