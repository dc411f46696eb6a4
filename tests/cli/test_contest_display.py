from __future__ import annotations

from io import StringIO

import pytest
from attrs import define, evolve, field, frozen
from rich.console import Console

from aegis.cli import contest_display
from aegis.cli.contest_display import _Live, _Plain, pair_lines, screen, table
from aegis.cli.invocation import Invocation
from aegis.evaluation.episode import Episode

ROW = {
    "name": "random", "ci95": [0.1, 0.25], "success_rate": 0.175, "mean_return": -0.5,
    "normalised": None, "steps": 12.25, "decisions_per_second": 31980.3, "peak_rss_mb": 1040.4,
    "parameters": 2762880, "invalid_rate": 0.0155, "kind": "baseline", "profile": None,
    "checkpoint": None, "model": "random",
}  # fmt: skip
LONG = {**ROW, "name": "meta-planning@0123456789 sampled", "decisions_per_second": None,
        "parameters": None, "kind": "profile", "profile": "meta-planning",
        "checkpoint": "0123456789abcdef", "model": "meta of gpt2 and hrm"}  # fmt: skip
FOUND = {
    "task": "babyai:GoToLocal:marked", "environment": {"split": "test", "version": "2"},
    "episodes": 40, "clusters": 40, "first_seed": 10, "measure": "success", "rows": [ROW, LONG], "missing": [],
}  # fmt: skip
PAIR = {
    "a": "hrm",
    "b": "random",
    "difference": 0.125,
    "low": 0.05,
    "high": 0.2,
    "p_adjusted": 0.004,
}

EPISODE = Episode(
    seed=0, total=2.0, steps=4, completed=True, denied=0, seconds=0.1, rss_mb=40.0,
    parameters=None, actions={"a": 4}, facts={},
)  # fmt: skip


def test_rates_are_percentages_and_figures_stand_under_each_other():
    heading, heads, first, second, model = table(FOUND).splitlines()
    assert heading == "babyai:GoToLocal:marked, test split: 40 episodes, seeds 10 to 49, rules 2"
    assert model == "meta-planning@0123456789: meta of gpt2 and hrm"
    assert heads.split() == [
        "success", "95", "%", "return", "steps", "decisions/s", "MiB", "weights", "invalid",
    ]  # fmt: skip
    assert first.split() == [
        "random", "17.5%", "10.0%", "to", "25.0%", "-0.50", "12.2", "31,980", "1,040",
        "2,762,880", "1.6%",
    ]  # fmt: skip
    assert len(heads) == len(first) == len(second)
    for word in ("success", "return", "steps", "invalid"):
        end = heads.index(word) + len(word)
        assert (first[end - 1], second[end - 1]) != (" ", " "), f"{word} ends where figures end"
    assert second.startswith("meta-planning@0123456789 sampled  ")


def test_returns_are_numbers_and_stand_beside_the_scale_from_random_to_the_expert():
    share = {"mean": 0.331, "low": 0.21, "high": 0.42}
    rows = [{**ROW, "normalised": share, "mean_return": 1.617, "ci95": [0.97, 2.264]}]
    shown = table({**FOUND, "measure": "return", "rows": rows, "clusters": 12,
                   "environment": {"split": "", "version": "1+failures=0.0"}})  # fmt: skip
    heading, heads, row = shown.splitlines()
    assert heading == (
        "babyai:GoToLocal:marked: 40 episodes of 12 topics, seeds 10 to 49, rules 1+failures=0.0"
    )
    assert heads.split()[:4] == ["return", "95", "%", "normalised"]
    assert row.startswith("random    1.62  0.97 to 2.26  0.33 [0.21, 0.42]")
    assert heads.count("return") == 1


@pytest.mark.parametrize(("clusters", "said"), [(1, "1 topic,"), (9, "9 topics,")])
def test_few_topics_are_said_to_tell_little(clusters, said):
    heading, warning, *_ = table({**FOUND, "clusters": clusters}).splitlines()
    assert f"40 episodes of {said}" in heading
    assert warning == "so few topics say little: intervals are rough"


def test_what_is_missing_is_said_below_the_table():
    assert table({**FOUND, "missing": ["majority (no expert)"]}).splitlines()[-1] == (
        "not in the table: majority (no expert)"
    )


@pytest.mark.parametrize(
    ("change", "measure", "said"),
    [
        ({}, "success", "hrm better than random: +12.50 points [5.00, 20.00], p 0.0040"),
        ({}, "return", "hrm better than random: +0.12 [0.05, 0.20], p 0.0040"),
        ({"difference": -0.5, "low": -1.0, "high": -0.25, "p_adjusted": 1e-9}, "return",
         "hrm worse than random: -0.50 [-1.00, -0.25], p < 0.0001"),
        ({"p_adjusted": 0.05}, "return",
         "hrm not told apart from random: +0.12 [0.05, 0.20], p 0.0500"),
    ],
)  # fmt: skip
def test_a_pair_is_a_sentence_that_claims_only_what_is_beyond_chance(change, measure, said):
    assert pair_lines({"measure": measure, "pairs": [{**PAIR, **change}]}) == [said]


@frozen
class Named:
    name: str


@define
class Standing:
    contender: Named
    seeds: range
    episodes: dict = field(factory=dict)

    @property
    def done(self):
        return len(self.episodes)

    @property
    def missing(self):
        return [seed for seed in self.seeds if seed not in self.episodes]


@frozen
class Contest:
    standings: tuple


def contest():
    half = {n: evolve(EPISODE, seed=n, completed=n == 0, total=n + 0.5) for n in range(2)}
    return Contest(
        (Standing(Named("random"), range(4), half), Standing(Named("hrm@01234567"), range(4)))
    )


def test_a_terminal_shows_a_bar_for_each_and_how_it_goes_so_far():
    output = StringIO()
    console = Console(file=output, width=100)
    with _Live() as shown:
        shown.show(contest())
        console.print(shown._live.get_renderable())
    first, second = (line for line in output.getvalue().splitlines() if "/4" in line)
    assert first.split()[0] == "random"
    assert first.split()[-3:] == ["2/4", "1.00", "50%"]
    assert second.split()[0] == "hrm@01234567"
    assert second.split()[-1] == "0/4", "nothing played: no figures"
    assert "━" in first


def test_a_terminal_is_drawn_a_few_times_a_second_at_most():
    drawn = []
    with _Live() as shown:
        shown._live.update = drawn.append
        for _ in range(100):
            shown.show(contest())
        shown._live.update = lambda _: None
    assert len(drawn) == 1


def test_where_there_is_no_terminal_a_line_now_and_then_says_how_far(capsys, monkeypatch):
    with _Plain(silent=False) as shown:
        shown.show(contest())
        assert capsys.readouterr().out == "", "not at once"
        monkeypatch.setattr(contest_display, "_EVERY", 0.0)
        shown.show(contest())
    assert capsys.readouterr().out == "played 2 of 8 episodes, now random\n"
    with _Plain(silent=True) as shown:
        shown.show(contest())
    assert capsys.readouterr().out == ""


def test_the_screen_fits_where_the_output_goes(monkeypatch):
    call = Invocation()
    assert isinstance(screen(call), _Plain)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert isinstance(screen(call), _Live)
    call.json = True
    assert isinstance(screen(call), _Plain)
