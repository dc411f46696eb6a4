"""Training ``hrm-bpe``: the same from the same texts, safe whatever the texts are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import aegis
from aegis.contracts.view import Recent, Seen, View
from aegis.errors import InputError
from aegis_hrm.special_tokens import FIRST_TEXT_ID, SPECIAL_TOKENS
from aegis_hrm.tokenizer import open_tokenizer
from aegis_hrm.tokenizer_gathering import Gathered
from aegis_hrm.tokenizer_making import check_size, make
from aegis_hrm.tokenizer_measured import density, low_end
from aegis_hrm.tokenizer_settings import SHIPPED
from aegis_hrm.tokenizer_texts import Choice
from aegis_hrm.tokenizer_training import train

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def opened(tmp_path):
    """Return the function that opens a tokenizer trained on texts."""

    def trained(texts, size=400):
        path = tmp_path / "tokenizer.json"
        path.write_bytes(train(texts, size))
        return open_tokenizer(path)

    return trained


def choices(goals, steps=3):
    return [
        Choice(View(goal=goal, step=step, limit=steps), [aegis.Action("read", about=goal, signals={"rank": step})])
        for goal in goals
        for step in range(1, steps + 1)
    ]  # fmt: skip


def test_texts_that_spell_special_tokens_make_none(opened):
    tokenizer = opened([f"{name} {name}{name}" for name in SPECIAL_TOKENS] * 500, 1000)

    for name in SPECIAL_TOKENS:
        for text in (name, f" {name}", name * 3, f"a{name}b"):
            ids = tokenizer.encode(text)
            assert min(ids) >= FIRST_TEXT_ID
            assert tokenizer.decode(ids) == text


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=20),
    extra=st.integers(0, 60),
)
def test_any_texts_make_a_tokenizer_that_keeps_all_of_them(tmp_path_factory, texts, extra):
    path = tmp_path_factory.mktemp("any") / "tokenizer.json"
    path.write_bytes(train(texts * 3, 298 + extra))
    tokenizer = open_tokenizer(path)

    assert tokenizer.capabilities.vocab_size <= 298 + extra
    for text in texts:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_without_texts_there_are_special_tokens_and_bytes(opened):
    tokenizer = opened([])

    assert tokenizer.capabilities.vocab_size == 298
    assert len(tokenizer.encode("é")) == 2


def test_frequent_words_become_one_token(opened):
    tokenizer = opened(["search_library terms=12345"] * 9)

    assert len(tokenizer.encode(" terms=")) == 1
    assert len(tokenizer.encode("_library")) == 1
    assert len(tokenizer.encode("12345")) == 5


def test_what_a_choice_says_stands_in_its_texts_without_markers():
    view = View("a|b", 3, 9, ("m",), ("f\n",), (Seen("1", "K"),), (Seen("2", "F"),), ("g",), ("o",), (Recent("r x", "ok", 2),))  # fmt: skip
    action = aegis.Action("read", {"document": "2"}, about="F", signals={"rank": 1})

    assert list(Choice(view, [action]).texts()) == [
        "a\\pb", "m", "f\\n", "g", "o", "K", "F", "ok +2 r x", "3/9", "read F rank=1",
    ]  # fmt: skip


def test_whole_goals_are_held_out():
    gathered = Gathered.of(choices([f"goal {number}" for number in range(21)]))

    assert {choice.view.goal for choice in gathered.held_out} == {"goal 1", "goal 11"}
    assert (gathered.views, gathered.goals) == (63, 21)
    assert gathered.texts["goal 1"] == gathered.texts["goal 11"] == 0
    assert gathered.texts["goal 2"] == 3
    assert sorted(gathered.training_texts) == sorted(gathered.texts.elements())


def test_the_low_end_is_that_of_one_view_in_a_hundred():
    class Letters:
        """One token a letter, three for those of the rare view."""

        def encode(self, text):
            return [0] * (len(text) * (3 if "rare" in text else 1))

    views = [View(goal="plain")] * 199 + [View(goal="rare")]
    assert low_end(Letters(), views) == 1.0
    assert low_end(Letters(), [*views, View(goal="rare")]) == 1.0
    assert low_end(Letters(), [*views[:99], View(goal="rare")]) == 1.0
    assert low_end(Letters(), views[190:]) == 0.33
    assert density(Letters(), [Choice(View(goal="rare", step=1, limit=10), [])]) == pytest.approx(
        8 / 16
    )


@pytest.mark.parametrize("size", [-1, 0, 297, 65_537])
def test_a_size_that_cannot_be_is_refused(size):
    with pytest.raises(InputError, match="298, and 65536 is the most") as refused:
        check_size(size)
    assert refused.value.problems[0].code == "tokenizer-size"


@pytest.mark.parametrize("size", [298, 1000, 65_536])
def test_a_size_that_can_be_is_not_refused(size):
    check_size(size)


@pytest.mark.parametrize("found", [[], choices(["one"], 40), choices(["one", "two"], 5)])
def test_too_little_to_train_on_is_refused_and_nothing_is_written(tmp_path, found):
    with pytest.raises(InputError, match="too little was seen") as refused:
        make(found, 400, tmp_path / "own.json", SHIPPED)
    assert refused.value.problems[0].code == "tokenizer-views"
    assert list(tmp_path.iterdir()) == []


def test_enough_views_are_trained_on_alone(tmp_path):
    goals = [f"Understand zyxwvut number {number}" for number in range(300)]
    made = make(choices(goals, 4), 320, tmp_path / "new" / "own.json", SHIPPED)

    assert not made.shipped
    assert (made.views, made.goals, made.held_out) == (1200, 300, 120)
    assert made.entries == 320
    assert open_tokenizer(tmp_path / "new" / "own.json").capabilities.unverified == ()


def test_few_views_are_trained_on_beside_what_comes_with_aegis(tmp_path):
    goals = [f"Understand zyxwvut number {number}" for number in range(10)]
    made = make(choices(goals, 4), 1000, tmp_path / "own.json", SHIPPED)
    tokenizer = open_tokenizer(tmp_path / "own.json")

    assert made.shipped
    assert made.entries == 1000
    assert made.after > made.before
    assert len(tokenizer.encode(" zyxwvut")) == 1
    assert len(tokenizer.encode(" learning")) == 1


def test_a_tokenizer_in_force_that_is_broken_is_no_obstacle(tmp_path):
    goals = [f"goal {number}" for number in range(300)]
    made = make(choices(goals, 4), 320, tmp_path / "own.json", tmp_path / "absent.json")

    assert made.before is None


def test_a_file_that_cannot_be_written_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write") as refused:
        make(
            choices([f"goal {n}" for n in range(300)], 4),
            320,
            tmp_path / "file" / "x.json",
            SHIPPED,
        )
    assert refused.value.problems[0].code == "tokenizer-unwritable"


def test_the_script_makes_the_same_bytes_again(tmp_path):
    code = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
import train_tokenizer as script
script.make(script.Recipe(size=400, episodes=6, steps=12), script.LIBRARY, Path(sys.argv[2]))
"""
    for seed in "12":
        command = [sys.executable, "-c", code, str(SCRIPTS), str(tmp_path / f"{seed}.json")]
        subprocess.run(
            command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )

    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert (tmp_path / "1.measured.json").read_bytes() == (
        tmp_path / "2.measured.json"
    ).read_bytes()
    assert open_tokenizer(tmp_path / "1.json").capabilities.vocab_size == 400
