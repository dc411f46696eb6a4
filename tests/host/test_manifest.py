import pytest
from attrs import evolve, frozen

import aegis
from aegis.errors import PluginError
from aegis.host.manifest import manifests
from aegis.host.plugin import PluginInfo

PLUGIN = PluginInfo("acme", "acme-kit", "1.2")
GOOD = aegis.Component(kind="tool", name="good", summary="A tool.", build=print)


@frozen
class Config:
    limit: int = 3


def faults(result, kind="tool"):
    with pytest.raises(PluginError) as caught:
        manifests(result, kind, PLUGIN)
    for problem in caught.value.problems:
        assert problem.code == "plugin-manifest"
        assert problem.message.startswith(f'plugin "acme" (acme-kit 1.2), aegis_{kind}s: ')
    return [problem.message.partition(": ")[2] for problem in caught.value.problems]


def test_lists_tuples_and_generators_of_components_are_taken():
    for result in ([GOOD], (GOOD,), iter([GOOD]), (c for c in [GOOD])):
        assert manifests(result, "tool", PLUGIN) == (GOOD,)
    assert manifests([], "tool", PLUGIN) == ()


@pytest.mark.parametrize("result", [None, 3, "good", {"good": GOOD}, GOOD])
def test_what_is_no_list_is_refused(result):
    (fault,) = faults(result)
    assert fault.startswith("returned ")


def test_what_is_no_component_is_refused_each_by_itself():
    assert faults([GOOD, "x", 3]) == [
        "returned 'x' (str) in its list, not a Component",
        "returned 3 (int) in its list, not a Component",
    ]


def test_the_kind_must_be_that_of_the_hook():
    assert faults([GOOD], "engine") == ['returned tool "good", which belongs to aegis_tools']


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"summary": ""}, "summary must be one line, not ''"),
        ({"summary": "a\nb"}, "summary must be one line, not 'a\\nb'"),
        ({"build": None}, "build must be callable, not None (NoneType)"),
        ({"describe": 3}, "describe must be callable or None, not 3 (int)"),
        ({"check": "x"}, "check must be callable or None, not 'x' (str)"),
        ({"config": dict}, "config must be an attrs class, not the class dict"),
        ({"config": Config()}, "config must be an attrs class, not Config(limit=3) (Config)"),
        ({"provides": {"a"}}, "provides must be a frozenset of strings, not {'a'} (set)"),
        ({"requires": frozenset({1})}, "requires must be a frozenset of strings"),
        ({"parts": []}, "parts must be a mapping, not [] (list)"),
        ({"parts": {"A part": aegis.Part("tokenizer")}}, "part 'A part': lower-case letters"),
        ({"parts": {"p": "tokenizer"}}, "part 'p' must be an aegis.Part, not 'tokenizer' (str)"),
        ({"parts": {"p": aegis.Part("brain")}}, "part \"p\": kind 'brain' is none of engine"),
        ({"parts": {"p": aegis.Part("tool", "../x")}}, "part \"p\": default '../x': lower-case"),
        ({"parts": {"limit": aegis.Part("tool")}, "config": Config},
         'part "limit" has the name of a key of the class Config'),
    ],
)  # fmt: skip
def test_a_manifest_must_be_well_formed(changes, said):
    (fault,) = faults([evolve(GOOD, **changes)])
    assert fault.startswith(f'tool "good": {said}')


def test_everything_that_is_wrong_is_told_at_once():
    assert len(faults([evolve(GOOD, summary="", build=None), 3, evolve(GOOD, parts=[])])) == 4
