"""docs/results.md from the rows that are there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from measuring.kept_rows import ROWS, all_of, known_rows, missing
from measuring.recipes import FIRST, GYM_ROWS, IMPROVE_ROWS, LADDER, LEVELS, TRACKS, baby_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Row = dict[str, Any]
_GYM_ROWS: Final = {row.name: row for row in (*GYM_ROWS, *IMPROVE_ROWS)}

_HEAD: Final = """# Results

Every row is made by `make results ROW=NAME` and lies, with its commands, seeds, commit and machine, in
`benchmarks/results/rows`; all figures of rows are from these files. Commands are those of a project with
`benchmarks/results/aegis.toml` (`improving.toml` where an agent practises) as it was at the row's commit. Intervals are
of 95 %. How the figures are taken: [guide](guide.md#measuring).
"""

_BABY: Final = """
## BabyAI

Imitation of the bot of minigrid 3.2.0. {episodes} test episodes, the same for everybody, from {first} on. They were not
played before the recipe was settled, with one exception: that unmarked rows of fewer demonstrations than 1,000 have 120
forms at most was decided after one look at them. The mean over training seeds, three where the row is whole; "of each
seed" names them and what each came to. What is hoped for stands at the better of the two ways. Intervals are of these
very weights, over episodes, clustered by episode: they say nothing of how far another training may end from these, as
"of each seed" does. Decisions are drawn from the policy (sampled) or its most probable ones (greedy). `random`,
`majority`, `untrained` (the first weights of one of the trainings) and the bot play the same episodes. *GPT-2* is a
model of that architecture with as few weights as *What the rows took* says, trained from random ones; no published
weights play here.

Each decision of a demonstration is trained on in further forms, up to as many as that table says and for 26 minutes of a
core at most, which other work shared at times. The share of all forms that was reached stands there: where it is less
than 1, those that come last were not seen. All are seen in a mirror, with other names for colours and objects where the
level's missions allow it. Beside the number stands what else they are:

- *others*: among other things; what the mission does not speak of is moved, renamed or left out where the way is as free.
- *faced too*: where the agent turns, such things lie directly in front as well.
- *detours*: the agent has just pushed against what is in front of it, or turned away and back.
- *said otherwise*: the mission in other words that mean the same of what is known.
- *simple first*: beginning with missions that name few colours and types.

Two tracks, never put together. *unmarked*: the view lists what is seen, and the model has to find what the mission
means. *marked*: the view says of an object that it is what the mission means, so the model only has to get there.
"""

_PUBLISHED: Final = """
### Published figures, beside unmarked only

From {source}.
"""
_GYM: Final = """
## research-gym

*Regression on seven features*: relevance by logistic regression on a document's rank, `title`, `text`, `rare`
and `like`, how many were read and the step, fitted on 5,175 documents that `random` read in practice topics. It reads
what is relevant with more than 0.25, else searches where the signals are largest, ten times at most.
"""
_IMPROVING: Final = """
## Learning from one's own practice

*before*: the profile as it is before the first round, untrained.
"""


def page(folder: Path = ROWS) -> str:
    """Return the page.

    Args:
        folder: Folder of the rows' files.

    Raises:
        ValueError: A file that is not called by its row: `make results` would not find it again,
            and of two of the same row one would be hidden. Or one of a row that there is none of.
    """
    rows = [_row(file) for file in sorted(folder.glob("*.json"))]
    parts = [_HEAD, *_lacking(folder)]
    baby = {row["row"]: row for row in rows if row["kind"] == "babyai"}
    if baby:
        parts += _babyai(baby)
    gym = [row for row in rows if row["kind"] == "research-gym"]
    if gym:
        parts += _gym(gym)
    improving = [row for row in rows if row["kind"] == "improving"]
    if improving:
        parts += _improving(improving)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _row(file: Path) -> Row:
    row: Row = json.loads(file.read_text())
    if file.stem != row["row"]:
        message = f"{file}: holds the row {row['row']}; call it {row['row']}.json"
        raise ValueError(message)
    if row["row"] not in {known.name for known in known_rows()}:
        message = f"{file}: `make results` knows no row {row['row']}; remove it"
        raise ValueError(message)
    return row


def _lacking(folder: Path) -> Iterator[str]:
    """Yield what `make results` would make: rows, and trainings of rows."""
    whole, older, parts = [], [], []
    for row in known_rows():
        seeds = missing(row, folder)
        if not seeds:
            continue
        if seeds != all_of(row):
            parts.append(f"`{row.name}` ({', '.join(map(str, seeds))})")
        elif (folder / f"{row.name}.json").exists():
            older.append(f"`{row.name}`")
        else:
            whole.append(f"`{row.name}`")
    kinds = {
        "Not made yet": whole,
        "Training seeds that are not made yet": parts,
        "Made by an older recipe than today's": older,
    }
    for kind, names in kinds.items():
        if names:
            yield f"{kind}: {', '.join(names)}."


def _babyai(rows: dict[str, Row]) -> Iterator[str]:
    some = next(iter(rows.values()))
    yield _BABY.format(episodes=some["episodes"], first=FIRST)
    for track in TRACKS:
        yield f"\n### {track}, 1,000 demonstrations\n"
        yield _table(
            ["level", "what", "success", "95 %", "of each seed", "hoped for"],
            [line for level in LEVELS for line in _level(rows, level, track)],
        )
    ladder = list(_ladder(rows))
    if ladder:
        yield "\n### GoToLocal over demonstrations, sampled (how many trainings)\n"
        heads = ["track", "recipe", *(f"{count:,}" for count in LADDER)]
        yield _table(heads, ladder)
    yield "\n### What the rows took\n"
    yield _table(
        [
            *("row", "weights", "forms", "minutes", "share", "examples", "decisions/s", "MiB"),
            *("episodes from", "machine", "trained at commit"),
        ],
        [_cost(row) for row in _ordered(rows)],
    )
    yield from _published(rows)


def _ordered(rows: dict[str, Row]) -> list[Row]:
    return [rows[row.name] for row in baby_rows() if row.name in rows]


def sampled(row: Row) -> Row:
    """Return the figures of decisions that are drawn from the policy."""
    found: Row = next(group for group in row["groups"] if group["way"] == "sampled")
    return found


def _level(rows: dict[str, Row], level: str, track: str) -> Iterator[list[str]]:
    of_level = [
        row
        for row in _ordered(rows)
        if row["task"] == f"babyai:{level}:{track}" and row["demonstrations"] == 1000
    ]
    for row in of_level:
        best = max(row["groups"], key=lambda group: group["success_rate"])
        for group in row["groups"]:
            each = zip(group["seeds"], group["of_each"], strict=True)
            yield [
                level,
                f"{row['decides']}, {group['way']}",
                f"**{_percent(group['success_rate'])}**",
                _interval(group["ci95"]),
                ", ".join(f"{seed}: {_percent(share)}" for seed, share in each),
                _hoped(row, group) if group is best else "",
            ]
    for each in of_level[0]["beside"] if of_level else []:
        name = each["name"].partition("@")[2] or each["name"]
        yield [level, name, _percent(each["success_rate"]), _interval(each["ci95"]), "", ""]


def _hoped(row: Row, group: Row) -> str:
    """Return what was hoped for, and whether the trainings so far come to it."""
    if row["target"] is None:
        return ""
    reached = "reached" if group["success_rate"] >= row["target"] else "**missed**"
    return f"{_percent(row['target'])}: {reached}"


def _ladder(rows: dict[str, Row]) -> Iterator[list[str]]:
    known = {
        (row["task"], row["recipe"], row["demonstrations"]): row
        for row in rows.values()
        if row["task"].startswith("babyai:GoToLocal")
    }
    for track in TRACKS:
        for recipe in dict.fromkeys(recipe for _, recipe, _ in known):
            found = [known.get((f"babyai:GoToLocal:{track}", recipe, n)) for n in LADDER]
            if sum(row is not None for row in found) > 1:
                name = next(row["decides"] for row in found if row is not None)
                yield [track, name, *(_rung(row) for row in found)]


def _rung(row: Row | None) -> str:
    if row is None:
        return ""
    group = sampled(row)
    trainings = f"({len(group['seeds'])})"
    return f"{_percent(group['success_rate'])} [{_interval(group['ci95'], ', ')}] {trainings}"


def _cost(row: Row) -> list[str]:
    trainings = row["trainings"]
    runs = [each["training"] for each in trainings]
    speed = min(each["decisions_per_second"] for each in row["rows"])
    memory = max(each["peak_rss_mb"] for each in row["rows"])
    return [
        row["row"],
        f"{trainings[0]['parameters']:,}",
        row["forms"],
        ", ".join(f"{run['seconds'] / 60:.1f}" for run in runs),
        ", ".join(f"{run['epochs']:.2f}" for run in runs),
        ", ".join(f"{run['examples']:,}" for run in runs),
        f"{speed:,.0f}",
        f"{memory:,.0f}",
        f"{row['first_seed']}",
        _by_seed(trainings, "machine"),
        _by_seed(trainings, "commit"),
    ]


def _by_seed(trainings: Sequence[Row], key: str) -> str:
    """Return what is true of trainings; where it differs, behind the seeds of which it is."""
    seeds: dict[str, list[str]] = {}
    for each in trainings:
        seeds.setdefault(each[key], []).append(str(each["seed"]))
    if len(seeds) == 1:
        return next(iter(seeds))
    return "; ".join(f"{', '.join(of_it)}: {value}" for value, of_it in seeds.items())


def _published(rows: dict[str, Row]) -> Iterator[str]:
    """Yield the published figures, for each source a table."""
    told: dict[str, list[list[str]]] = {}
    for level in LEVELS:
        row = rows.get(f"babyai-{level}-unmarked-gpt2-1000")
        for figure in row["published"] if row else []:
            value = "" if figure["value"] is None else _percent(figure["value"])
            line = [level, figure["name"], value, figure["note"]]
            told.setdefault(figure["source"], []).append(line)
    for source, lines in told.items():
        yield _PUBLISHED.format(source=source)
        yield _table(["level", "what", "success", "what differs"], lines)


def _gym(rows: Sequence[Row]) -> Iterator[str]:
    yield _GYM
    for row in rows:
        yield from _policies(row)


def _improving(rows: Sequence[Row]) -> Iterator[str]:
    yield _IMPROVING
    for row in rows:
        yield from _policies(row)
        yield _table(
            ["round", "steps learned from", "practice, s", "whole round, s"],
            [_round(number, each) for number, each in enumerate(row["rounds"], start=1)],
        )
        told = [_against(pair) for pair in row["pairs"] if "rules" in (pair["a"], pair["b"])]
        yield "Beside `rules`, on the same topics: " + "; ".join(filter(None, told)) + "."


def _round(number: int, each: Row) -> list[str]:
    examples = f"{each['training']['examples']:,}"
    took = (each["practice_seconds"], each["seconds"])
    return [str(number), examples, *("cut off" if s is None else f"{s:.0f}" for s in took)]


def _against(pair: Row) -> str:
    """Return how much more a round of learning brings than `rules`; empty for other policies."""
    sign, name = (1, pair["a"]) if pair["b"] == "rules" else (-1, pair["b"])
    if not name.startswith("after"):
        return ""
    low, high = sorted((sign * pair["low"], sign * pair["high"]))
    return f"{name} {sign * pair['difference']:+.2f} [{low:.2f}, {high:.2f}]"


def _policies(row: Row) -> Iterator[str]:
    known = _GYM_ROWS[row["row"]]
    yield f"\n### {known.title}\n\n{known.text}\n"
    yield _table(
        ["policy", "return", "95 %", "normalised", "weights", "decisions/s"],
        [_policy(each) for each in row["rows"]],
    )
    first, last = row["first_seed"], row["first_seed"] + row["episodes"] - 1
    yield (
        f"\nRow `{row['row']}`; test topics {first} to {last}; rules of the gym: version {row['rules']}. "
        f"{row['machine']}; commit {row['commit']}. `{row['commands'][-1]}`\n"
    )


def _policy(row: Row) -> list[str]:
    low, high = row["ci95"]
    share = row["normalised"]
    return [
        row["name"],
        f"{row['mean_return']:.2f}",
        f"{low:.2f} to {high:.2f}",
        "" if share is None else f"{share['mean']:.2f} [{share['low']:.2f}, {share['high']:.2f}]",
        "" if row["parameters"] is None else f"{row['parameters']:,}",
        "" if row["decisions_per_second"] is None else f"{row['decisions_per_second']:,.0f}",
    ]


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *rows])


def _interval(ends: Sequence[float], between: str = " to ") -> str:
    return between.join(map(_percent, ends))


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
