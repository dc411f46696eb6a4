"""Making a tokenizer from a person's own experience: gather, train, measure, write."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis import InputError, ModelError
from aegis.neural import save_bytes
from aegis_hrm.tokenizer import open_tokenizer
from aegis_hrm.tokenizer_form import SMALLEST
from aegis_hrm.tokenizer_gathering import ENOUGH, Gathered, shipped_texts
from aegis_hrm.tokenizer_measured import density, low_end, save_measured
from aegis_hrm.tokenizer_settings import DEFAULT_SIZE
from aegis_hrm.tokenizer_training import train

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from aegis_hrm.tokenizer_texts import Choice

LARGEST: Final = 65_536
"""Entries of a tokenizer at most."""


@frozen
class Made:
    """A tokenizer that was made.

    Attributes:
        entries: Entries in all.
        fingerprint: Of its ids and the layout.
        views: Different views that there were.
        goals: Different goals that there were.
        shipped: Whether the texts that come with Aegis were trained on too.
        held_out: Views of other goals that it was measured on.
        before: Characters a token on these views and their candidates with the tokenizer that is
            in force; None where that cannot be opened.
        after: The same with this one.
    """

    entries: int
    fingerprint: str
    views: int
    goals: int
    shipped: bool
    held_out: int
    before: float | None
    after: float


def check_size(size: int) -> None:
    """Refuse a size that no tokenizer can have.

    Raises:
        InputError: ``tokenizer-size``.
    """
    if not SMALLEST <= size <= LARGEST:
        raise InputError.of(
            "tokenizer-size",
            f"a tokenizer of {size} entries cannot be made: special tokens and bytes alone are "
            f"{SMALLEST}, and {LARGEST} is the most",
            where="--size",
            fix=f"choose {SMALLEST} to {LARGEST}; the one that comes with Aegis has {DEFAULT_SIZE}",
        )


def make(choices: Iterable[Choice], size: int, path: Path, in_force: Path) -> Made:
    """Train a tokenizer, write it with what was measured of it, and return what it is.

    Args:
        choices: What the person's agent was shown.
        size: Entries in all, at most.
        path: File to write; its folder is made.
        in_force: File of the tokenizer to compare with.

    Raises:
        InputError: ``tokenizer-views`` if there is too little to train on,
            ``tokenizer-unwritable`` if the file cannot be written.
    """
    gathered = Gathered.of(choices)
    gathered.check()
    shipped = gathered.views < ENOUGH
    before = _before(in_force, gathered.held_out)
    texts = _beside_shipped(gathered) if shipped else gathered.training_texts
    write(train(texts, size), path, gathered)
    tokenizer = open_tokenizer(path)
    said = tokenizer.capabilities
    assert said.vocab_size is not None
    assert said.fingerprint is not None
    return Made(
        entries=said.vocab_size,
        fingerprint=said.fingerprint,
        views=gathered.views,
        goals=gathered.goals,
        shipped=shipped,
        held_out=len(gathered.held_out),
        before=before,
        after=density(tokenizer, gathered.held_out),
    )


def write(data: bytes, path: Path, gathered: Gathered) -> None:
    """Write a tokenizer.json, and beside it what is measured on the held-out views.

    Raises:
        InputError: ``tokenizer-unwritable``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_bytes(path, data)
        tokenizer = open_tokenizer(path)
        views = gathered.held_out_views
        assert tokenizer.capabilities.fingerprint is not None
        figure = low_end(tokenizer, views)
        save_measured(path, tokenizer.capabilities.fingerprint, figure, len(views))
    except OSError as error:
        raise InputError.of(
            "tokenizer-unwritable",
            f"cannot write {path}: {error.strerror}",
            where=str(path),
            fix="name another file: --output FILE",
        ) from error


def _beside_shipped(gathered: Gathered) -> Iterator[str]:
    """Yield the texts with those that come with Aegis, so often that both weigh about the same."""
    shipped = list(shipped_texts())
    own = sum(len(text) * count for text, count in gathered.texts.items())
    times = max(1, round(sum(map(len, shipped)) / own))
    return chain(shipped, *(gathered.training_texts for _ in range(times)))


def _before(path: Path, choices: Iterable[Choice]) -> float | None:
    try:
        return density(open_tokenizer(path), choices)
    except ModelError:
        return None
