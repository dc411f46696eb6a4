from __future__ import annotations

import sqlite3

import pytest

from aegis import Document
from aegis_arxiv.answers import Answers, Known
from aegis_arxiv.question import Question
from aegis_arxiv.settings import ArxivSettings
from aegis_arxiv.state import StateFile

HOUR = 3600.0
PAPER = Document(
    "arxiv",
    "2106.09685",
    "LoRA",
    "Wörter 🌍 and \x00 odd ones",
    version=2,
    authors=("A", "B"),
    tags=("cs.CL",),
    references=("1902.00751",),
    withdrawn=True,
)


def _question(text: str = "lora", page: int = 1) -> Question:
    return Question.of({"query": text, "page": page}, ArxivSettings())


@pytest.fixture
def file(tmp_path) -> StateFile:
    return StateFile(tmp_path)


@pytest.fixture
def answers(file, clock) -> Answers:
    return Answers(file, 2.0, clock=clock)


def test_an_answer_comes_back_as_it_was(answers):
    assert answers.get(_question()) is None
    answers.put(_question(), (PAPER, PAPER), 7)
    assert answers.get(_question()) == ((PAPER, PAPER), 7)
    assert answers.get(_question("adapter")) is None
    assert answers.get(_question(page=2)) is None


def test_an_empty_answer_is_an_answer(answers):
    answers.put(_question(), (), 0)
    assert answers.get(_question()) == ((), 0)


def test_an_old_answer_and_one_from_the_future_are_not_used(answers, clock):
    answers.put(_question(), (PAPER,), 1)
    clock.advance(2 * HOUR)
    assert answers.get(_question()) is not None
    clock.advance(1.0)
    assert answers.get(_question()) is None
    assert answers.known() == ()
    clock.advance(-3 * HOUR)
    assert answers.get(_question()) is None


def test_no_hours_keep_nothing(file, clock):
    answers = Answers(file, 0.0, clock=clock)
    answers.put(_question(), (PAPER,), 1)
    assert answers.get(_question()) is None
    assert not file.path.exists()


def test_known_answers_latest_first(answers, clock):
    answers.put(_question("lora"), (PAPER,), 25)
    clock.advance(1.0)
    answers.put(_question("lora", page=3), (PAPER,), 25)
    series = _question("lora").series
    assert answers.known() == (
        Known(series, "lora", page=3, size=10, total=25),
        Known(series, "lora", page=1, size=10, total=25),
    )
    assert [known.has_next for known in answers.known()] == [False, True]


def test_the_oldest_answers_go_when_there_are_too_many(file, clock):
    answers = Answers(file, 2.0, clock=clock, capacity=10_000)
    for number in range(100):
        clock.advance(1.0)
        answers.put(_question(f"word{number}"), (PAPER,), 1)
    left = [known.words for known in answers.known()]
    assert left == [f"word{number}" for number in range(99, 99 - len(left), -1)]
    size = len(str(answers.get(_question("word99"))))
    assert 10_000 / (2 * size) < len(left) < 100


def test_a_damaged_answer_is_not_used(file, answers):
    answers.put(_question(), (PAPER,), 1)
    for text in ("[{", '[{"title": 1}]', "7"):
        with sqlite3.connect(file.path) as connection:
            connection.execute("UPDATE answers SET documents = ?", (text,))
        connection.close()
        assert answers.get(_question()) is None
