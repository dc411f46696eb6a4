"""Recording steps and reading them back."""

from __future__ import annotations

import hashlib
import json
import math
import struct

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.contracts.action import Action
from aegis.contracts.experience import Decision
from aegis.contracts.outcome import STATUSES, Outcome
from aegis.contracts.view import Recent, Seen, View
from aegis.errors import StoreError
from aegis.store import rows
from aegis.store.ledger import Ledger


def single(value):
    """Round to float32, by another way than the ledger's."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def code_of(caught):
    return caught.value.problems[0].code


def test_a_new_ledger_is_empty(ledger):
    assert ledger.last_step() == 0
    assert ledger.pending() is None
    assert ledger.open_episode() is None
    assert ledger.last_run() is None
    assert ledger.next_episode() == 1
    assert list(ledger.experiences()) == []
    assert ledger.recent(5) == []
    assert ledger.counts().experiences == 0
    assert ledger.counts().reward_mean is None
    assert ledger.reward_curve(10) == []
    assert ledger.bytes_per_step().steps == 0
    assert ledger.verify() == []


def test_what_was_recorded_is_read_back(ledger, steps_of):
    steps_of.write(ledger, 1, 12)
    for step, read in enumerate(ledger.experiences(), start=1):
        made = steps_of.make(step)
        assert read.view == made.view
        assert read.decision == made.decision
        assert read == evolve(
            made, outcome=steps_of.outcome(step), reward=step % 3 - 0.5, done=step % 5 == 0
        )
        assert ledger.experience(step) == read
    assert step == 12


def test_minus_infinity_survives_and_log_probabilities_are_float32(ledger, steps_of):
    made = steps_of.make(1)
    scores = (-0.1, -1e-9, -123.456, float("-inf"), -1e30)
    decision = evolve(
        made.decision,
        engine_log_probabilities=scores,
        behaviour_log_probabilities=scores,
        text_log_probability=-0.1,
        plan="search, then read",
        plan_log_probability=float("-inf"),
    )
    ledger.begin_run("run-1", "rules", 0)
    steps_of.begin_episode(ledger, made)
    ledger.intend(evolve(made, decision=decision))
    read = ledger.experience(1).decision
    assert read.engine_log_probabilities == tuple(map(single, scores))
    assert read.behaviour_log_probabilities[3] == float("-inf")
    assert read.text_log_probability == single(-0.1) != -0.1
    assert read.plan_log_probability == float("-inf")


def test_a_decision_without_result_is_pending_and_nothing_else(ledger, steps_of):
    steps_of.write(ledger, 1, 3)
    ledger.intend(steps_of.make(4))
    ledger.commit()
    assert ledger.pending() == steps_of.make(4)
    assert ledger.last_step() == 4
    assert [e.step for e in ledger.experiences()] == [1, 2, 3]
    assert [e.step for e in ledger.recent(2)] == [2, 3]
    assert ledger.counts().experiences == 3
    assert ledger.verify() == []


def test_after_a_crash_the_open_decision_is_settled_once(folder, steps_of):
    with Ledger.open(folder) as ledger:
        steps_of.write(ledger, 1, 6)
        ledger.intend(steps_of.make(7))
        ledger.commit()
        ledger.settle(7, steps_of.outcome(7), 0.5, False, "lost with the process")
    with Ledger.open(folder) as ledger:
        pending = ledger.pending()
        assert (pending.step, pending.key) == (7, "key-7")
        assert ledger.open_episode().id == 2
        assert ledger.last_index(2) == 2
        steps_of.settle(ledger, 7)
        ledger.commit()
        steps_of.write(ledger, 8, 9)
        assert ledger.verify() == []
        assert [e.step for e in ledger.experiences()] == list(range(1, 10))


def test_the_end_state_does_not_depend_on_where_it_was_interrupted(tmp_path, steps_of):
    """Every column of every row equals that of a ledger that was never closed."""

    def dump(folder):
        with Ledger.open(folder, write=False) as ledger:
            tables = ("runs", "episodes", "steps")
            return [ledger.connection.exec_driver_sql(f"SELECT * FROM {t}").all() for t in tables]

    with Ledger.open(tmp_path / "whole") as ledger:
        steps_of.write(ledger, 1, 14)
    for first, last in [(1, 3), (4, 4), (5, 9), (10, 14)]:
        with Ledger.open(tmp_path / "pieces") as ledger:
            steps_of.write(ledger, first, last)
            if last < 14:
                steps_of.begin_episode(ledger, steps_of.make(last + 1))
                ledger.intend(steps_of.make(last + 1))  # not committed: as if killed here
    assert dump(tmp_path / "pieces") == dump(tmp_path / "whole")


def test_what_is_not_committed_is_not_there(folder, steps_of):
    with Ledger.open(folder) as ledger:
        steps_of.write(ledger, 1, 2)
        ledger.intend(steps_of.make(3))
    with Ledger.open(folder) as ledger:
        assert ledger.last_step() == 2
        assert ledger.pending() is None


def test_undoing_leaves_the_ledger_at_its_last_commit(ledger, steps_of):
    steps_of.write(ledger, 1, 2)
    ledger.intend(steps_of.make(3))
    ledger.rollback()
    assert ledger.last_step() == 2
    steps_of.write(ledger, 3, 4)
    assert ledger.verify() == []


@pytest.mark.parametrize("step", [1, 2, 4, 0, -1])
def test_only_the_next_step_is_taken(ledger, steps_of, step):
    steps_of.write(ledger, 1, 2)
    with pytest.raises(StoreError) as caught:
        ledger.intend(evolve(steps_of.make(3), step=step))
    assert code_of(caught) == "out-of-order"
    assert ledger.last_step() == 2


def test_a_second_decision_waits_for_the_result_of_the_first(ledger, steps_of):
    steps_of.write(ledger, 1, 1)
    ledger.intend(steps_of.make(2))
    with pytest.raises(StoreError, match="step 2 has no result"):
        ledger.intend(steps_of.make(3))


@pytest.mark.parametrize("step", [1, 3])
def test_only_the_open_step_is_settled(ledger, steps_of, step):
    steps_of.write(ledger, 1, 1)
    ledger.intend(steps_of.make(2))
    with pytest.raises(StoreError) as caught:
        ledger.settle(step, Outcome("ok"), 0.0, False, "now")
    assert code_of(caught) == "out-of-order"


def test_minus_zero_is_zero(ledger, steps_of):
    """SQLite keeps no -0.0 in a column, and the digest is over what it keeps."""
    made = steps_of.make(1)
    ledger.begin_run("run-1", "rules", 0)
    steps_of.begin_episode(ledger, made)
    ledger.intend(evolve(made, decision=evolve(made.decision, text_log_probability=-0.0)))
    ledger.settle(1, Outcome("ok", seconds=-0.0), -0.0, False, "now")
    assert ledger.verify() == []


def test_a_step_may_be_missing_within_an_episode(ledger, steps_of):
    """An index that does not follow the one before, as after an import in between."""
    ledger.begin_run("run-1", "rules", 0)
    steps_of.begin_episode(ledger, steps_of.make(1))
    made = [
        steps_of.make(n, episode=1, index=index)
        for n, index in enumerate((1, 2, 5, 6, 70, 71), start=1)
    ]
    for experience in made:
        ledger.intend(experience)
        ledger.settle(experience.step, Outcome("ok"), 0.0, False, "now")
    for experience in made:
        assert ledger.experience(experience.step).decision == experience.decision
    assert [e.view for e in ledger.experiences()] == [e.view for e in made]
    assert ledger.verify() == []


@pytest.mark.parametrize("change", [{"key": "key-2"}, {"episode": 1, "index": 2}])
def test_nothing_is_recorded_twice(ledger, steps_of, change):
    steps_of.write(ledger, 1, 6)
    with pytest.raises(StoreError) as caught:
        ledger.intend(evolve(steps_of.make(7), **change))
    assert code_of(caught) == "already-recorded"
    ledger.rollback()
    steps_of.write(ledger, 7, 7)


def test_a_step_of_an_episode_that_never_began_is_refused(ledger, steps_of):
    ledger.begin_run("run-1", "rules", 0)
    with pytest.raises(StoreError) as caught:
        ledger.intend(steps_of.make(1))
    assert code_of(caught) == "not-storable"
    assert "never begun" in str(caught.value)


@pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_not_finite_is_refused(ledger, steps_of, reward):
    steps_of.write(ledger, 1, 1)
    ledger.intend(steps_of.make(2))
    with pytest.raises(StoreError, match="reward") as caught:
        ledger.settle(2, Outcome("ok"), reward, False, "now")
    assert code_of(caught) == "not-storable"
    with pytest.raises(StoreError, match="seconds"):
        ledger.settle(2, Outcome("ok", seconds=reward), 0.0, False, "now")
    ledger.settle(2, Outcome("ok"), 0.0, False, "now")


BAD_DECISIONS = {
    "too few probabilities": {"engine_log_probabilities": (-1.0,)},
    "too many probabilities": {"behaviour_log_probabilities": (-1.0,) * 6},
    "not a number": {"behaviour_log_probabilities": (math.nan, -1.0, -1.0, -1.0, -1.0)},
    "infinite probability": {"engine_log_probabilities": (math.inf, -1.0, -1.0, -1.0, -1.0)},
    "text without a number": {"text_log_probability": math.nan},
    "plan above everything": {"plan_log_probability": math.inf},
    "no such candidate": {"chosen": 5},
    "negative candidate": {"chosen": -1},
    "half a surrogate pair": {"text": "\ud800"},
    "arguments that are no JSON": {"action": Action("read", {"document": b"x"})},
    "a remark that is no number": {"remarks": {"segments": math.nan}},
    "a remark that is a text": {"remarks": {"segments": "3"}},
    "a remark without a name": {"remarks": {"": 3}},
    "more remarks than are allowed": {"remarks": {f"r{i}": i for i in range(17)}},
    "an argument that is no number": {"action": Action("read", {"document": math.nan})},
}


@pytest.mark.parametrize("changes", BAD_DECISIONS.values(), ids=BAD_DECISIONS.keys())
def test_a_decision_that_cannot_be_kept_is_refused_and_harms_nothing(ledger, steps_of, changes):
    steps_of.write(ledger, 1, 1)
    made = steps_of.make(2)
    with pytest.raises(StoreError) as caught:
        ledger.intend(evolve(made, decision=evolve(made.decision, **changes)))
    assert code_of(caught) == "not-storable"
    steps_of.write(ledger, 2, 3)
    assert ledger.verify() == []


@pytest.mark.parametrize(
    "changes", [{"seed": 2**63}, {"seed": 1.5}, {"key": None}, {"origin": "hearsay"}, {"run": 3}]
)
def test_a_field_that_cannot_be_kept_is_refused_and_harms_nothing(ledger, steps_of, changes):
    steps_of.write(ledger, 1, 1)
    with pytest.raises(StoreError) as caught:
        ledger.intend(evolve(steps_of.make(2), **changes))
    assert code_of(caught) == "not-storable"
    steps_of.write(ledger, 2, 3)
    assert ledger.verify() == []


def test_surrogates_in_a_candidates_words_are_kept(ledger, steps_of):
    """They come from outside; as JSON they can be stored, and come back as they were."""
    made = steps_of.make(1)
    candidates = tuple(
        evolve(action, about="half \ud800 a pair") for action in made.decision.candidates
    )
    decision = evolve(made.decision, candidates=candidates, action=candidates[1])
    ledger.begin_run("run-1", "rules", 0)
    steps_of.begin_episode(ledger, made)
    ledger.intend(evolve(made, decision=decision))
    assert ledger.experience(1).decision == decision


def test_remarks_take_nothing_where_there_are_none(ledger, steps_of):
    steps_of.write(ledger, 1, 4)
    run = ledger.connection.exec_driver_sql
    stored = [row[0] for row in run("SELECT remarks FROM steps ORDER BY id")]
    assert [text and json.loads(text) for text in stored] == [
        {"segments": 1, "cut": 1 / 3}, None, {"segments": 3, "cut": 1}, None,
    ]  # fmt: skip


def test_a_step_without_remarks_has_the_digest_of_its_other_columns(ledger, steps_of):
    """Computed here by hand: the columns in the order of the table's first version."""
    made = steps_of.make(2)
    made = evolve(made, step=1, index=1)
    ledger.begin_run("run-1", "rules", 0)
    steps_of.begin_episode(ledger, made)
    ledger.intend(made)
    columns = (
        "id, run, episode, idx, environment, origin, seed, generator, key, started, chosen, tool, "
        "engine, checkpoint, text_logp, plan_logp, engine_logp, behaviour_logp, view_digest, text, "
        "plan, action, view_delta, candidates_delta, extra"
    )
    run = ledger.connection.exec_driver_sql
    (*values, digest) = run(f"SELECT {columns}, digest FROM steps").one()
    plain = [value.hex() if isinstance(value, bytes) else value for value in values]
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_runs_begin_go_on_and_end(ledger):
    ledger.begin_run("a", "rules", 7, "2026-01-01T00:00:00+00:00")
    ledger.finish_run("a", "steps", "2026-01-02T00:00:00+00:00")
    assert ledger.last_run().reason == "steps"
    ledger.begin_run("a", "gpt2-lora", 7)
    row = ledger.run("a")
    assert (row.profile, row.started) == ("gpt2-lora", "2026-01-01T00:00:00+00:00")
    assert row.finished is row.reason is None
    ledger.begin_run("b", "rules", 8, "2026-02-01T00:00:00+00:00")
    assert ledger.last_run().id == "b"
    with pytest.raises(StoreError, match="no run c"):
        ledger.finish_run("c", "steps")
    with pytest.raises(StoreError, match="no episode 3"):
        ledger.finish_episode(3)
    with pytest.raises(StoreError, match="no step 3"):
        ledger.experience(3)


def test_the_newest_open_episode_is_found(ledger):
    ledger.begin_run("a", "rules", 7)
    for number, environment in enumerate(["research", "research-gym", "research"], start=1):
        origin = "practice" if environment == "research-gym" else "own"
        ledger.begin_episode(number, "a", environment, number, "goal", origin, 1)
    ledger.finish_episode(3)
    assert ledger.open_episode().id == 2
    assert ledger.open_episode("research").id == 1
    assert ledger.open_episode("babyai") is None
    assert ledger.next_episode() == 4
    assert ledger.episode(3).finished
    with pytest.raises(StoreError) as caught:
        ledger.begin_episode(3, "a", "research", 0, "goal", "own", 1)
    assert code_of(caught) == "already-recorded"


def mixed(ledger, steps_of, count):
    """Two episodes at once in two environments, their steps in turn."""
    ledger.begin_run("run-1", "rules", 0)
    for episode, environment, origin in ((1, "research", "own"), (2, "gym", "practice")):
        ledger.begin_episode(episode, "run-1", environment, 0, "goal", origin, episode)
    made = []
    for step in range(1, count + 1):
        episode = 2 - step % 2
        changes = {"episode": episode, "index": (step + 1) // 2}
        if episode == 2:
            changes |= {"environment": "gym", "origin": "practice"}
        made.append(steps_of.make(step, **changes))
        ledger.intend(made[-1])
        ledger.settle(step, Outcome("ok"), float(episode), False, "now")
    ledger.commit()
    return made


def test_experiences_are_selected(ledger, steps_of):
    mixed(ledger, steps_of, 20)

    def numbers(**selection):
        return [e.step for e in ledger.experiences(**selection)]

    odd, even = list(range(1, 21, 2)), list(range(2, 21, 2))
    assert numbers(origin="own") == numbers(environment="research") == numbers(episode=1) == odd
    assert numbers(origin="practice", since=10) == [n for n in even if n > 10]
    assert numbers(limit=3) == [1, 2, 3]
    assert numbers(limit=0) == []
    assert numbers(since=17) == [18, 19, 20]
    assert numbers(episode=2, since=5, limit=2) == [6, 8]
    assert numbers(origin="teacher") == []
    counts = ledger.counts()
    assert (counts.experiences, counts.episodes, counts.reward_sum) == (20, 2, 30.0)
    assert counts.by_origin["practice"].reward_mean == 2.0
    assert counts.by_origin["own"].experiences == 10
    assert ledger.reward_curve(4, origin="own") == [1.0] * 4
    assert ledger.reward_curve(2, span=2) == [1.0, 2.0]
    assert ledger.reward_curve(3) == pytest.approx([9 / 6, 10 / 7, 11 / 7])
    assert ledger.reward_curve(100) == [1.0, 2.0] * 10
    assert ledger.has_key("key-7") == 7
    assert ledger.has_key("key-99") is None


@pytest.mark.parametrize("pages", [1, 3, 256])
def test_pages_and_interleaved_episodes_change_nothing(ledger, steps_of, monkeypatch, pages):
    """Longer than a keyframe's distance, read from every point."""
    from aegis.store import reading

    made = mixed(ledger, steps_of, 2 * rows.KEYFRAME + 30)
    monkeypatch.setattr(reading, "PAGE", pages)
    assert [e.view for e in ledger.experiences()] == [e.view for e in made]
    for since in (0, 1, 62, 127, 128, 129, 140):
        read = list(ledger.experiences(since=since))
        assert [e.decision for e in read] == [e.decision for e in made[since:]]
    assert ledger.experience(len(made)).view == made[-1].view
    assert ledger.verify() == []


def test_a_long_episode_is_read_from_its_last_keyframe(ledger, steps_of):
    mixed(ledger, steps_of, 2 * rows.KEYFRAME + 10)
    run = ledger.connection.exec_driver_sql
    deltas = {row[0]: row[1] for row in run("SELECT idx, view_delta FROM steps WHERE episode = 1")}
    whole = [
        index
        for index, delta in deltas.items()
        if not any(line[0] in "=~" for line in delta.split("\n"))
    ]
    assert whole == [1, rows.KEYFRAME + 1]


def test_a_row_holds_what_its_step_adds(ledger, steps_of):
    steps_of.write(ledger, 1, 40)
    size = ledger.bytes_per_step()
    assert size.steps == 40
    assert size.content < 0.8 * size.whole
    assert size.file > size.content
    view = len(steps_of.make(40).view.render())
    candidates = sum(len(rows.action_line(a)) + 1 for a in steps_of.make(40).decision.candidates)
    deltas = "length(view_delta) + length(candidates_delta)"
    added = ledger.connection.exec_driver_sql(
        f"SELECT avg({deltas}) FROM steps WHERE idx = 5"
    ).scalar()
    assert added < 0.5 * (view + candidates)


def test_whole_storage_is_counted_independently(ledger, steps_of):
    """Content with the deltas replaced by the full texts, summed here by hand."""
    steps_of.write(ledger, 1, 10)
    size = ledger.bytes_per_step()
    deltas = "length(view_delta) + length(candidates_delta)"
    stored = ledger.connection.exec_driver_sql(f"SELECT sum({deltas}) FROM steps").scalar()
    full = sum(
        len(e.view.render()) + sum(len(rows.action_line(a)) + 1 for a in e.decision.candidates)
        for e in ledger.experiences()
    )
    assert size.whole - size.content == pytest.approx((full - stored) / 10)


TEXT = st.text(max_size=12) | st.sampled_from(
    ["|", " | ", "\n", "\ud800", "\x85", "\u2028", "", ": ", "+", "=0"]
)
STORED_TEXT = TEXT.filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
WORD = st.sampled_from(["1", "arxiv:2106.09685v2", "ok", "é", "\ufeff", "="])
JSON = st.sampled_from(
    [
        None,
        True,
        1,
        -(2**70),
        1.5,
        1e-300,
        "",
        "\ud800",
        "a\nb",
        [],
        [1, [2.0, None]],
        {},
        {"b": {"a": "\x00"}},
    ]
)
VIEWS = st.builds(
    View,
    goal=TEXT,
    step=st.integers(0, 99),
    limit=st.integers(0, 99),
    missing=st.lists(TEXT, max_size=3).map(tuple),
    facts=st.lists(TEXT, max_size=3).map(tuple),
    knowledge=st.lists(st.builds(Seen, WORD, TEXT), max_size=3).map(tuple),
    found=st.lists(st.builds(Seen, WORD, TEXT), max_size=3).map(tuple),
    gaps=st.lists(TEXT, max_size=3).map(tuple),
    observation=st.lists(TEXT, max_size=3).map(tuple),
    recent=st.lists(st.builds(Recent, TEXT, WORD, st.integers(-9, 9)), max_size=3).map(tuple),
)
ACTIONS = st.builds(
    Action,
    tool=STORED_TEXT,
    arguments=st.dictionaries(TEXT, JSON, max_size=3),
    slot=st.none() | st.sampled_from(["", "query", "a b"]),
    about=TEXT,
    signals=st.dictionaries(STORED_TEXT, st.integers(-99, 99), max_size=2),
)
SCORE = st.floats(max_value=0, allow_nan=False, width=32)
REMARKS = st.dictionaries(
    st.from_regex("[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True),
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    max_size=16,
)


@st.composite
def decisions(draw):
    candidates = tuple(draw(st.lists(ACTIONS, max_size=4)))
    count = len(candidates)
    chosen = draw(st.none() | st.integers(0, count - 1)) if count else None
    scores = st.lists(SCORE, min_size=count, max_size=count).map(tuple)
    action = draw(
        st.none() | ACTIONS | (st.just(candidates[chosen]) if chosen is not None else ACTIONS)
    )
    return Decision(
        candidates, chosen, draw(scores), draw(scores), action,
        text=draw(st.none() | STORED_TEXT), text_log_probability=draw(st.none() | SCORE),
        plan=draw(st.none() | STORED_TEXT), plan_log_probability=draw(st.none() | SCORE),
        engine=draw(STORED_TEXT), checkpoint=draw(st.none() | STORED_TEXT),
        remarks=draw(REMARKS),
    )  # fmt: skip


OUTCOMES = st.builds(
    Outcome,
    status=st.sampled_from(STATUSES),
    message=STORED_TEXT,
    gained=st.integers(0, 2**40),
    seconds=st.floats(0, 1e9),
    items=st.lists(STORED_TEXT, max_size=3).map(tuple),
)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(data=st.data())
def test_whatever_can_be_decided_is_read_back(tmp_path_factory, steps_of, data):
    """An episode of three steps with any views, candidates and outcomes."""
    with Ledger.open(tmp_path_factory.mktemp("law")) as ledger:
        ledger.begin_run("run-1", "rules", 0)
        ledger.begin_episode(1, "run-1", "research", 0, "goal", "own", 1)
        made = []
        for step in (1, 2, 3):
            experience = steps_of.make(
                step,
                view=data.draw(VIEWS),
                decision=data.draw(decisions()),
                extra=data.draw(STORED_TEXT),
            )
            outcome, reward = data.draw(OUTCOMES), data.draw(st.floats(-1e9, 1e9))
            ledger.intend(experience)
            assert ledger.experience(step) == experience
            ledger.settle(step, outcome, reward, data.draw(st.booleans()), "now")
            made.append(
                evolve(
                    experience, outcome=outcome, reward=reward, done=ledger.experience(step).done
                )
            )
        assert list(ledger.experiences()) == made
        for one, other in zip(ledger.experiences(), made, strict=True):
            assert [json.dumps(a.arguments) for a in one.decision.candidates] == [
                json.dumps(a.arguments) for a in other.decision.candidates
            ]
            assert [a.render() for a in one.decision.candidates] == [
                a.render() for a in other.decision.candidates
            ]
        assert ledger.verify() == []


@settings(max_examples=200)
@given(view=VIEWS)
def test_a_view_cut_into_lines_is_put_together_again(view):
    assert rows.view_text(rows.view_lines(view.render())) == view.render()
    assert all("\n" not in line for line in rows.view_lines(view.render()))


@pytest.mark.parametrize("kept", [4096, 3])
def test_what_several_steps_offer_is_one_object_and_none_is_mixed_up(
    ledger, steps_of, monkeypatch, kept
):
    monkeypatch.setattr("aegis.store.reading._ACTIONS", kept)
    steps_of.write(ledger, 1, 10)
    found = list(ledger.experiences())
    assert [step.decision for step in found] == [steps_of.make(n).decision for n in range(1, 11)]
    first, second = (step.decision.candidates for step in found[:2])
    assert (first[2] is second[1]) == (kept == 4096)
