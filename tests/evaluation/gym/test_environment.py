"""The rules of research-gym, version 1, one by one."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.contracts.action import Action
from aegis.contracts.view import View
from aegis.errors import InputError
from aegis.evaluation.gym.corpus import Corpus, Text
from aegis.evaluation.gym.environment import SPLITS, ResearchGym, failure_of, split_of, topics_of
from aegis.evaluation.gym.index import GymIndex, build_index
from aegis.evaluation.gym.postings import Postings
from aegis.evaluation.gym.relevance import Relevance

if TYPE_CHECKING:
    import random


def calls(gym: ResearchGym, view: View, tool: str) -> list[Action]:
    return [action for action in gym.candidates(view) if action.tool == tool]


def transcript(gym: ResearchGym, seed: int, choices: list[int]) -> tuple[list[object], list[float]]:
    """Everything that a policy is shown when it makes these choices, and the rewards."""
    view = gym.reset(seed)
    shown: list[object] = [view.render()]
    rewards = []
    for choice in choices:
        candidates = gym.candidates(view)
        shown.append([(a.tool, dict(a.arguments), a.about, dict(a.signals)) for a in candidates])
        result = gym.step(candidates[choice % len(candidates)])
        view = result.view
        shown += [view.render(), result.outcome]
        rewards.append(result.reward)
        if result.done:
            break
    return shown, rewards


CHOICES = st.lists(st.integers(0, 23), min_size=1, max_size=40)
SEEDS = st.integers(0, 10_000)


def test_an_episode_played_by_hand_earns_what_the_rules_say(library_index: GymIndex):
    gym = ResearchGym(library_index, split="practice", failures=0.0)
    view = gym.reset(3)
    topic = library_index.ids[gym.topics[3]]
    relevant = {library_index.ids[d] for d in library_index.relevance.nearest(gym.topics[3], 8)}
    by_title = dict(zip(library_index.search.titles, library_index.ids, strict=True))
    rewards, read = [], []
    result = gym.step(calls(gym, view, "search")[0])
    assert (result.outcome.status, result.outcome.gained, result.reward) == ("ok", 5, -0.05)
    for _ in range(4):
        action = calls(gym, result.view, "read")[0]
        read.append(by_title[action.about])
        result = gym.step(action)
        rewards.append(result.reward)
    assert rewards == pytest.approx([0.95 if name in relevant else -0.30 for name in read])
    assert len({round(reward, 2) for reward in rewards}) == 2  # both kinds occur
    result = gym.step(calls(gym, result.view, "write_note")[0])
    hits = len(relevant.intersection(read))
    assert result.reward == pytest.approx(0.02 * hits - 0.05)
    assert not calls(gym, result.view, "write_note")
    result = gym.step(calls(gym, result.view, "finish")[0])
    assert (result.reward, result.done) == (-0.05, True)
    assert result.info == {"topic": topic, "relevant": 8, "relevant_read": hits, "read": 4}
    assert result.view.step == 8


def test_the_first_view_names_the_topic_by_its_title_and_knows_nothing(library_index: GymIndex):
    gym = ResearchGym(library_index)
    view = gym.reset(5)
    assert view.goal == f"Understand {library_index.search.titles[gym.topics[5]]}"
    assert (view.step, view.limit) == (1, 40)
    assert view.knowledge == view.found == view.gaps == view.facts == view.recent == ()


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, choices=CHOICES)
def test_the_same_seed_and_choices_give_the_same_episode(
    library_index: GymIndex, seed: int, choices: list[int]
):
    first = transcript(ResearchGym(library_index), seed, choices)
    assert transcript(ResearchGym(library_index), seed, choices) == first


def relabelled(index: GymIndex, order: list[int]) -> GymIndex:
    """The same corpus, with the hidden vectors handed to other documents."""
    by_document = index.relevance.by_document
    rows = [by_document.row(d) for d in order]
    starts = np.concatenate([[0], np.cumsum([len(c) for c, _ in rows])])
    moved = Postings(
        starts, np.concatenate([c for c, _ in rows]), np.concatenate([v for _, v in rows])
    )
    width = len(index.relevance.by_term.starts) - 1
    return evolve(index, relevance=Relevance(moved, moved.transposed(width)))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, choices=CHOICES, shuffle=st.randoms(use_true_random=False))
def test_other_labels_change_rewards_and_nothing_that_is_shown(
    library_index: GymIndex, seed: int, choices: list[int], shuffle: random.Random
):
    order = list(range(len(library_index.ids)))
    shuffle.shuffle(order)
    gym = ResearchGym(library_index)
    other = ResearchGym(relabelled(library_index, order))
    assert transcript(other, seed, choices)[0] == transcript(gym, seed, choices)[0]


def test_the_planted_change_of_labels_does_change_rewards(library_index: GymIndex):
    other = relabelled(library_index, list(range(len(library_index.ids)))[::-1])
    choices = [0] * 30
    mine = [transcript(ResearchGym(library_index), seed, choices)[1] for seed in range(5)]
    theirs = [transcript(ResearchGym(other), seed, choices)[1] for seed in range(5)]
    assert mine != theirs


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, choices=CHOICES)
def test_the_text_of_the_topic_is_not_looked_at(
    library_index: GymIndex, seed: int, choices: list[int]
):
    gym = ResearchGym(library_index)
    document = gym.topics[seed % len(gym.topics)]
    vectors = library_index.search.vectors
    blank = vectors.values.copy()
    blank[vectors.starts[document] : vectors.starts[document + 1]] = np.nan
    search = evolve(library_index.search, vectors=vectors.with_values(blank))
    blind = ResearchGym(evolve(library_index, search=search))
    assert transcript(blind, seed, choices) == transcript(gym, seed, choices)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, choices=CHOICES)
def test_every_step_keeps_the_rules_of_candidates(
    library_index: GymIndex, seed: int, choices: list[int]
):
    gym = ResearchGym(library_index)
    view = gym.reset(seed)
    title = library_index.search.titles[gym.topics[seed % len(gym.topics)]]
    answered: set[str] = set()
    for number, choice in enumerate(choices, 1):
        candidates = gym.candidates(view)
        assert 1 <= len(candidates) <= 24
        assert candidates[-1].tool == "finish"
        keys = [action.key for action in candidates]
        assert len(set(keys)) == len(keys)
        assert not answered.intersection(keys)
        assert title not in [seen.title for seen in (*view.found, *view.knowledge)]
        assert all(0 <= value <= 9 for action in candidates for value in action.signals.values())
        assert View.parse(view.render()) == view
        assert view.step == number
        action = candidates[choice % len(candidates)]
        result = gym.step(action)
        if result.outcome.status == "ok":
            answered.add(action.key)
        view = result.view
        assert result.done == (action.tool == "finish" or number == 40)
        if result.done:
            assert gym.candidates(view) == ()
            return


def test_an_episode_ends_at_its_limit(library_index: GymIndex):
    gym = ResearchGym(library_index, steps=7)
    view = gym.reset(0)
    dones = []
    for _ in range(7):
        result = gym.step(gym.candidates(view)[0])
        view = result.view
        dones.append(result.done)
    assert dones == [False] * 6 + [True]
    with pytest.raises(InputError, match="has ended"):
        gym.step(Action("finish"))


def test_what_is_no_candidate_is_refused(library_index: GymIndex):
    gym = ResearchGym(library_index)
    with pytest.raises(InputError, match="no episode was begun"):
        gym.candidates(View("x"))
    gym.reset(0)
    with pytest.raises(InputError, match="is no candidate of step 1"):
        gym.step(Action("read", {"document": "1"}))


def test_an_action_that_was_recorded_as_json_can_be_played_again(library_index: GymIndex):
    gym = ResearchGym(library_index)
    view = gym.reset(2)
    recorded, played = [], []
    for _ in range(12):
        action = gym.candidates(view)[len(recorded) % 3]
        recorded.append(json.dumps([action.tool, dict(action.arguments)]))
        result = gym.step(action)
        played.append(result.view)
        view = result.view
    gym.reset(2)
    again = [
        gym.step(Action(tool, arguments)).view for tool, arguments in map(json.loads, recorded)
    ]
    assert again == played


def test_a_tenth_of_the_calls_fail_in_four_ways_alike():
    drawn = Counter(
        failure_of(seed, f"read {n}", 0, 0.1) for seed in range(200) for n in range(100)
    )
    failed = 20_000 - drawn.pop(None)
    assert abs(failed / 20_000 - 0.1) < 4 * math.sqrt(0.1 * 0.9 / 20_000)
    assert set(drawn) == {"error", "timeout", "empty", "partial"}
    assert all(
        abs(count / failed - 0.25) < 4 * math.sqrt(0.25 * 0.75 / failed) for count in drawn.values()
    )


def test_failures_happen_in_episodes_and_finish_never_fails(library_index: GymIndex):
    gym = ResearchGym(library_index, failures=1.0)
    statuses = set()
    for seed in range(10):
        view = gym.reset(seed)
        while view.step < 40 and (action := gym.candidates(view)[0]).tool != "finish":
            result = gym.step(action)
            statuses.add(result.outcome.status)
            assert result.reward == -0.05
            view = result.view
            assert not view.knowledge
        assert gym.step(calls(gym, view, "finish")[0]).outcome.status == "ok"
    assert statuses == {"error", "timeout", "empty", "partial"}


def test_a_call_that_failed_is_offered_again_and_not_for_ever(library_index: GymIndex):
    gym = ResearchGym(library_index, failures=1.0)
    view = gym.reset(1)
    call = calls(gym, view, "search")[0]
    for _ in range(3):
        assert call.key in [action.key for action in gym.candidates(view)]
        view = gym.step(call).view
    assert call.key not in [action.key for action in gym.candidates(view)]


def test_a_partial_search_shows_a_part_and_a_partial_read_is_none(library_index: GymIndex):
    seed = next(s for s in range(500) if _fails(library_index, s) == "partial")
    gym = ResearchGym(library_index)
    view = gym.reset(seed)
    result = gym.step(calls(gym, view, "search")[0])
    assert (result.outcome.status, result.outcome.gained, len(result.view.found)) == (
        "partial",
        2,
        2,
    )


def _fails(index: GymIndex, seed: int) -> str | None:
    gym = ResearchGym(index)
    query = calls(gym, gym.reset(seed), "search")[0].arguments["query"]
    return failure_of(seed, f"search 1 {query}", 0, 0.1)


def test_pages_of_a_query_continue_its_ranking(library_index: GymIndex):
    gym = ResearchGym(library_index, failures=0.0)
    view = gym.reset(8)
    query = calls(gym, view, "search")[0].arguments["query"]
    for _ in range(3):
        pages = [a for a in calls(gym, view, "search") if a.arguments["query"] == query]
        assert len(pages) == 1
        view = gym.step(pages[0]).view
    ranking = [d for d in library_index.search.search(query) if d != gym.topics[8]][:15]
    found = [gym.episode.desk.found[str(ref)].document for ref in range(1, 16)]
    assert found == ranking


@given(st.text(max_size=40))
def test_the_split_of_a_topic_is_its_digest_modulo_five(identifier: str):
    rest = int.from_bytes(hashlib.sha256(identifier.encode("utf-8", "replace")).digest(), "big") % 5
    expected = {0: "test", 1: "validation"}.get(rest, "practice")
    assert split_of(identifier.encode("utf-8", "replace").decode()) == expected


def test_splits_are_disjoint_and_cover_every_topic(library_index: GymIndex):
    topics = [set(topics_of(library_index, split)) for split in SPLITS]
    assert sum(map(len, topics)) == len(set.union(*topics))
    assert set.union(*topics) == set(np.flatnonzero(library_index.relevance.has_vector()).tolist())


def test_consecutive_seeds_have_distinct_topics(library_index: GymIndex):
    gym = ResearchGym(library_index, split="test")
    goals = [gym.reset(seed).goal for seed in range(len(gym.topics))]
    assert len(set(goals)) == len(goals)
    assert gym.reset(len(gym.topics)).goal == goals[0]


def test_a_small_library_has_eight_relevant_documents(library_index: GymIndex):
    gym = ResearchGym(library_index)
    gym.reset(0)
    assert len(gym.episode.judge.relevant) == gym.k == 8
    assert ResearchGym(library_index, k=5).k == 5


def test_a_corpus_without_topics_is_refused():
    corpus = Corpus(tuple(Text(str(i), f"title {i}", "text") for i in range(20)), "0")
    with pytest.raises(InputError, match=r"no document of the corpus \(20\) can be a topic"):
        ResearchGym(build_index(corpus))


def test_a_goal_is_completed_by_finishing_once_its_terms_are_covered(library_index: GymIndex):
    gym = ResearchGym(library_index, failures=0.0)
    completed = {}
    for seed in range(12):
        view = gym.reset(seed)
        while view.missing and view.step < 39:
            view = gym.step(gym.candidates(view)[0]).view
        result = gym.step(calls(gym, view, "finish")[0])
        completed[result.goal_completed] = not view.missing
    assert completed[True] is True
    assert completed.get(False, False) is False


def test_a_document_of_rare_terms_only_can_be_read_and_covers_the_goal():
    name = next(n for n in map(str, range(99)) if split_of(n) == "practice")
    others = [Text(f"red-{i}", "red", "red") for i in range(5)]
    rare = Text("rare", "zebra", "zebra quagga")
    filler = [Text(f"f{i}", f"plain{i}", "words of no kind") for i in range(60)]
    index = build_index(Corpus((Text(name, "red zebra", "red"), rare, *others, *filler), "0"))
    gym = ResearchGym(index, k=5, failures=0.0)
    view = gym.reset(gym.topics.index(0))
    assert view.missing == ("red", "zebra")
    view = gym.step(calls(gym, view, "search")[0]).view
    (zebra,) = [action for action in calls(gym, view, "read") if action.about == "zebra"]
    view = gym.step(zebra).view
    assert view.missing == ("red",)
    assert all(action.signals["like"] == 0 for action in calls(gym, view, "read"))


def test_signals_of_a_read_are_the_buckets_that_are_documented(
    library_corpus: Corpus, library_index: GymIndex
):
    gym = ResearchGym(library_index, failures=0.0)
    view = gym.reset(4)
    search, desk = library_index.search, gym.episode.desk
    view = gym.step(calls(gym, view, "search")[0]).view
    view = gym.step(calls(gym, view, "read")[0]).view
    (read,) = desk.read.values()
    idf = {
        t: math.log(1 + (235 - search.df[t] + 0.5) / (search.df[t] + 0.5)) for t in desk.goal.terms
    }
    for action in calls(gym, view, "read"):
        found = desk.found[action.arguments["document"]]
        weights = dict(
            zip(*(part.tolist() for part in search.vectors.row(found.document)), strict=True)
        )
        other = dict(
            zip(*(part.tolist() for part in search.vectors.row(read.document)), strict=True)
        )
        title = set(search.query_terms(search.titles[found.document]))
        length = math.sqrt(sum(w * w for w in idf.values()))
        cosine = sum(w / length * weights.get(t, 0.0) for t, w in idf.items())
        expected = {
            "title": 10 * sum(w for t, w in idf.items() if t in title) / sum(idf.values()),
            "text": 20 * cosine,
            "rare": 10
            * max((w for t, w in idf.items() if t in weights), default=0.0)
            / math.log(236),
            "like": 20 * sum(w * other.get(t, 0.0) for t, w in weights.items()),
        }
        assert {name: action.signals[name] for name in expected} == {
            name: min(9, int(value + 1e-9)) for name, value in expected.items()
        }


def test_the_library_holds_as_many_notes_as_the_formula_above_assumes(library_index: GymIndex):
    assert len(library_index.ids) == 235
