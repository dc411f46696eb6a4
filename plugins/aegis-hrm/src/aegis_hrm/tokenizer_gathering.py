"""What a tokenizer is trained and measured on, gathered from choices."""

from __future__ import annotations

from collections import Counter
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from attrs import Factory, define

from aegis import InputError, commands
from aegis_hrm.tokenizer_texts import Choice, practice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aegis import View

LEAST: Final = 20
"""Different views without which no tokenizer is made."""

ENOUGH: Final = 1000
"""Different views from which on the texts that come with Aegis are not needed."""

NOTES_TIMES: Final = 10
"""How often a note counts beside the views, which repeat themselves."""

_EPISODES: Final = 100  # of practice that come with Aegis
_ONE_IN: Final = 10  # of so many goals, one is held out
_MEASURED: Final = 2000  # choices that are held out, at most


@define
class Gathered:
    """Texts to train on and choices to measure on.

    Attributes:
        texts: Texts to train on, with how often they occur.
        held_out: Choices of other goals.
        views: Different views in all.
        goals: Different goals in all.
    """

    texts: Counter[str] = Factory(Counter)
    held_out: list[Choice] = Factory(list)
    views: int = 0
    goals: int = 0

    @classmethod
    def of(cls, choices: Iterable[Choice]) -> Gathered:
        """Gather choices, read once.

        The second goal, the twelfth and so on, in the order in which they come up, are held out.
        """
        found = cls()
        goals: dict[str, int] = {}
        seen: set[str] = set()
        for choice in choices:
            number = goals.setdefault(choice.view.goal, len(goals))
            seen.add(choice.view.digest)
            if number % _ONE_IN != 1:
                found.texts.update(choice.texts())
            elif len(found.held_out) < _MEASURED:
                found.held_out.append(choice)
        found.views, found.goals = len(seen), len(goals)
        return found

    def check(self) -> None:
        """Refuse what is too little to train and to measure on.

        Raises:
            InputError: ``tokenizer-views``.
        """
        if self.views < LEAST or self.goals < 2:
            raise InputError.of(
                "tokenizer-views",
                f"too little was seen: {self.views} different views, {self.goals} different goals; "
                f"a tokenizer is made from {LEAST} views and 2 goals or more",
                fix="aegis run --steps 200, or keep the tokenizer that comes with Aegis",
            )

    @property
    def training_texts(self) -> Iterator[str]:
        """Every text to train on, as often as it occurs."""
        return chain.from_iterable(repeat(text, count) for text, count in self.texts.items())

    @property
    def held_out_views(self) -> list[View]:
        """The views that are measured on."""
        return [choice.view for choice in self.held_out]


def shipped_texts() -> Iterator[str]:
    """Yield the texts that come with Aegis: practice over the sample library, and its notes."""
    library = commands.sample_library()
    for choice in practice(library, range(_EPISODES)):
        yield from choice.texts()
    for note in commands.notes(library):
        yield from repeat(f"{note.title}\n{note.text}", NOTES_TIMES)
