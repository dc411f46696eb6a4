"""The rules of the contract check, each on a composition of local plugins."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aegis
from aegis.config.config import load
from aegis.config.source import read
from aegis.contracts.check import RULES, check, verify_built
from aegis.errors import ContractError
from aegis.host.composition import compose
from aegis.host.manager import Host

PLUGIN = """
import aegis
from attrs import frozen

@frozen
class Wide:
    embedding_rows: int = aegis.setting(1000, help="Rows.")

def make(kind, name, facts, **more):
    return aegis.Component(kind=kind, name=name, summary="A thing.", build=lambda c, p, r: None,
                           describe=None if facts is None else lambda config: facts, **more)
E, K, T, O = (aegis.EngineCapabilities, aegis.TokenizerCapabilities, aegis.TrainerCapabilities,
              aegis.ToolCapabilities)
F = frozenset
"""

HOOKS = """
@aegis.hookimpl
def aegis_{kind}s():
    return [{components}]
"""


class Bench:
    """Writes a plugin with the components of a test, and checks a profile over it."""

    def __init__(self, folder):
        self.folder = folder

    def compose(self, toml="", **components):
        """Compose a profile "p" with the engine "e", given components as source by kind."""
        components.setdefault("environment", ["make('environment', 'research', None)"])
        source = PLUGIN + "".join(
            HOOKS.format(kind=kind, components=", ".join(lines))
            for kind, lines in components.items()
        )
        (self.folder / "things.py").write_text(source, "utf-8")
        file = self.folder / "aegis.toml"
        head = 'profile = "p"\nplugins.enabled = ["things.py"]\n[profiles.p]\nengine = "e"\n'
        file.write_text(head + toml, "utf-8")
        source = read(file, environ={})
        host = Host.load(source.enabled, source.project, builtins=())
        return compose(host, load(source, [one.component for one in host.components()]))

    def check(self, toml="", **components):
        return check(self.compose(toml, **components))


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


PART = "parts={'tokenizer': aegis.Part('tokenizer', 'k')}"


def test_a_sound_composition_has_no_problems_and_nothing_unverified(bench):
    report = bench.check(
        "phases.imitate = 't'",
        engine=[f"make('engine', 'e', E('hrm', embedding_rows=10, trainable=True), {PART})"],
        tokenizer=["make('tokenizer', 'k', K(9))"],
        trainer=["make('trainer', 't', T(F({'hrm'})))"],
        tool=["make('tool', 'o', O())"],
    )
    assert report.ok
    assert report.problems == ()
    assert report.unverified == ()
    assert [fact.path for fact in report.facts] == [
        "engine", "engine.tokenizer", "environment", "tool.o", "trainer.imitate",
    ]  # fmt: skip
    report.raise_problems()


@given(rows=st.integers(1, 300_000), largest=st.integers(0, 300_000), vocabulary=st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_ids_must_be_below_the_rows_whatever_the_size_of_the_vocabulary(
    tmp_path_factory, rows, largest, vocabulary
):
    """A model with more rows than its tokenizer has ids is legal; the other way round is not."""
    report = Bench(tmp_path_factory.mktemp("b")).check(
        engine=[f"make('engine', 'e', E('x', embedding_rows={rows}), {PART})"],
        tokenizer=[f"make('tokenizer', 'k', K({largest}, vocab_size={vocabulary}))"],
    )
    codes = [problem.code for problem in report.problems]
    assert codes == ([] if largest < rows else ["tokenizer-too-large"])


def test_an_engine_is_checked_against_the_tokenizer_that_it_brings(bench):
    report = bench.check(
        engine=["make('engine', 'e', E('x', embedding_rows=10, tokenizer_max_id=10), config=Wide)"]
    )
    (problem,) = report.problems
    assert problem.message == (
        'engine "e" brings a tokenizer that emits ids up to 10, and has 10 embedding rows'
    )
    assert problem.fix == "set [engine.e].embedding_rows = 11 and train from scratch"


def test_a_chosen_tokenizer_takes_the_place_of_the_one_that_the_engine_brings(bench):
    engine = (
        "make('engine', 'e', E('x', embedding_rows=10, tokenizer_max_id={own}), "
        "parts={{'tokenizer': aegis.Part('tokenizer')}})"
    )
    small = ["make('tokenizer', 'k', K(9))"]
    chosen = bench.check("tokenizer = 'k'", engine=[engine.format(own=99)], tokenizer=small)
    assert chosen.ok
    brought = bench.check(engine=[engine.format(own=99)], tokenizer=small)
    assert [problem.code for problem in brought.problems] == ["tokenizer-too-large"]
    assert brought.problems[0].fix == 'use tokenizer "k" (10 ids)'


@pytest.mark.parametrize(
    ("tokenizers", "config", "fix"),
    [
        (["K(20)"], "", ""),
        (["K(20)", "K(9)"], "", 'use tokenizer "k1" (10 ids)'),
        (["K(20)", "K(9)", "K(3)"], "", 'use tokenizer "k1" (10 ids)'),
        (["K(20)", "K(None)", "K(8, unverified=('max_token_id',))"], "", ""),
        (["K(20)"], ", config=Wide",
         "set [engine.e].embedding_rows = 21 and train from scratch"),
        (["K(20)", "K(9)"], ", config=Wide",
         ('use tokenizer "k1" (10 ids), or '
         "set [engine.e].embedding_rows = 21 and train from scratch")),
    ],
)  # fmt: skip
def test_the_fix_holds_only_what_can_be_derived(bench, tokenizers, config, fix):
    report = bench.check(
        "tokenizer = 'k0'",
        engine=[f"make('engine', 'e', E('x', embedding_rows=10), {PART}{config})"],
        tokenizer=[f"make('tokenizer', 'k{i}', {facts})" for i, facts in enumerate(tokenizers)],
    )  # fmt: skip
    (problem,) = report.problems
    assert problem.fix == fix


def test_the_default_of_the_part_is_the_first_suggestion(bench):
    report = bench.check(
        "tokenizer = 'big'",
        engine=[f"make('engine', 'e', E('x', embedding_rows=10), {PART})"],
        tokenizer=[
            "make('tokenizer', 'a', K(3))",
            "make('tokenizer', 'k', K(9))",
            "make('tokenizer', 'big', K(99))",
        ],
    )
    assert report.problems[0].fix == 'use tokenizer "k" (10 ids)'


def test_a_tokenizer_that_fits_and_is_not_the_trained_one_is_refused(bench):
    """Ids below the rows exist in every vocabulary: the range alone lets a wrong one through."""
    report = bench.check(
        "tokenizer = 'other'",
        engine=[
            "make('engine', 'e', E('x', embedding_rows=10, tokenizer_fingerprint='a' * 64), "
            + PART + ")"
        ],
        tokenizer=[
            "make('tokenizer', 'k', K(9, fingerprint='a' * 64))",
            "make('tokenizer', 'other', K(9, fingerprint='b' * 64))",
        ],
    )  # fmt: skip
    (problem,) = report.problems
    assert problem.code == "tokenizer-fingerprint"
    assert problem.message == (
        'engine "e" was trained with a tokenizer of fingerprint aaaaaaaaaaaa, '
        'tokenizer "other" has bbbbbbbbbbbb'
    )
    assert problem.fix == 'use tokenizer "k", or train from scratch'


def test_a_suggestion_is_never_a_tokenizer_that_the_weights_do_not_know(bench):
    report = bench.check(
        "tokenizer = 'big'",
        engine=[
            (
                "make('engine', 'e', E('x', embedding_rows=10, tokenizer_fingerprint='a' * 64), "
                "config=Wide, parts={'tokenizer': aegis.Part('tokenizer')})"
            )
        ],
        tokenizer=[
            "make('tokenizer', 'k', K(9, fingerprint='b' * 64))",
            "make('tokenizer', 'big', K(99, fingerprint='a' * 64))",
        ],
    )
    (problem,) = report.problems
    assert problem.fix == "set [engine.e].embedding_rows = 100 and train from scratch"


@pytest.mark.parametrize(
    ("engine", "tokenizer", "unverified"),
    [
        ("E('x', embedding_rows=10)", "K(None)", ['tokenizer "k": max_token_id']),
        ("E('x')", "K(9)", ['engine "e": embedding_rows']),
        ("E('x')", "K(None)", ['engine "e": embedding_rows', 'tokenizer "k": max_token_id']),
        ("None", "K(9)", ['engine "e": embedding_rows']),
        ("E('x', embedding_rows=10)", "None", ['tokenizer "k": max_token_id']),
        ("E('x', embedding_rows=5, unverified=('embedding_rows',))", "K(9)",
         ['engine "e": embedding_rows']),
        ("E('x', embedding_rows=10)", "K(99, unverified=('max_token_id',))",
         ['tokenizer "k": max_token_id']),
        ("E('x', embedding_rows=10, tokenizer_fingerprint='a')", "K(9)",
         ['tokenizer "k": fingerprint']),
        ("E('x', embedding_rows=10, context_length=9)", "K(9)",
         ['engine "e": characters_per_token']),
        ("E('x', embedding_rows=10, unverified=('parameters',))", "K(9)",
         ['engine "e": parameters']),
    ],
)  # fmt: skip
def test_what_is_not_known_is_unverified_and_never_passed(bench, engine, tokenizer, unverified):
    report = bench.check(
        engine=[f"make('engine', 'e', {engine}, {PART})"],
        tokenizer=[f"make('tokenizer', 'k', {tokenizer})"],
    )
    assert report.problems == ()
    said = [f"{fact} is unknown until it is built" for fact in unverified]
    assert list(report.unverified) == said


def test_an_engine_that_takes_no_ids_has_nothing_to_verify(bench):
    report = bench.check(engine=["make('engine', 'e', E('rules'))"])
    assert report.ok
    assert report.unverified == ()


@given(
    context=st.integers(1, 4000),
    characters=st.integers(200, 9000),
    candidate=st.integers(20, 400),
    density=st.floats(0.5, 8, allow_nan=False),
)
@settings(max_examples=40, deadline=None)
def test_the_longest_view_a_candidate_and_text_must_fit(
    tmp_path_factory, context, characters, candidate, density
):
    """ceil(view / d) + ceil(candidate / d) + 40 <= context, and the fix is the largest that fits."""
    bench = Bench(tmp_path_factory.mktemp("b"))
    engine = [
        f"make('engine', 'e', E('x', context_length={context}, characters_per_token={density!r}))"
    ]
    view = "[agent.view]\ncandidate_characters = {}\ncharacters = {}"
    report = bench.check(view.format(candidate, characters), engine=engine)
    needed = math.ceil(characters / density) + math.ceil(candidate / density) + 40
    assert report.ok is (needed <= context)
    if report.ok:
        return
    (problem,) = report.problems
    assert problem.code == "view-too-long"
    assert f"the longest view takes {needed} " in problem.message
    if problem.fix.startswith("set "):
        fitting = int(problem.fix.partition(" = ")[2].partition(",")[0])
        assert bench.check(view.format(candidate, fitting), engine=engine).ok
        assert not bench.check(view.format(candidate, fitting + 9), engine=engine).ok
    else:
        assert not bench.check(view.format(candidate, 200), engine=engine).ok


def test_the_tokens_of_a_chosen_tokenizer_measure_the_view(bench):
    report = bench.check(
        engine=[f"make('engine', 'e', E('x', embedding_rows=10, context_length=100), {PART})"],
        tokenizer=["make('tokenizer', 'k', K(9, characters_per_token=4.0))"],
    )
    (problem,) = report.problems
    assert problem.code == "view-too-long"


def test_a_trainer_must_accept_the_engines_kind(bench):
    report = bench.check(
        "phases.imitate = 't'",
        engine=["make('engine', 'e', E('rules', trainable=True))"],
        trainer=["make('trainer', 't', T(F({'hrm', 'causal-lm'})))",
                 "make('trainer', 'right', T(F({'rules'})))"],
    )  # fmt: skip
    (problem,) = report.problems
    assert problem.render() == (
        'error[trainer-kind]: trainer "t" trains engines of kind causal-lm, hrm, '
        'engine "e" is of kind rules\n'
        '  where: profile "p": phases.imitate = "t"   (aegis.toml:5)\n'
        '  fix:   set phases.imitate = "right", or remove phases.imitate from the profile'
    )


def test_an_engine_without_weights_cannot_be_trained(bench):
    report = bench.check(
        "phases.reinforce = 't'",
        engine=["make('engine', 'e', E('hrm'))"],
        trainer=["make('trainer', 't', T(F({'hrm'})))"],
    )
    assert [problem.code for problem in report.problems] == ["engine-untrainable"]


def test_what_a_trainer_adapts_must_be_there(bench):
    engine = "make('engine', 'e', E('lm', trainable=True, adapters=F({{{}}})))"
    trainer = ["make('trainer', 't', T(F({'lm'}), adapter_targets=F({'c_attn', 'c_porj'})))"]
    toml = "phases.imitate = 't'"
    report = bench.check(toml, engine=[engine.format("'c_attn', 'c_proj'")], trainer=trainer)
    (problem,) = report.problems
    assert problem.code == "adapter-target"
    assert problem.message == (
        'trainer "t" adapts "c_porj", which engine "e" does not have; did you mean "c_proj"?'
    )
    assert problem.fix == "adapt some of: c_attn, c_proj"
    unknown = bench.check(toml, engine=[engine.format("")], trainer=trainer)
    assert unknown.ok
    assert unknown.unverified == ('engine "e": adapters is unknown until it is built',)


@pytest.mark.parametrize(
    ("writes", "tool", "code"),
    [
        ("False", "O(text_slot='query', closed_candidates=False)", "text-slot"),
        ("True", "O(text_slot='query', closed_candidates=False)", None),
        ("False", "O(text_slot='query', closed_candidates=True)", None),
        ("False", "O()", None),
        ("True", "O(closed_candidates=False)", "tool-idle"),
    ],
)
def test_a_text_slot_needs_an_engine_that_writes_or_closed_candidates(bench, writes, tool, code):
    report = bench.check(
        engine=[
            f"make('engine', 'e', E('x', writes_text={writes}))",
            "make('engine', 'writer', E('x', writes_text=True))",
        ],
        tool=[f"make('tool', 'search', {tool})"],
    )
    assert [problem.code for problem in report.problems] == ([code] if code else [])
    if code == "text-slot":
        assert '"query"' in report.problems[0].message
        assert 'use engine "writer"' in report.problems[0].fix
        assert 'leave "search" out of [agent].tools' in report.problems[0].fix


def test_what_a_component_requires_another_one_provides(bench):
    engine = ["make('engine', 'e', E('x'), requires=F({'text-world'}))"]
    tool = "make('tool', 'world', O(), provides=F({'text-world'}))"
    assert bench.check(engine=engine, tool=[tool]).ok
    report = bench.check("[agent]\ntools = []", engine=engine, tool=[tool])
    (problem,) = report.problems
    assert problem.code == "label-missing"
    assert problem.fix == 'use tool "world"'


def test_a_component_cannot_provide_what_it_requires_itself(bench):
    both = ["make('engine', 'e', E('x'), requires=F({'w'}), provides=F({'w'}))"]
    assert [p.code for p in bench.check(engine=both).problems] == ["label-missing"]


COMPOSITE = (
    "make('engine', 'e', E('meta'), parts={{'planner': aegis.Part('engine', 'hrm'), "
    "'writer': aegis.Part('engine', 'gpt2')}}, check={check})"
)
PARTS = [
    (
        "make('engine', 'hrm', E('hrm', embedding_rows=10), "
        "parts={'tokenizer': aegis.Part('tokenizer', 'k')})"
    ),
    "make('engine', 'gpt2', E('lm', embedding_rows=10, tokenizer_max_id=99))",
]


def test_each_part_of_a_composite_is_checked_by_itself(bench):
    report = bench.check(
        engine=[COMPOSITE.format(check="None"), *PARTS],
        tokenizer=["make('tokenizer', 'k', K(10))"],
    )
    first, second = report.problems
    assert first.message == 'tokenizer "k" emits ids up to 10, engine "hrm" has 10 embedding rows'
    assert first.where == (
        'profile "p": engine = "e", planner = "hrm", tokenizer = "k"   (aegis.toml:4)'
    )
    assert second.message.startswith('engine "gpt2" brings a tokenizer')


def test_a_component_adds_rules_of_its_own(bench):
    rule = (
        "lambda config, parts: [aegis.Problem('bridge', "
        "parts['planner'].kind + ' cannot speak to ' + parts['writer'].kind)]"
    )
    report = bench.check(
        engine=[COMPOSITE.format(check=rule), PARTS[0], "make('engine', 'gpt2', E('lm'))"],
        tokenizer=["make('tokenizer', 'k', K(9))"],
    )
    (problem,) = report.problems
    assert (problem.code, problem.message) == ("bridge", "hrm cannot speak to lm")
    assert problem.where == 'profile "p": engine = "e"   (aegis.toml:4)'


def test_the_rules_of_a_component_wait_for_what_its_parts_are(bench):
    report = bench.check(
        engine=[
            COMPOSITE.format(check="lambda c, p: 1 / 0"), PARTS[0], "make('engine', 'gpt2', None)",
        ],
        tokenizer=["make('tokenizer', 'k', K(9))"],
    )  # fmt: skip
    assert report.ok
    assert report.unverified == ('engine "e": its own rules wait for what part "writer" is',)


@pytest.mark.parametrize("rule", ["lambda c, p: 1 / 0", "lambda c, p: ['wrong']", "lambda c, p: 3"])
def test_a_rule_that_breaks_is_attributed(bench, rule):
    report = bench.check(engine=[f"make('engine', 'e', E('x'), check={rule})"])
    (problem,) = report.problems
    assert problem.code == "plugin-failed"
    assert 'plugin "things.py" (local file) raised in check of engine "e": ' in problem.message


def test_what_cannot_be_described_is_one_problem_and_the_rest_is_still_checked(bench):
    report = bench.check(
        "phases.imitate = 't'",
        engine=[
            "aegis.Component(kind='engine', name='e', summary='x', build=print, "
            "describe=lambda c: 1 / 0, " + PART + ")"
        ],
        tokenizer=["make('tokenizer', 'k', K(9))"],
        trainer=["make('trainer', 't', T(F({'hrm'}), adapter_targets=F({'a'})))"],
        tool=["make('tool', 'idle', O(closed_candidates=False))",
              "make('tool', 'slot', O(text_slot='a', closed_candidates=False))"],
    )  # fmt: skip
    assert [problem.code for problem in report.problems] == ["plugin-failed", "tool-idle"]
    assert report.unverified == ()


def test_every_problem_is_told_at_once(bench):
    report = bench.check(
        "phases.imitate = 't'",
        engine=[
            (
                "make('engine', 'e', E('x', embedding_rows=5, context_length=50, "
                f"characters_per_token=3.0), {PART})"
            )
        ],
        tokenizer=["make('tokenizer', 'k', K(9))"],
        trainer=["make('trainer', 't', T(F({'hrm'})))"],
        tool=["make('tool', 'slot', O(text_slot='a', closed_candidates=False))"],
    )
    assert [problem.code for problem in report.problems] == [
        "tokenizer-too-large", "view-too-long", "trainer-kind", "text-slot",
    ]  # fmt: skip
    with pytest.raises(ContractError) as caught:
        report.raise_problems()
    assert caught.value.problems == report.problems


def test_every_rule_says_what_it_checks():
    assert all((rule.__doc__ or "").partition("\n")[0].endswith(".") for rule in RULES)
    assert len(set(RULES)) == len(RULES)


class Built:
    def __init__(self, capabilities):
        self.capabilities = capabilities


def test_what_was_unknown_is_verified_on_the_built_objects(bench):
    composition = bench.compose(
        engine=[f"make('engine', 'e', E('x', unverified=('embedding_rows',)), {PART})"],
        tokenizer=["make('tokenizer', 'k', K(None, unverified=('max_token_id',)))"],
    )
    assert len(check(composition).unverified) == 2

    def built(rows, largest):
        return verify_built(
            composition,
            {
                "engine": Built(aegis.EngineCapabilities("x", embedding_rows=rows)),
                "engine.tokenizer": Built(aegis.TokenizerCapabilities(largest)),
            },
        )

    assert built(10, 9).ok
    assert built(10, 9).unverified == ()
    assert [problem.code for problem in built(10, 10).problems] == ["tokenizer-too-large"]


def test_what_was_built_must_be_what_was_described(bench):
    composition = bench.compose(
        engine=["make('engine', 'e', E('x', embedding_rows=10, parameters=5))"]
    )
    same = Built(aegis.EngineCapabilities("x", embedding_rows=10, parameters=6))
    assert verify_built(composition, {"engine": same}).ok
    other = Built(aegis.EngineCapabilities("y", embedding_rows=11))
    problems = verify_built(composition, {"engine": other}).problems
    assert [problem.message for problem in problems] == [
        'engine "e" described kind as x; what was built has y',
        'engine "e" described embedding_rows as 10; what was built has 11',
    ]
    assert 'plugin "things.py" (local file)' in problems[0].where


def test_a_fact_that_the_built_object_does_not_know_either_stays_unverified(bench):
    composition = bench.compose(
        engine=[f"make('engine', 'e', E('x', embedding_rows=10), {PART})"],
        tokenizer=["make('tokenizer', 'k', K(None, unverified=('max_token_id',)))"],
    )
    report = verify_built(
        composition, {"engine.tokenizer": Built(aegis.TokenizerCapabilities(None))}
    )
    assert report.unverified == ('tokenizer "k": max_token_id is unknown until it is built',)


def test_a_built_trainer_is_taken_at_its_word(bench):
    composition = bench.compose(
        "phases.imitate = 't'",
        engine=["make('engine', 'e', E('hrm', trainable=True))"],
        trainer=["make('trainer', 't', T(F({'hrm'})))"],
    )

    class Trainer:
        accepts = frozenset({"causal-lm"})

    codes = [p.code for p in verify_built(composition, {"trainer.imitate": Trainer()}).problems]
    assert codes == ["description-broken", "trainer-kind"]


def test_the_facts_are_shown_with_their_plugin(bench):
    report = bench.check(
        engine=[
            f"make('engine', 'e', E('x', embedding_rows=10, adapters=F({{'b', 'a'}})), {PART})"
        ],
        tokenizer=["make('tokenizer', 'k', K(9, fingerprint='f' * 64))"],
    )
    assert [str(fact) for fact in report.facts] == [
        'engine "e" (local file): kind x, embedding_rows 10, adapters a b',
        '  tokenizer "k" (local file): max_token_id 9, fingerprint ffffffffffff',
        'environment "research" (local file)',
    ]
