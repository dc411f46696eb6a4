"""``aegis compare``: rows, pairs and the page; figures are computed again from what is kept."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest

EVAL = {
    "task", "profile", "checkpoint", "episodes", "success_rate", "mean_return", "ci95",
    "decisions_per_second", "peak_rss_mb", "parameters", "invalid_rate",
}  # fmt: skip
PAIR = {"a", "b", "difference", "lower_bound", "p"}
SHORT = ("--task", "corridor", "--episodes", "12", "--jobs", "1")


def kept(folder, split="test"):
    """The episodes of each contender in the order of their seeds, read without the program."""
    found = {}
    for about in folder.rglob("about.json"):
        said = json.loads(about.read_text())
        if said["split"] == split:
            lines = about.with_name("episodes.txt").read_text().split("\n")
            episodes = [json.loads(line.partition(" ")[2]) for line in lines if line]
            found[said["contender"]] = sorted(episodes, key=lambda one: one["seed"])
    return found


def test_rows_and_pairs_are_the_figures_of_what_was_played(aegis, corridor):
    words = ["-C", corridor, "compare", "moody", "tally", *SHORT, "--set", "engine.moody.lean=1"]
    said = aegis(*words, "--json")
    assert said.code == 0, said.err
    assert said.out.count("\n") == 1, "nothing but the object"
    found, played = said.json, kept(corridor)
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == ["random", "majority", "moody", "tally", "guide", "best"]
    for name, row in rows.items():
        episodes = played[name]
        decisions = sum(one["steps"] for one in episodes)
        rate = fmean(one["completed"] for one in episodes)
        assert row.keys() >= EVAL
        assert row["episodes"] == len(episodes) == 12
        assert row["success_rate"] == pytest.approx(rate)
        assert row["ci95"] == pytest.approx(wilson(rate, 12))
        assert row["mean_return"] == pytest.approx(fmean(one["total"] for one in episodes))
        assert row["invalid_rate"] == sum(one["denied"] for one in episodes) / decisions
        speed = decisions / sum(one["seconds"] for one in episodes)
        assert row["decisions_per_second"] == pytest.approx(speed)
        assert row["normalised"] is None, "rates of success need no such scale"
    for pair in found["pairs"]:
        first, second = ([e["completed"] for e in played[pair[side]]] for side in "ab")
        assert pair.keys() >= PAIR
        assert pair["difference"] == pytest.approx(fmean(first) - fmean(second))
        assert pair["p"] == pytest.approx(mcnemar(first, second))
        assert pair["p_adjusted"] >= pair["p"]
    assert {(p["a"], p["b"]) for p in found["pairs"]} == {
        (profile, other)
        for profile in ("moody", "tally")
        for other in ("random", "majority", "guide", "best")
    } | {("moody", "tally")}


def wilson(rate, count, z=1.959964):
    middle, scale = rate + z * z / (2 * count), 1 + z * z / count
    half = z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    return [(middle - half) / scale, (middle + half) / scale]


def mcnemar(first, second):
    better = sum(a > b for a, b in zip(first, second, strict=True))
    worse = sum(a < b for a, b in zip(first, second, strict=True))
    ways = sum(math.comb(better + worse, n) for n in range(min(better, worse) + 1))
    return min(1.0, 2 * ways / 2 ** (better + worse))


def test_returns_stand_between_random_and_the_expert_and_topics_hang_together(aegis, corridor):
    """Seeds 0 and 50, 1 and 51 ... are of one topic each."""
    words = ["moody", "--task", "corridor", "--episodes", "60", "--jobs", "2", "--json"]
    sets = ["--set", "environment.corridor.measure=return", "--set", "engine.moody.lean=2"]
    said = aegis("-C", corridor, "compare", *words, *sets)
    assert said.code == 0, said.err
    mean = {name: fmean(e["total"] for e in one) for name, one in kept(corridor).items()}
    for row in said.json["rows"]:
        share = (mean[row["name"]] - mean["random"]) / (mean["guide"] - mean["random"])
        assert row["normalised"]["mean"] == pytest.approx(share)
        assert row["ci95"][0] <= row["mean_return"] <= row["ci95"][1]
    for pair in said.json["pairs"]:
        assert pair["test"] == "sign flip"
        assert pair["difference"] == pytest.approx(mean[pair["a"]] - mean[pair["b"]])
        assert pair["low"] <= pair["lower_bound"] <= pair["difference"] <= pair["high"]


def test_the_command_that_is_shown_makes_the_same_figures(aegis, corridor):
    sets = ["--set", "engine.moody.lean=1", "--seed", "7"]
    first = aegis("-C", corridor, "compare", "moody", *SHORT, *sets, "--no-baselines", "--json")
    assert first.code == 0, first.err
    assert [row["name"] for row in first.json["rows"]] == ["random", "moody"]
    program, *words = shlex.split(first.json["command"])
    assert program == "aegis"
    assert "moody@configured" in words, "the weights that played, whatever decides later"
    (corridor / "data" / "run" / "evaluations").rename(corridor / "elsewhere")
    again = aegis("-C", corridor, *words, "--json")
    for row, other in zip(first.json["rows"], again.json["rows"], strict=True):
        assert (row["name"], row["mean_return"], row["success_rate"]) == (
            other["name"], other["mean_return"], other["success_rate"],
        )  # fmt: skip
    assert again.json["command"] == first.json["command"]


def test_a_person_reads_a_table_sentences_and_where_the_page_is(aegis, corridor, tmp_path):
    page = tmp_path / "new" / "page.html"
    said = aegis("-C", corridor, "compare", "tally", *SHORT, "--html", page)
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == "corridor:plain, test split: 12 episodes, seeds 0 to 11, rules 1"
    assert "tally: tally (untrained weights)" in lines, "which model it is"
    assert lines[1].split()[:3] == ["success", "95", "%"]
    assert lines[-1] == f"page: {page}"
    assert any(line.startswith("tally ") and "guide: " in line for line in lines)
    text = page.read_text("utf-8")
    assert "corridor:plain" in text
    assert "<svg" in text
    assert "Others" in text, "what is published"
    figures = json.loads(page.with_suffix(".json").read_text())
    assert [row["name"] for row in figures["rows"]] == [
        "random", "majority", "tally", "guide", "best",
    ]  # fmt: skip


def test_what_others_report_is_told_and_what_is_missing(aegis, corridor):
    said = aegis("-C", corridor, "compare", "tally", *SHORT)
    assert "published, not measured here: Others, " in said.out
    assert "not in the table: rules (they are made for research-gym)" in said.out
    file = corridor / "aegis.toml"
    file.write_text(file.read_text() + '\n[profiles.guide]\nengine = "tally"\n')
    hidden = aegis("-C", corridor, "compare", "guide", *SHORT)
    assert hidden.code == 0, hidden.err
    assert "not in the table: guide, the expert (a profile has that name)" in hidden.out
    chance = aegis("-C", corridor, "compare", "random", *SHORT)
    assert "(a profile has that name)" not in chance.out, "it is the same"
    page = Path(chance.out.splitlines()[-1].removeprefix("page: ")).read_text("utf-8")
    assert re.search(r"At the ends: (<[^>]*>)*random", page)


def test_a_page_of_another_split_takes_no_other_s_place(aegis, corridor):
    words = ("-C", corridor, "compare", "tally", *SHORT, "--no-baselines", "--json")
    pages = [
        Path(aegis(*words, *more).json["page"]).name for more in ((), ("--split", "validation"))
    ]
    assert pages == ["corridor-plain.html", "corridor-plain-validation.html"]


def test_a_page_that_cannot_be_written_is_one_error_and_nothing_is_lost(aegis, corridor, tmp_path):
    (tmp_path / "file").write_text("no folder")
    page = tmp_path / "file" / "page.html"
    said = aegis("-C", corridor, "compare", "tally", *SHORT, "--no-baselines", "--html", page)
    assert said.code == 2
    assert "error[unwritable]: the page cannot be written: " in said.err
    assert "--html FILE" in said.err
    assert {len(one) for one in kept(corridor).values()} == {12}


def test_the_untrained_row_has_the_weights_of_the_settings(aegis, trained):
    assert aegis("-C", trained, "checkpoints", "promote", "latest").code == 0
    words = ["-C", trained, "compare", "tally", "tally@configured", *SHORT, "--json"]
    said = aegis(*words)
    assert said.code == 0, said.err
    rows = {row["name"]: row for row in said.json["rows"]}
    (promoted,) = [row for row in said.json["rows"] if row["checkpoint"] is not None]
    assert promoted["name"] == f"tally@{promoted['checkpoint'][:10]}"
    assert promoted["kind"] == "profile"
    assert promoted["experience"]["episodes"] == 40
    untrained = rows["tally@untrained"]
    assert (untrained["kind"], untrained["checkpoint"]) == ("baseline", None)
    assert "tally@untrained" not in {pair["a"] for pair in said.json["pairs"]}
    # Weights of 0 are the random policy, and sample what it samples; so are those asked for.
    for row in (untrained, rows["tally"]):
        assert row["mean_return"] == rows["random"]["mean_return"]
    played = kept(trained)
    rights = {name: sum(e["actions"].get("right", 0) for e in one) for name, one in played.items()}
    assert rights[promoted["name"]] > rights["random"]


def test_where_there_are_no_splits_nothing_is_lost_and_the_majority_is_of_other_episodes(
    aegis, corridor
):
    file = corridor / "corridor.py"
    file.write_text(file.read_text().replace("splits=True", "splits=False"))
    words = ["-C", corridor, "compare", "tally", *SHORT, "--json"]
    first = aegis(*words)
    assert first.code == 0, first.err
    place = corridor / "data" / "run" / "evaluations"
    played = {file: file.read_bytes() for file in place.rglob("*.txt")}
    guide = next(text for text in played.values() if text.count(b'"seed":') == 12 + 50)
    assert {seed for seed in range(50) if b'"seed":%d,' % seed in guide} == {*range(12)}
    again = aegis(*words, "--fresh")
    assert again.code == 0, again.err
    assert {file.with_suffix(""): file.read_bytes() for file in place.rglob("*.old")} == played


def test_without_experts_the_majority_is_of_what_was_recorded(aegis, trainable):
    from aegis.store.ledger import Ledger

    with Ledger.open(trainable / "data" / "run", write=False) as ledger:
        counts = Counter(step.decision.action.tool for step in ledger.experiences())
    words = ["-C", trainable, "compare", "tally", "--task", "doors", "--episodes", "4"]
    said = aegis(*words, "--jobs", "1", "--json")
    assert said.code == 0, said.err
    rows = {row["name"]: row for row in said.json["rows"]}
    assert list(rows) == ["random", "majority", "tally"]
    (tool, _), *_ = counts.most_common()
    assert rows["majority"]["model"] == f"always {tool}, which the recorded experience takes most"
    for file in (trainable / "data" / "run").glob("ledger*"):
        file.unlink()
    without = aegis(*words, "--jobs", "1", "--json").json
    assert [row["name"] for row in without["rows"]] == ["random", "tally"]
    assert "majority" in without["missing"][-1]


def test_the_gym_has_rules_an_oracle_and_what_candidates_allow(aegis, project):
    words = ["-C", project, "compare", "random", "--task", "research-gym", "--episodes", "4"]
    said = aegis(*words, "--jobs", "2", "--json")
    assert said.code == 0, said.err
    rows = {row["name"]: row for row in said.json["rows"]}
    assert set(rows) == {"random", "majority", "rules", "oracle", "best-in-candidates"}
    assert rows["oracle"]["normalised"]["mean"] == 1
    assert rows["best-in-candidates"]["mean_return"] >= rows["oracle"]["mean_return"]
    assert Path(said.json["page"]).name == "research-gym.html"
    assert not math.isnan(rows["rules"]["ci95"][0])


def test_an_environment_whose_experts_fail_is_named(aegis, corridor):
    sets = ["--set", "environment.corridor.fault=experts"]
    said = aegis("-C", corridor, "compare", "tally", *SHORT, *sets)
    assert said.code in {1, 2}
    assert 'plugin "corridor.py"' in said.err
    assert "no guide today" in said.err
    assert "Traceback" not in said.err
