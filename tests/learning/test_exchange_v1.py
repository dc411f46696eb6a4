"""Import of the old system's training file."""

from __future__ import annotations

import copy
import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.config.settings import LearningSettings, RewardSettings
from aegis.contracts.action import Action
from aegis.errors import InputError
from aegis.learning.exchange import export_jsonl, import_file
from aegis.learning.selecting import select
from aegis.learning.stats import TrainingStats, stats
from aegis.store.ledger import Ledger


@pytest.fixture(scope="module")
def decisions(shared, tmp_path_factory):
    """The 1,867 real decisions: the file, its examples, the ledger, the report."""
    path = shared / "aegis-v1" / "hrm_training_data.react.json"
    with Ledger.open(tmp_path_factory.mktemp("react")) as ledger:
        report = import_file(ledger, path)
        yield path, json.loads(path.read_text())["examples"], ledger, report


def test_every_real_decision_is_accounted_for(decisions):
    _, examples, ledger, report = decisions
    assert report.records == report.imported == len(examples) == 1867
    assert (report.duplicates, report.null_actions, report.rejected, report.missing_keys) == (
        0,
        0,
        {},
        {},
    )
    assert report.actions == {"web_search": 1334, "learn": 69, "finish": 464}
    assert report.unknown_actions == {"finish": 464}
    assert ledger.counts().experiences == 1867
    assert ledger.counts().by_origin.keys() == {"import"}
    assert ledger.verify() == []


def test_the_episodes_of_the_real_decisions_are_the_questions_asked(decisions):
    """In this file an episode begins where `recent_actions` is empty: another rule than ours."""
    _, examples, ledger, report = decisions
    begins = [n for n, e in enumerate(examples, start=1) if not e["state"]["recent_actions"]]
    first = [e.step for e in ledger.experiences() if e.index == 1]
    assert first == begins
    assert report.episodes == ledger.counts().episodes == len(begins) == 512
    last = [e.step for e in ledger.experiences() if e.done]
    assert last == [n - 1 for n in begins[1:]] + [1867]


def test_the_outcomes_and_rewards_of_the_real_decisions(decisions):
    """Counted from the file by its own words."""
    _, examples, ledger, report = decisions
    said = Counter((e["action"]["action"], e["result"]["result"]) for e in examples)
    one = said["web_search", "Found and integrated 1 knowledge items"]
    none = (
        said["web_search", "Found and integrated 0 knowledge items"] + said["learn", "No Results"]
    )
    right, wrong = said["finish", "correct"], said["finish", "incorrect"]
    assert (one, none, right, wrong) == (820, 556, 170, 294)
    table = RewardSettings()
    total = one * 1.0 + (none + wrong) * -0.5 + right * table.goal_completed
    assert report.reward_mean == pytest.approx(total / 1867)
    assert ledger.counts().reward_mean == pytest.approx(total / 1867)
    assert Counter(e.outcome.status for e in ledger.experiences()) == {
        "empty": none,
        "ok": 1867 - none,
    }
    assert sum(e.outcome.gained for e in ledger.experiences()) == one


def test_nothing_of_the_real_decisions_is_lost(decisions):
    _, examples, ledger, _ = decisions
    assert [json.loads(e.extra) for e in ledger.experiences()] == examples
    for experience, example in zip(ledger.experiences(), examples, strict=True):
        assert experience.view.goal == example["state"]["active_goals"][0]
        assert experience.view.facts == tuple(example["state"]["recent_knowledge"])
        assert (
            f"knowledge_count {example['state']['knowledge_count']}" in experience.view.observation
        )
        assert experience.started == example["timestamp"]
        assert (experience.decision.candidates, experience.decision.chosen) == ((), None)
        written = {k: v for k, v in example["action"].items() if k not in ("action", "reasoning")}
        assert experience.decision.action == Action(example["action"]["action"], written)
        assert [experience.decision.text] == list(written.values())


def test_what_a_trainer_could_use_of_the_real_decisions(decisions):
    _, examples, ledger, _ = decisions
    found = stats(ledger)
    assert (found.examples, found.episodes) == (1867, 512)
    assert found.actions == {"web_search": 1334, "learn": 69, "finish": 464}
    assert (found.candidates_mean, found.with_candidates) == (0.0, 0.0)
    training = TrainingStats.of(select(ledger.experiences(), LearningSettings()))
    assert training.texts_only == 1.0
    assert training.examples + training.held_out + sum(training.refused.values()) == 1867
    same = set()
    index = 0
    for example in examples:
        index = 1 if not example["state"]["recent_actions"] else index + 1
        state = {k: v for k, v in example["state"].items() if k != "iteration"}
        action = {k: v for k, v in example["action"].items() if k != "reasoning"}
        same.add(json.dumps([index, state, action], sort_keys=True))
    assert found.duplicates == 1867 - len(same)
    assert (found.first, found.last) == (examples[0]["timestamp"], examples[-1]["timestamp"])


def test_the_real_decisions_survive_an_export(decisions, tmp_path, recorder):
    path, _, ledger, _ = decisions
    assert export_jsonl(ledger, tmp_path / "x.jsonl") == 1867
    with Ledger.open(tmp_path / "again") as again:
        import_file(again, tmp_path / "x.jsonl")
        assert recorder.rows(again) == recorder.rows(ledger)
        assert import_file(again, path).duplicates == 1867


def test_the_documented_example(shared, open_ledger):
    ledger = open_ledger()
    report = import_file(ledger, shared / "aegis-v1" / "hrm_training_data.format_example.json")
    assert (report.imported, report.missing_keys, report.unknown_actions, report.odd_values) == (
        3,
        {},
        {},
        {},
    )
    search, proposal, idle = ledger.experiences()
    assert search.decision.action == Action(
        "web_search", {"query": "top-1 gating collapse in sparse mixture models"}
    )
    assert (search.outcome.status, search.outcome.gained, search.reward) == ("ok", 5, 5.0)
    assert "other goal Explore graph search heuristics" in search.view.observation
    assert search.view.gaps[2] == "planning:admissible heuristics on grids"
    assert proposal.decision.action.arguments.keys() == {"aspect", "proposal"}
    assert (proposal.outcome.status, proposal.reward) == ("partial", 0.0)
    assert idle.decision.action == Action("idle")
    assert (idle.outcome.status, idle.reward, idle.view.goal) == ("empty", 0.0, "")


def take(ledger, path, **options):
    report = import_file(ledger, path, **options)
    assert report.imported + report.duplicates + report.rejected.total() == report.records
    return report, list(ledger.experiences())


RESULTS = [
    (
        "web_search",
        {"status": "completed", "result": "Found and integrated 0 knowledge items"},
        "empty",
        0,
        -0.5,
    ),
    ("web_search", {"status": "completed", "knowledge_gained": 3}, "ok", 3, 3.0),
    ("web_search", {"status": "completed", "knowledge_gained": 0}, "empty", 0, -0.5),
    ("web_search", {"status": "completed", "result": "something else"}, "ok", 0, 0.0),
    ("web_search", {"status": "failed", "reason": "No callback"}, "error", 0, -0.5),
    ("web_search", {"status": "timeout"}, "timeout", 0, -0.5),
    ("explore", {"status": "failed", "reason": "No callback for action type"}, "error", 0, -0.5),
    ("ask_human", {"status": "completed", "result": "yes"}, "ok", 0, 0.0),
    (
        "propose_improvement",
        {"status": "proposed", "result": {"status": "pending_approval"}},
        "partial",
        0,
        0.0,
    ),
    (
        "propose_improvement",
        {"status": "proposed", "result": {"status": "rejected"}},
        "denied",
        0,
        0.0,
    ),
    ("propose_improvement", {"status": "auto_approved"}, "ok", 0, 0.0),
    ("idle", {"status": "idle", "knowledge_gained": 0}, "empty", 0, 0.0),
    ("web_search", {"status": "who knows"}, "partial", 0, 0.0),
]


@pytest.mark.parametrize(("name", "result", "status", "gained", "reward"), RESULTS)
def test_an_outcome_follows_from_the_result(
    open_ledger, old_file, example, name, result, status, gained, reward
):
    path = old_file([example(action={"action": name}, result=result)])
    _, (made,) = take(open_ledger(), path)
    assert (made.outcome.status, made.outcome.gained, made.reward) == (status, gained, reward)


def test_rewards_are_those_of_the_table(open_ledger, old_file, example):
    table = RewardSettings(new_item=2.0, failed_search=-7.0, goal_completed=11.0, step=-0.25)
    path = old_file([
        example(0),
        example(1, result={"status": "failed"}),
        example(2, action={"action": "finish", "answer": "42"}, result={"status": "completed", "result": "correct"}),
    ])  # fmt: skip
    _, made = take(open_ledger(), path, rewards=table)
    assert [e.reward for e in made] == [9.75, -7.25, 10.75]


def test_missing_keys_are_counted_and_the_example_is_kept(open_ledger, old_file, example):
    """The shorter example of the old plan, and ones with nearly nothing."""
    short = {
        "state": {"active_goals": ["G"]},
        "action": {"action": "learn"},
        "result": {"status": "completed", "knowledge_gained": 2},
    }
    path = old_file([short, {}, example(5, without=["result", "state.iteration", "action.query"])])
    report, made = take(open_ledger(), path)
    assert report.imported == 3
    assert report.missing_keys["timestamp"] == report.missing_keys["example_id"] == 2
    assert report.missing_keys["state.iteration"] == 2
    assert report.missing_keys["state"] == report.missing_keys["action"] == 1
    assert report.missing_keys["result"] == 2
    assert report.missing_keys["action.query"] == report.missing_keys["action.focus"] == 1
    assert report.null_actions == 1
    assert made[0].outcome.gained == 2
    assert made[1].outcome.status == "partial"
    assert [json.loads(e.extra) for e in made][1] == {}


ACTIONS = {
    "null": (None, None, 1, {}),
    "not there": ({}, None, 1, {}),
    "a null name": ({"action": None}, None, 1, {}),
    "a number": ({"action": 7}, None, 1, {}),
    "a text": ("web_search", None, 1, {}),
    "unknown": (
        {"action": "teleport", "to": "Mars", "reasoning": "r"},
        Action("teleport", {"to": "Mars"}),
        0,
        {"teleport": 1},
    ),
    "unknown with a line break": ({"action": "a\nstep: 9/9"}, None, 0, {"a\nstep: 9/9": 1}),
    "unknown with half a pair": ({"action": "\ud800"}, None, 0, {"\ufffd": 1}),
}


@pytest.mark.parametrize(
    ("action", "call", "nulls", "unknown"), ACTIONS.values(), ids=ACTIONS.keys()
)
def test_unknown_and_null_actions_are_kept_and_counted(
    open_ledger, old_file, example, action, call, nulls, unknown
):
    report, (made,) = take(open_ledger(), old_file([example(action=action)]))
    assert (report.null_actions, report.unknown_actions) == (nulls, unknown)
    assert made.decision.action == call
    assert json.loads(made.extra)["action"] == action


def test_what_is_no_example_is_rejected_with_the_reason(open_ledger, old_file, example):
    report, made = take(open_ledger(), old_file([example(0), None, "x", 3, [], example(1)]))
    assert len(made) == 2
    assert report.rejected == {
        "expected an object, found null": 1,
        "expected an object, found a text": 1,
        "expected an object, found a number": 1,
        "expected an object, found a list": 1,
    }
    assert report.rejected_records == [2, 3, 4, 5]


def test_the_same_example_is_recorded_once(open_ledger, old_file, example):
    ledger = open_ledger()
    report, _ = take(ledger, old_file([example(0), example(1), example(0)]))
    assert (report.imported, report.duplicates) == (2, 1)
    report, made = take(ledger, old_file([example(1), example(2), example(0)], name="more.json"))
    assert (report.imported, report.duplicates, len(made)) == (1, 2, 3)
    assert ledger.verify() == []


def test_an_episode_ends_where_goals_change_or_the_counter_goes_back(
    open_ledger, old_file, example
):
    def at(iteration, number, *goals):
        return example(number, state={"iteration": iteration, "active_goals": list(goals)})

    path = old_file([
        at(1, 0, "a"), at(2, 1, "a"), at(2, 2, "a"), at(7, 3, "a"), at(8, 4, "b"), at(1, 5, "b"),
        example(6, without=["state"]), example(7, without=["state"]),
        example(8, without=["state.iteration"]), example(9, without=["state.iteration"]),
    ])  # fmt: skip
    _, made = take(open_ledger(), path)
    assert [e.episode for e in made] == [1, 1, 2, 2, 3, 4, 5, 6, 7, 7]
    assert [e.index for e in made] == [1, 2, 1, 2, 1, 1, 1, 1, 1, 2]
    assert [e.done for e in made] == [False, True, False, True, True, True, True, True, False, True]
    assert [e.view.step for e in made] == [e.index for e in made]


def test_odd_values_are_counted_and_kept(open_ledger, old_file, example):
    odd = example(
        state={"goal_count": "two", "top_curiosity": [1], "iteration": 10**30},
        result={"status": 3, "knowledge_gained": -1},
    )
    report, (made,) = take(open_ledger(), old_file([odd]))
    assert report.odd_values == {
        "state.goal_count: a text": 1,
        "state.top_curiosity: a list": 1,
        "state.iteration: a number": 1,
        "result.status: a number": 1,
        "result.knowledge_gained: a number": 1,
    }
    assert json.loads(made.extra) == odd


def test_what_json_does_not_have_is_made_harmless(open_ledger, tmp_path):
    """NaN, a number beyond all floats, a key twice, half of a surrogate pair, a byte order mark."""
    path = tmp_path / "odd.json"
    path.write_text(
        '\ufeff{"examples": [{"state": {"active_goals": ["half \\ud800"]}, "timestamp": "\\udfff", "example_id": 1,'
        ' "action": {"action": "web_search", "query": "\\ud800", "query": "second", "confidence": NaN},'
        ' "result": {"status": "completed", "result": "\\ud800 Found and integrated 2 knowledge items", "cost": 1e999}}]}',
        encoding="utf-8",
    )
    ledger = open_ledger()
    report, (made,) = take(ledger, path)
    assert report.repeated_keys == {"query": 1}
    assert report.cleaned == 1
    assert made.view.goal == "half \ud800"
    assert made.started == "\ufffd"
    assert made.decision.text == "\ufffd"
    assert made.decision.action.arguments == {"query": "\ud800", "query (2)": "second"}
    assert made.outcome.gained == 2
    kept = json.loads(made.extra)
    assert kept["action"]["confidence"] == "NaN"
    assert kept["result"]["cost"] == "1e999"
    assert kept["action"]["query (2)"] == "second"
    assert ledger.verify() == []


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        (b"", "exchange-malformed", ":1"),
        (b'{"examples": [\n1,\n2,,]}', "exchange-malformed", ":3"),
        (b'{"examples": [\n"\xff"]}', "exchange-malformed", ":2"),
        (b'{"examples": ' + b"[" * 100_000, "exchange-malformed", ":1"),
        (b'{"examples": [' + b"9" * 5000 + b"]}", "exchange-malformed", ":1"),
        (b'{"examples": {}}', "exchange-unknown", ""),
        (b'[{"state": {}}]', "exchange-unknown", ""),
        (b"[]", "exchange-unknown", ""),
        (b'"examples"', "exchange-unknown", ""),
        (b'{"metadata": {}}', "exchange-unknown", ""),
        (b"SQLite format 3\x00", "exchange-malformed", ":1"),
    ],
)
def test_a_file_that_is_neither_is_refused(open_ledger, tmp_path, content, code, where):
    path = tmp_path / "some file"
    path.write_bytes(content)
    ledger = open_ledger()
    with pytest.raises(InputError) as caught:
        import_file(ledger, path)
    assert caught.value.problems[0].code == code
    assert caught.value.problems[0].where == f"{path}{where}"
    assert ledger.last_step() == 0


def test_only_examples_without_metadata_will_do(open_ledger, old_file):
    report, _ = take(open_ledger(), old_file(document={"examples": []}))
    assert report.records == 0
    assert report.reward_mean is None


ODD = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        10**30,
        1.5,
        "",
        "x",
        "\ud800",
        "web_search",
        [],
        ["a"],
        [None],
        {},
        {"status": "completed"},
        {"action": "learn"},
    ]
)
PATHS = [("state",), ("action",), ("result",), ("timestamp",), ("example_id",), *[("state", k) for k in (
    "active_goals", "goal_count", "top_curiosity", "recent_knowledge", "recent_actions", "iteration")],
    ("action", "action"), ("action", "query"), ("action", "reasoning"), ("result", "status"),
    ("result", "result"), ("result", "knowledge_gained")]  # fmt: skip


@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    changes=st.lists(
        st.lists(st.tuples(st.sampled_from(PATHS), ODD), max_size=4), min_size=1, max_size=4
    )
)
def test_whatever_an_example_holds_it_is_accounted_for(tmp_path_factory, example, changes):
    folder = tmp_path_factory.mktemp("any")
    records = []
    for number, parts in enumerate(changes):
        record = example(number)
        for path, value in parts:
            table = record if len(path) == 1 else record[path[0]]
            if isinstance(table, dict):
                table[path[-1]] = copy.deepcopy(value)  # what is drawn is shared
        records.append(record)
    (folder / "x.json").write_text(json.dumps({"examples": records}))
    with Ledger.open(folder) as ledger:
        _, made = take(ledger, folder / "x.json")
        kept = [json.loads(e.extra) for e in made]
        assert all(record in kept for record in records)
        assert ledger.verify() == []
