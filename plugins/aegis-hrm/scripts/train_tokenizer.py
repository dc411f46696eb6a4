"""Train the tokenizer that ``hrm-bpe`` comes with, from this repository's own text.

    python scripts/train_tokenizer.py                       # the shipped file: about 20 seconds
    python scripts/train_tokenizer.py --out /tmp/try.json   # elsewhere

Views and candidates of practice episodes, those of an agent that reads the sample library, and its
notes; nothing of the topics that tests are made of. The same text gives the same bytes.
"""

# ruff: noqa: INP001, T201 - a script that prints

from __future__ import annotations

import argparse
import shutil
import tempfile
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from aegis import commands
from aegis.agent.assembly import open_agent
from aegis.evaluation.gym.environment import split_of
from aegis_hrm.tokenizer import open_tokenizer
from aegis_hrm.tokenizer_gathering import NOTES_TIMES, Gathered
from aegis_hrm.tokenizer_making import write
from aegis_hrm.tokenizer_measured import density
from aegis_hrm.tokenizer_settings import DEFAULT_SIZE, SHIPPED
from aegis_hrm.tokenizer_texts import Choice, practice
from aegis_hrm.tokenizer_training import train

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY: Final = Path(__file__).resolve().parents[3] / "data" / "library"
PROJECT: Final = """
profile = "rules"
[agent]
interests = ["reinforcement learning", "language models", "optimization", "reasoning"]
library = "library"
practice_when_idle = false
"""


@frozen
class Recipe:
    """Everything that decides the file, besides the text.

    Attributes:
        size: Entries in all.
        episodes: Episodes of practice.
        steps: Steps of the agent that reads the library.
        steps_times: How often these count beside practice, of which there is more.
    """

    size: int = DEFAULT_SIZE
    episodes: int = 200
    steps: int = 400
    steps_times: int = 5


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--size", type=int, default=Recipe().size)
    given = parser.parse_args()
    make(Recipe(size=given.size), LIBRARY, given.out)
    print(f"{given.out}: {given.out.stat().st_size} bytes")


def make(recipe: Recipe, library: Path, out: Path) -> None:
    """Train by a recipe and write the file, with what is measured of it beside."""
    played = Gathered.of(practice(library, range(recipe.episodes)))
    lived = Gathered.of(life(library, recipe.steps))
    texts = chain(
        played.training_texts,
        *repeat(list(lived.training_texts), recipe.steps_times),
        *repeat([f"{note.title}\n{note.text}" for note in commands.notes(library)], NOTES_TIMES),
    )
    write(train(texts, recipe.size), out, played)
    tokenizer = open_tokenizer(out)
    for name, gathered in (("practice", played), ("life", lived)):
        figure = density(tokenizer, gathered.held_out)
        print(f"{name}: {figure:.2f} characters a token on {len(gathered.held_out)} held-out views")
    print(f"low end of practice views: {tokenizer.capabilities.characters_per_token} a token")


def life(library: Path, steps: int) -> Iterator[Choice]:
    """Yield what an agent that decides by rules is shown while it reads the library.

    It stays off the network; every step is told a second time as if it had searched arXiv.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "library").mkdir()
        for note in sorted(library.glob("*.md")):
            if split_of(note.stem) != "test":
                shutil.copy(note, folder / "library")
        (folder / "aegis.toml").write_text(PROJECT)
        with open_agent(folder / "aegis.toml") as agent:
            for step in agent.run(steps):
                offered = step.decision.candidates
                yield Choice(step.view, offered)
                searches = [action for action in offered if action.tool == "search_library"]
                yield Choice(step.view, [evolve(a, tool="search_arxiv") for a in searches])


if __name__ == "__main__":
    main()
