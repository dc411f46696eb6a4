from __future__ import annotations

import math
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.builtin import engines
from aegis.builtin._engines.rules import RulesEngine
from aegis.builtin._engines.uniform import RandomEngine
from aegis.contracts.action import Action
from aegis.contracts.component import Runtime
from aegis.contracts.view import Seen, View
from aegis.errors import InputError
from aegis.evaluation.gym.corpus import read_corpus
from aegis.evaluation.gym.environment import ResearchGym
from aegis.evaluation.gym.index import build_index
from aegis.evaluation.gym.oracle import Oracle
from aegis.evaluation.intervals import normalised, paired_difference
from aegis.evaluation.rollout import rollout

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    "rank",
    "title",
    "text",
    "rare",
    "like",
    "page",
    "goal",
    "new",
    "last",
    "match",
    "missing",
    "terms",
)
GYM_READ = st.fixed_dictionaries({name: st.integers(0, 9) for name in NAMES[:5]})
GYM_SEARCH = st.fixed_dictionaries({name: st.integers(0, 9) for name in NAMES[5:9]})
OTHER = st.dictionaries(
    st.sampled_from(["match", "missing", "terms", "rank", "page"]), st.integers(0, 9)
)
ACTIONS = st.one_of(
    st.builds(Action, st.just("read"), signals=GYM_READ | OTHER),
    st.builds(
        Action,
        st.sampled_from(["search", "search_library", "search_arxiv"]),
        signals=GYM_SEARCH | OTHER,
    ),
    st.builds(Action, st.sampled_from(["write_note", "finish", "turn_left"]), signals=OTHER),
)
VIEWS = st.builds(
    View,
    st.just("Understand x"),
    step=st.integers(1, 40),
    limit=st.sampled_from([0, 40]),
    knowledge=st.sampled_from([(), (Seen("1", "A"),), tuple(Seen(str(i), "B") for i in range(6))]),
)


@given(VIEWS, st.lists(ACTIONS, min_size=1, max_size=24))
def test_scores_are_proper_log_probabilities(view: View, candidates: list[Action]):
    for engine in (RandomEngine(), RulesEngine()):
        scores = engine.score(view, candidates)
        assert scores.shape == (len(candidates),)
        assert np.isfinite(scores).all()
        assert float(np.exp(scores).sum()) == pytest.approx(1.0)
        (batched,) = engine.score_batch([(view, candidates)])
        assert (batched == scores).all()


@given(
    VIEWS,
    st.lists(ACTIONS, min_size=1, max_size=12, unique_by=repr),
    st.randoms(use_true_random=False),
)
def test_the_order_of_candidates_does_not_matter(view: View, candidates: list[Action], shuffle):
    order = list(range(len(candidates)))
    shuffle.shuffle(order)
    scores = RulesEngine().score(view, candidates)
    moved = RulesEngine().score(view, [candidates[i] for i in order])
    np.testing.assert_allclose(moved, scores[order], atol=1e-9)


def test_random_is_uniform():
    scores = RandomEngine().score(View("x"), [Action("a"), Action("b"), Action("c")])
    assert scores == pytest.approx([-math.log(3)] * 3)


def read(**signals: int) -> Action:
    return Action(
        "read",
        {"document": "1"},
        signals={"rank": 1, "title": 3, "text": 3, "rare": 5, "like": 0, **signals},
    )


@pytest.mark.parametrize("signal", ["text", "rare", "like"])
def test_rules_prefers_the_document_that_matches_better(signal: str):
    view = View("x", knowledge=(Seen("9", "K"),))
    low, high = RulesEngine().score(view, [read(**{signal: 1}), read(**{signal: 6})])
    assert high > low


def test_rules_leaves_a_poor_document_unread_and_notes_before_it_finishes():
    known = tuple(Seen(str(i), "K") for i in range(5))
    candidates = [read(text=0, rare=1), Action("finish"), Action("write_note", {"cites": ["1"]})]
    poor, finish, note = RulesEngine().score(
        View("x", step=20, limit=40, knowledge=known), candidates
    )
    assert poor < finish < note


def test_rules_searches_first_and_for_the_whole_goal_in_the_gym():
    whole, part = (
        Action("search", {"query": q}, signals={"page": 1, "goal": g, "new": 9, "last": 0})
        for q, g in (("low rank", 9), ("rank", 4))
    )
    scores = RulesEngine().score(View("x", limit=40), [part, whole, Action("finish")])
    assert int(np.argmax(scores)) == 1


def test_rules_works_on_the_tools_of_the_agents_own_life():
    candidates = [
        Action("search_library", {"query": "a"}, signals={"terms": 1}),
        Action("search_arxiv", {"query": "b"}, signals={"terms": 2, "missing": 2}),
        Action("read", {"document": "3"}, signals={"rank": 4}),
        Action("read", {"document": "4"}, signals={"rank": 1, "match": 3}),
        Action("write_note", {"text": "x"}),
    ]
    order = np.argsort(-RulesEngine().score(View("Understand x"), candidates))
    assert order.tolist() == [1, 3, 2, 0, 4]


@pytest.mark.parametrize("engine", [RandomEngine(), RulesEngine()])
def test_an_engine_that_does_not_write_says_so(engine):
    assert not engine.capabilities.writes_text
    with pytest.raises(InputError, match=r"cannot fill search\.query"):
        engine.write(View("x"), Action("search", slot="query"), "query")


def test_the_components_describe_what_they_build(tmp_path: Path):
    for component in engines.aegis_engines():
        built = component.build(None, {}, Runtime(tmp_path, tmp_path))
        assert component.describe(None) == built.capabilities
        built.save(tmp_path)
        built.close()
    assert [component.name for component in engines.aegis_engines()] == ["random", "rules"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", ["aegis.builtin.engines", "aegis.builtin.gym"])
def test_the_manifests_are_cheap(module: str):
    code = f"import sys, {module} as m; getattr(m, 'aegis_engines', lambda: 0)(); getattr(m, 'aegis_environments', lambda: 0)(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_rules_is_far_above_random_on_notes(root: Path):
    gym = ResearchGym(build_index(read_corpus(root / "data" / "library")))
    rules, random = (
        [e.total for e in rollout(gym, engine, range(100))]
        for engine in (RulesEngine(), RandomEngine())
    )
    oracle = [e.total for e in rollout(gym, Oracle(gym), range(100), greedy=True)]
    assert paired_difference(rules, random).low > 0.8
    assert normalised(rules, random, oracle).mean > 0.2
