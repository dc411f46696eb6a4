"""Regenerate docs/results.md row by row: `make results`, or `make results ROW=babyai-GoToLocal`.

    python benchmarks/results.py                       # whatever is missing: days
    python benchmarks/results.py babyai-GoToLocal-marked-gpt2-1000   # what is missing of one row
    python benchmarks/results.py babyai-GoToLocal-marked-gpt2-1000 --seeds 1   # one training of it
    python benchmarks/results.py research-gym-papers --corpus FILE   # what is played over abstracts
    python benchmarks/results.py --list
    python benchmarks/results.py --page                # only the page, from the rows that are there

A row is one JSON file under benchmarks/results/rows, with the commands that made it. What was cut
off goes on: demonstrations, trainings, episodes and rows are kept below data/run/results. Names
may be beginnings of names. Trainings are of one thread, `--jobs` of them side by side.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve
from measuring.babyai_rows import baby
from measuring.kept_rows import Row, all_of, forget, known_rows, missing, there, write
from measuring.recipes import BabyRow, ImproveRow
from measuring.research_rows import gym, improve
from measuring.results_page import page
from measuring.running import ROOT

if TYPE_CHECKING:
    from collections.abc import Container

PAGE: Final = ROOT / "docs" / "results.md"


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def _means(said: str, name: str, names: Container[str]) -> bool:
    """Return whether what was said is a row's name, or the beginning of it and no whole name."""
    return said == name or (said not in names and name.startswith(said))


def _state(row: Row) -> str:
    """Return whether a row is there, or how many of its trainings."""
    all_of_it, to_make = all_of(row), missing(row)
    if not to_make:
        return "there"
    if to_make == all_of_it:
        return "of an older recipe" if there(row) else "missing"
    return f"{len(all_of_it) - len(to_make)} of {len(all_of_it)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", help="beginnings of names of rows; all by default")
    parser.add_argument("--list", action="store_true", help="list the rows and what is there")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument(
        "--again",
        action="store_true",
        help="make anew what is there, and all that is kept of it; where that was cut off, the "
        "same without --again goes on",
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--corpus", type=Path, help="papers for the rows over abstracts: JSONL")
    parser.add_argument(
        "--seeds",
        type=_seeds,
        default=(),
        help="these training seeds, such as 1,2, and no others; put together with what is there",
    )
    arguments = parser.parse_args()
    known = known_rows()
    names = {row.name for row in known}
    wanted = [
        row
        for row in known
        if not arguments.rows or any(_means(name, row.name, names) for name in arguments.rows)
    ]
    if arguments.rows and not wanted:
        parser.error(f"no row begins with {' or '.join(arguments.rows)}; --list names them")
    if arguments.list:
        for row in wanted:
            print(f"{row.name:50s} {_state(row)}")
        return
    corpus = arguments.corpus.resolve() if arguments.corpus else None
    for row in [] if arguments.page else wanted:
        seeds = all_of(row) if arguments.again else missing(row)
        if isinstance(row, BabyRow) and arguments.seeds:
            seeds = arguments.seeds
        if not seeds:
            print(f"== {row.name}: there; AGAIN=1 or --again makes it anew", flush=True)
        elif not isinstance(row, BabyRow) and row.papers and corpus is None:
            print(
                f"== {row.name}: left out; name the papers: CORPUS=FILE or --corpus FILE",
                flush=True,
            )
        else:
            print(f"== {row.name}", flush=True)
            if arguments.again:
                forget(row, seeds)
            write(row, made(row, seeds, arguments.jobs, corpus, again=arguments.again))
            PAGE.write_text(page())
    PAGE.write_text(page())


def made(
    row: Row, seeds: tuple[int, ...], jobs: int, corpus: Path | None, *, again: bool
) -> dict[str, Any]:
    """Return what a row comes to; of one with seeds, the trainings with these."""
    if isinstance(row, BabyRow):
        return baby(evolve(row, seeds=seeds), jobs, again=again)
    if isinstance(row, ImproveRow):
        return improve(row, jobs, corpus, again=again)
    return gym(row, jobs, corpus, again=again)


if __name__ == "__main__":
    main()
