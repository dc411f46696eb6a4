"""The page of a comparison: one HTML file with its charts and tables, complete in itself.

Nothing is loaded, from the network or from other files, and nothing runs: the charts are SVG in
the page, and its policy for content forbids the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aegis.evaluation.report.charts import NARROW, WIDE, cost_chart, interval_chart, ladder_chart
from aegis.evaluation.report.drawing.markup import element, escaped, verbatim
from aegis.evaluation.report.estimates import Measure, best, chance, entries
from aegis.evaluation.report.style import STYLE
from aegis.evaluation.report.tables import (
    SIGNIFICANT,
    groups_table,
    named,
    pairs_table,
    published_table,
    rows_table,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aegis.evaluation.report.estimates import Entry

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_LADDER: Final = (
    "A point for each row that says what it learned from, side by side where the number is the "
    "same; a line through the means of one profile. Published figures are of other episodes."
)
_COST: Final = (
    "Further up is better, further right is faster. The speed is of one process and counts the "
    "decisions alone, not the environment's time."
)
_ROWS: Final = (
    "Figures with their intervals of 95 % below them. Every row played the same episodes."
)
_GROUPS: Final = (
    "Weights of one profile that learned from as many episodes in the same way, trained several "
    "times: their mean, with the interval of these very weights over other episodes, in which the "
    "trainings' results on one episode hang together. How far trainings differ, each one's own "
    "figure shows."
)
_PAIRS: Final = (
    "Differences are taken episode by episode, first minus second, with intervals of 95 %. One "
    f"beats another where the p adjusted for the number of pairs is below {SIGNIFICANT:g}; where "
    "two are not told apart, these episodes do not show which is better."
)
_PUBLISHED: Final = "As others report them: not of these episodes, and not measured here."


def page(comparison: Mapping[str, Any]) -> str:
    """Return a comparison as an HTML document.

    Args:
        comparison: What ``aegis compare --json`` prints: task, rows, pairs, published figures,
            what is missing, and how it was made.
    """
    noun = Measure.of(comparison).noun
    parts = [
        _header(comparison),
        _chart(interval_chart, comparison, f"{noun.capitalize()} of each row", _marks(comparison)),
        _chart(ladder_chart, comparison, f"{noun.capitalize()} by demonstrations", _LADDER),
        _chart(cost_chart, comparison, f"{noun.capitalize()} against speed", _COST),
        _section("All rows", _ROWS, rows_table(comparison), class_="broad"),
    ]
    if comparison["groups"]:
        parts.append(_section("Trainings taken together", _GROUPS, groups_table(comparison)))
    if comparison["pairs"]:
        parts.append(_section("Pairs", _PAIRS, pairs_table(comparison), class_="broad"))
    if comparison["published"]:
        parts.append(_section("Published figures", _PUBLISHED, published_table(comparison)))
    if comparison["missing"]:
        reasons = (element("li", escaped(reason)) for reason in comparison["missing"])
        parts.append(_section("Not in the tables", "", element("ul", *reasons)))
    parts.append(_made(comparison))
    head = element(
        "head",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        element("title", f"{escaped(comparison['task'])}: comparison of policies"),
        element("style", STYLE),
    )
    body = element("body", element("main", *parts))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _header(comparison: Mapping[str, Any]) -> str:
    environment = comparison["environment"]
    count, first = comparison["episodes"], comparison["first_seed"]
    split = environment["split"]
    clusters = comparison["clusters"]
    topics = f" of {clusters:,} topics" if clusters < count else ""
    facts = [
        f"{count:,} episodes{topics}",
        f"{environment['name']}, rules {environment['version']}",
        *([f"{split} split"] if split else []),
        f"seeds {first} to {first + count - 1}, the same for every row",
    ]
    return element(
        "header",
        element("p", "Comparison of policies", class_="kicker"),
        element("h1", named(comparison["task"])),
        element("p", escaped(" \N{MIDDLE DOT} ".join(facts)), class_="facts"),
        element("p", _lead(comparison), class_="lead"),
    )


def _lead(comparison: Mapping[str, Any]) -> str:
    """Return the result in two sentences: the highest row, and what stands at the ends."""
    found, measure = entries(comparison), Measure.of(comparison)
    first = best(found, "profile")
    if first is None:
        return "No profile has a figure in this measure."
    count = sum(entry.group == "profile" for entry in found)
    which = f"Of {count} rows of profiles, {{}} has the highest" if count > 1 else "{} has a"
    said = [f"{which.format(_strong(first))} {measure.noun}: {_said(first, measure)}."]
    pairs = [pair for pair in comparison["pairs"] if first.said["name"] in (pair["a"], pair["b"])]
    if pairs:
        beaten = sum(_beats(first.said["name"], pair) for pair in pairs)
        said.append(f"It beats {_share(beaten, len(pairs))} that it is paired with.")
    ends = [entry for entry in (chance(found), best(found, "expert")) if entry]
    if ends:
        listed = "; ".join(f"{named(end.name)}: {_said(end, measure)}" for end in ends)
        said.append(f"At the ends: {listed}.")
    return " ".join(said)


def _share(beaten: int, others: int) -> str:
    if others == 1:
        return "the one other" if beaten else "not the one other"
    return f"{beaten or 'none'} of the {others} others"


def _beats(name: str, pair: Mapping[str, Any]) -> bool:
    winner = pair["a"] if pair["difference"] > 0 else pair["b"]
    return shown(pair) and winner == name


def _strong(entry: Entry) -> str:
    return element("strong", named(entry.name))


def _said(entry: Entry, measure: Measure) -> str:
    return escaped(measure.sentence(entry.estimate))


def _marks(comparison: Mapping[str, Any]) -> str:
    """Return what the marks of the first chart mean, as far as they are there."""
    found = entries(comparison)
    said = [
        "A mark is the estimate, the line through it the interval of 95 % of that row alone.",
        "Two rows may differ beyond chance although their intervals overlap: see the pairs.",
    ]
    if len({entry.said["way"] for entry in found if entry.group == "profile"}) > 1:
        said.append("Filled marks are sampled, open ones greedy.")
    absent = len(comparison["rows"]) - sum(entry.group != "published" for entry in found)
    if absent:
        rows = "row has" if absent == 1 else "rows have"
        said.append(f"{absent} {rows} no figure in this measure.")
    return " ".join(said)


def _chart(
    chart: Callable[[Mapping[str, Any], float], str],
    comparison: Mapping[str, Any],
    heading: str,
    about: str,
) -> str:
    """Return a chart in both widths, of which the style shows one; empty where there is none."""
    wide, narrow = chart(comparison, WIDE), chart(comparison, NARROW)
    if not wide:
        return ""
    both = element("div", wide, class_="wide") + element("div", narrow, class_="narrow")
    return _section(heading, "", element("figure", both, element("figcaption", about)))


def _section(heading: str, about: str, content: str, *, class_: str | None = None) -> str:
    told = element("p", about, class_="about") if about else ""
    return element("section", element("h2", heading), told, content, class_=class_)


def _made(comparison: Mapping[str, Any]) -> str:
    facts = {
        "Commit": comparison["commit"],
        "Machine": comparison["machine"],
        "Made": comparison["made"],
        "Content": comparison["environment"].get("content"),
    }
    listed = (
        element("dt", name) + element("dd", escaped(value))
        for name, value in facts.items()
        if value
    )
    command = element("pre", element("code", verbatim(comparison["command"])))
    return _section("How it was made", "", command + element("dl", *listed))
