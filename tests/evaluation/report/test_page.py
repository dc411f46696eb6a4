"""The page of a comparison, made of what really was compared, and of names that mean harm."""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET

import pytest

from aegis.evaluation.report.charts import cost_chart, interval_chart, ladder_chart
from aegis.evaluation.report.page import page

SPACE = {"s": ""}


def row(name, rate, low, high, **changes):
    """Return a row as ``aegis compare --json`` has it."""
    facts = {
        "name": name, "kind": "profile", "profile": name, "way": "sampled", "model": "tiny",
        "checkpoint": None, "experience": None, "episodes": 200, "steps": 9.0,
        "success_rate": rate, "success_interval": [low, high], "ci95": [low, high],
        "mean_return": rate * 0.9, "return_interval": [low * 0.9, high * 0.9],
        "normalised": None, "decisions_per_second": 400.0, "peak_rss_mb": 210.0,
        "parameters": 423_000, "invalid_rate": 0.0,
    }  # fmt: skip
    return facts | changes


@pytest.fixture
def comparison():
    """A comparison of two trainings on different numbers, with all that stands beside."""
    few = row("small@a", 0.5, 0.43, 0.57, profile="small", experience={"episodes": 100})
    many = row("small@b", 0.9, 0.85, 0.94, profile="small", experience={"episodes": 1000})
    dice = row("random", 0.2, 0.15, 0.26, kind="baseline", profile=None, parameters=None)
    bot = row("bot", 1.0, 0.98, 1.0, kind="expert", profile=None, decisions_per_second=None)
    return {
        "task": "world:far", "measure": "success", "episodes": 200, "clusters": 40, "first_seed": 5,
        "environment": {"name": "world", "version": "3", "split": "test", "content": "c0ffee"},
        "rows": [dice, few, many, bot],
        "pairs": [
            {"a": "small@b", "b": "small@a", "difference": 0.4, "low": 0.3, "high": 0.5,
             "lower_bound": 0.31, "level": 0.05, "p": 0.0001, "p_adjusted": 0.0002,
             "test": "McNemar"},
        ],
        "published": [
            {"name": "Elsewhere", "value": 0.99, "demonstrations": 5000, "measure": "success",
             "source": "arXiv 1234.5678", "note": "on other episodes"},
        ],
        "missing": ["rules: they know no such world"], "groups": [],
        "command": "aegis compare small --task world:far", "commit": "abc", "machine": "2 cores",
        "made": "2026-01-01",
    }  # fmt: skip


def parsed(found):
    """Return a page as a tree: it is well-formed XML but for its doctype."""
    text = (
        page(found)
        .replace("<!doctype html>\n", "")
        .replace('charset="utf-8">', 'charset="utf-8"/>')
    )
    return ET.fromstring(re.sub(r"(<meta [^>]*[^/])>", r"\1/>", text))


def words(tree):
    return " ".join(" ".join(tree.itertext()).split())


def test_everything_that_was_compared_is_on_the_page(comparison):
    said = words(parsed(comparison))

    for part in ("world:far", "small@a", "small@b", "random", "bot", "Elsewhere", "90.0", "50.0",
                 "arXiv 1234.5678", "rules: they know no such world", "2 cores", "c0ffee",
                 "aegis compare small --task world:far", "200 episodes of 40 topics", "world, rules 3", "seeds 5 to 204"):  # fmt: skip
        assert part in said
    assert "Of 2 rows of profiles, small@b has the highest success rate: 90.0 %" in said
    assert "It beats the one other that it is paired with." in said


def test_trainings_that_are_taken_together_have_a_table(comparison):
    assert "Trainings taken together" not in words(parsed(comparison))
    comparison["groups"] = [
        {"profile": "small", "way": "greedy", "experience": {"episodes": 1000},
         "members": ["small@b", "small@d"], "checkpoints": ["b", "d"], "episodes": 200,
         "success_rate": 0.875, "mean_return": 0.8, "ci95": [0.83, 0.91], "of_each": [0.9, 0.85]},
    ]  # fmt: skip
    said = words(parsed(comparison))

    for part in ("Trainings taken together", "2 trainings, greedy", "87.5[83.0, 91.0]",
                 "90.0, 85.0", "1,000 episodes"):  # fmt: skip
        assert part.replace(" ", "") in said.replace(" ", "")


def test_it_is_complete_in_itself_and_runs_nothing(comparison):
    tree = parsed(comparison)

    names = {element.tag for element in tree.iter()}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "use", "image"}
    for element in tree.iter():
        assert not {"href", "src", "onload", "onclick", "action"} & set(element.attrib)
    (style,) = tree.iter("style")
    assert "url(" not in style.text
    assert "@import" not in style.text
    policy = next(m.get("content") for m in tree.iter("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_the_command_is_shown_with_every_space(comparison):
    comparison["command"] = "aegis --config 'my  folder/a.toml' compare a\tb\n<c>"
    (shown,) = parsed(comparison).iter("pre")
    assert "".join(shown.itertext()) == "aegis --config 'my  folder/a.toml' compare a b <c>"


def test_names_that_mean_harm_stay_names(comparison):
    bad = "</title><script>alert(1)</script>\"'&\u202e"
    for each in comparison["rows"]:
        each |= {"name": bad, "model": bad}
    comparison |= {"task": bad, "missing": [bad], "command": bad, "pairs": []}
    tree = parsed(comparison)

    assert not list(tree.iter("script"))
    assert "<script>alert(1)</script>" in words(tree)
    assert "\u202e" not in words(tree)


def test_there_are_three_charts_in_two_widths(comparison):
    drawings = list(parsed(comparison).iter("svg"))

    assert len(drawings) == 6
    widths = [float(d.get("viewBox").split()[2]) for d in drawings]
    assert widths == [820, 400] * 3
    told = [d.find("desc").text for d in drawings]
    assert all("90.0" in text for text in told)


def test_without_two_numbers_of_demonstrations_there_is_no_ladder(comparison):
    assert ladder_chart(comparison)
    comparison["rows"][1]["experience"] = {"episodes": 1000}
    assert ladder_chart(comparison) == ""


def test_without_any_figure_there_is_a_page_and_no_chart(comparison):
    nothing = {"success_rate": None, "success_interval": None, "ci95": None}
    comparison["rows"] = [row("a", 0.0, 0.0, 0.0, **nothing)]
    comparison |= {"pairs": [], "published": []}
    for chart in (interval_chart, ladder_chart, cost_chart):
        assert chart(comparison) == ""
    tree = parsed(comparison)
    assert "No profile has a figure in this measure." in words(tree)


def positions(drawing):
    """Return where the marks of a chart are, by the name in their groups' titles."""
    found = {}
    for group in ET.fromstring(drawing).iter("g"):
        title = group.find("title")
        paths = [p for p in group.iter("path") if "translate" in (p.get("transform") or "")]
        if title is not None and paths:
            x, y = re.findall(r"-?[\d.]+", paths[0].get("transform"))
            found[title.text.split(":")[0].split(",")[0]] = (float(x), float(y))
    return found


def test_marks_stand_in_proportion_to_what_was_reached(comparison):
    xs = {name: x for name, (x, _) in positions(interval_chart(comparison)).items()}

    assert {"random", "small@a", "small@b", "bot"} <= xs.keys()
    per_point = (xs["bot"] - xs["random"]) / 80
    assert xs["small@a"] == pytest.approx(xs["random"] + 30 * per_point, abs=0.1)
    assert xs["small@b"] == pytest.approx(xs["random"] + 70 * per_point, abs=0.1)


def test_the_ladder_is_logarithmic_in_demonstrations(comparison):
    third = copy.deepcopy(comparison["rows"][1]) | {"name": "small@c"}
    third["experience"] = {"episodes": 10_000}
    comparison["rows"].append(third)
    xs = {name: x for name, (x, _) in positions(ladder_chart(comparison)).items()}

    ends = sorted(xs[name] for name in ("small@a", "small@b", "small@c"))
    assert ends[1] == pytest.approx((ends[0] + ends[2]) / 2, abs=0.5)
