"""The tables of the page of a comparison, with every figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aegis.evaluation.intervals import Interval
from aegis.evaluation.report.drawing.markup import element, escaped
from aegis.evaluation.report.drawing.scales import number
from aegis.evaluation.report.estimates import (
    NONE,
    Measure,
    between,
    decimals_for,
    finite,
    returned,
    share,
    succeeded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Row = Mapping[str, Any]

SIGNIFICANT: Final = 0.05
_HEADINGS: Final = {"profile": "Profiles", "baseline": "Baselines", "expert": "Experts"}
_DIGITS: Final = 12
"""Of a checkpoint's identifier."""


def rows_table(comparison: Mapping[str, Any]) -> str:
    """Return the table of all rows."""
    rows: Sequence[Row] = comparison["rows"]
    columns = _columns(comparison)
    heads = ["", *(head for head, _ in columns)]
    body = []
    for kind, heading in _HEADINGS.items():
        members = [row for row in rows if row["kind"] == kind]
        if members:
            label = element("th", heading, colspan=len(heads), scope="rowgroup", class_="left")
            body.append(element("tr", label, class_="group"))
        for row in members:
            cells = (element("td", figure(row)) for _, figure in columns)
            body.append(element("tr", _named(row), *cells))
    return _table("All rows", heads, body)


def pairs_table(comparison: Mapping[str, Any]) -> str:
    """Return the table of pairs, each with what it shows in words."""
    rate = comparison["measure"] == "success"
    factor = 100.0 if rate else 1.0
    found = [(pair, _difference(pair, factor)) for pair in comparison["pairs"]]
    decimals = 1 if rate else decimals_for(difference for _, difference in found)
    heads = [
        "",
        f"difference{', points' if rate else ''}",
        "at least (one-sided)",
        "p",
        "p, adjusted",
        "test",
    ]
    body = [
        element(
            "tr",
            element("td", words(pair), class_="prose"),
            element("td", _estimate(difference, decimals)),
            element("td", number(factor * pair["lower_bound"], decimals)),
            element("td", _probability(pair["p"])),
            element("td", _probability(pair["p_adjusted"])),
            element("td", escaped(pair["test"])),
            class_=None if shown(pair) else "even",
        )
        for pair, difference in found
    ]
    return _table("Pairs", heads, body)


def groups_table(comparison: Mapping[str, Any]) -> str:
    """Return the table of trainings that are taken together, each group with its mean."""
    rate = comparison["measure"] == "success"
    factor, key = (100.0, "success_rate") if rate else (1.0, "mean_return")
    found = [
        (group, Interval(*(factor * value for value in (group[key], *group["ci95"]))))
        for group in comparison["groups"]
    ]
    decimals = 1 if rate else decimals_for(estimate for _, estimate in found)
    heads = ["", Measure.of(comparison).title, "learned from", "of each training"]
    body = [
        element(
            "tr",
            element(
                "th",
                named(group["profile"]),
                element("small", f"{len(group['members'])} trainings, {escaped(group['way'])}"),
                scope="row",
                class_="left",
            ),
            element("td", _estimate(estimate, decimals)),
            element("td", _experience(group)),
            element("td", ", ".join(number(factor * each, decimals) for each in group["of_each"])),
        )
        for group, estimate in found
    ]
    return _table("Trainings taken together", heads, body)


def published_table(comparison: Mapping[str, Any]) -> str:
    """Return the table of published figures."""
    measure = Measure.of(comparison)
    heads = ["", measure.title, "demonstrations", "source", "what differs"]
    body = []
    for figure in comparison["published"]:
        value, count = finite(figure["value"]), figure["demonstrations"]
        body.append(
            element(
                "tr",
                element("th", named(figure["name"]), scope="row", class_="left"),
                element("td", NONE if value is None else measure.figure(measure.factor * value)),
                element("td", _count(count)),
                element("td", escaped(figure["source"]), class_="prose"),
                element("td", escaped(figure["note"]), class_="prose"),
            )
        )
    return _table("Published figures", heads, body, left=2)


def named(name: str) -> str:
    """Return a name, whose direction of writing stays its own."""
    return element("bdi", escaped(name))


def shown(pair: Mapping[str, Any]) -> bool:
    """Return whether a pair's difference is beyond chance, all pairs considered."""
    return bool(pair["p_adjusted"] < SIGNIFICANT and pair["difference"])


def words(pair: Mapping[str, Any]) -> str:
    """Return what a pair shows: who beats whom, only where that is beyond chance."""
    first, second = named(pair["a"]), named(pair["b"])
    if not shown(pair):
        return f"{first} and {second} are not told apart"
    if pair["difference"] > 0:
        return f"<strong>{first} beats {second}</strong>"
    return f"<strong>{first} is beaten by {second}</strong>"


def _columns(comparison: Mapping[str, Any]) -> list[tuple[str, Callable[[Row], str]]]:
    """Return heads and cells of the columns that any row has a figure for, the measure's first."""
    rows: Sequence[Row] = comparison["rows"]
    decimals = decimals_for(map(returned, rows))
    rate: tuple[str, Callable[[Row], str]] = (
        "success rate, %",
        lambda row: _estimate(_percent(succeeded(row)), 1),
    )
    earned: tuple[str, Callable[[Row], str]] = (
        "mean return",
        lambda row: _estimate(returned(row), decimals),
    )
    by_rate = comparison["measure"] == "success"
    columns = [
        *((rate, earned) if by_rate else (earned,)),
        ("normalised", lambda row: _estimate(share(row), 2)),
        *(() if by_rate else (rate,)),
        ("learned from", _experience),
        ("episodes", lambda row: _count(row["episodes"])),
        ("steps an episode", lambda row: _plain(row["steps"], 1)),
        ("decisions/s", lambda row: _speed(row["decisions_per_second"])),
        ("peak MiB", lambda row: _plain(row["peak_rss_mb"], 0)),
        ("weights", lambda row: _count(row["parameters"])),
        ("invalid, %", lambda row: _plain(row["invalid_rate"], 1, 100.0)),
    ]
    return [(head, cell) for head, cell in columns if any(cell(row) != NONE for row in rows)]


def _named(row: Row) -> str:
    said = [row["model"], row["way"]]
    details = [escaped(each) for each in said if each]
    if row["checkpoint"]:
        short = escaped(str(row["checkpoint"])[:_DIGITS])
        details.append(element("code", short, title=row["checkpoint"]))
    small = element("small", " \N{MIDDLE DOT} ".join(details))
    return element("th", named(row["name"]), small, scope="row", class_="left")


def _experience(row: Row) -> str:
    found = row["experience"] or {}
    parts = [f"{found[key]:,} {key}" for key in ("episodes", "examples") if found.get(key)]
    if not parts:
        return NONE
    return parts[0] + "".join(element("small", part) for part in parts[1:])


def _table(label: str, heads: Sequence[str], body: Iterable[str], *, left: int = 0) -> str:
    """Return a table that scrolls by itself where the page is narrower.

    Args:
        label: What it is.
        heads: Of the columns; the first one and the last `left` ones are of texts.
        body: Its rows.
        left: See above.
    """
    texts = {0, *range(len(heads) - left, len(heads))}
    cells = (
        element("th", head, scope="col", class_="left" if place in texts else None)
        if head
        else "<td></td>"
        for place, head in enumerate(heads)
    )
    table = element("table", element("thead", element("tr", *cells)), element("tbody", "", *body))
    return element("div", table, class_="scroll", role="region", tabindex="0", aria_label=label)


def _difference(pair: Mapping[str, Any], factor: float) -> Interval:
    return Interval(*(factor * pair[key] for key in ("difference", "low", "high")))


def _percent(estimate: Interval | None) -> Interval | None:
    return None if estimate is None else Interval(*(100.0 * value for value in estimate))


def _estimate(estimate: Interval | None, decimals: int) -> str:
    if estimate is None:
        return NONE
    return number(estimate.mean, decimals) + element("small", between(estimate, decimals))


def _plain(value: float | None, decimals: int, factor: float = 1.0) -> str:
    found = finite(value)
    return NONE if found is None else number(factor * found, decimals)


def _count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def _speed(value: float | None) -> str:
    """Return a speed in three digits."""
    found = finite(value)
    if found is None:
        return NONE
    return number(float(f"{found:.3g}"), 0 if found >= 100 else 1 if found >= 10 else 2)


def _probability(value: float) -> str:
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"
