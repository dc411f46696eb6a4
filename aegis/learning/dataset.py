"""Steps with what they led to, as a trainer gets them, and as a file between two processes.

The file is JSON lines: a header with the returns and the advantages, each step as an export has
it (`aegis.learning.exchange_jsonl`), and the digest of everything before it.

    {"aegis": "dataset", "version": 1, "returns": [4.0, 3.0], "advantages": [0.5, -0.5]}
    {"step": 1, ...}
    {"step": 2, ...}
    {"digest": "0c4f..."}
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import evolve, field, frozen

from aegis.errors import InputError
from aegis.learning import exchange_jsonl
from aegis.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from aegis.contracts.action import Action
    from aegis.contracts.experience import Experience
    from aegis.learning.exchange_jsonl import Line

_VERSION: Final = 1


def _same_length(dataset: Dataset, _: object, values: tuple[float, ...]) -> None:
    if len(values) != len(dataset.experiences):
        raise ValueError(f"{len(values)} values for {len(dataset.experiences)} steps")


@frozen
class Dataset:
    """Steps in a fixed order (an `aegis.ExperienceDataset`).

    Attributes:
        experiences: The steps, (n,).
        returns: Return-to-go of each, (n,).
        advantages: How much better than usual each went, (n,).
    """

    experiences: tuple[Experience, ...] = ()
    returns: tuple[float, ...] = field(default=(), validator=_same_length)
    advantages: tuple[float, ...] = field(default=(), validator=_same_length)

    def __len__(self) -> int:
        return len(self.experiences)

    def __getitem__(self, index: int) -> Experience:
        return self.experiences[index]

    def __iter__(self) -> Iterator[Experience]:
        return iter(self.experiences)

    @cached_property
    def digest(self) -> str:
        """The sha256 of steps, returns and advantages in their order, in hexadecimal."""
        total = hashlib.sha256()
        for line in self._lines():
            total.update(line)
        return total.hexdigest()

    def write(self, file: Path) -> None:
        """Write everything to a file, which appears whole or not at all.

        Raises:
            InputError: ``unwritable``.
        """
        try:
            with whole_file(file) as stream:
                total = hashlib.sha256()
                for line in self._lines():
                    total.update(line)
                    stream.write(line)
                stream.write(_dumped({"digest": total.hexdigest()}))
        except OSError as error:
            raise InputError.of(
                "unwritable",
                f"the dataset cannot be written: {error.strerror}",
                where=str(file),
                fix="free some space, or name a folder that may be written",
            ) from error

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return what `write` wrote, compared with its digest.

        Raises:
            InputError: ``dataset-damaged`` if it is not what was written, or cannot be read.
        """
        try:
            header, steps = _verified(file.read_bytes())
            return cls(
                tuple(_sharing(exchange_jsonl.parse(step.decode("ascii")) for step in steps)),
                tuple(header["returns"]),
                tuple(header["advantages"]),
            )
        except OSError as error:
            raise _damaged(file, f"it cannot be read: {error.strerror}") from error
        except (ValueError, LookupError, TypeError, InputError) as error:
            raise _damaged(file, str(error)) from error

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines that the digest covers."""
        described = {"aegis": "dataset", "version": _VERSION}
        numbers = {"returns": self.returns, "advantages": self.advantages}
        yield _dumped(described | numbers)
        for experience in self.experiences:
            yield exchange_jsonl.line(experience, "", None, None).encode("ascii") + b"\n"


def _dumped(values: dict[str, Any]) -> bytes:
    return json.dumps(values, allow_nan=False).encode("ascii") + b"\n"


def _verified(content: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Return the header and the lines of the steps.

    Raises:
        ValueError: If the content has another digest than it says, or is of another version.
    """
    first, *steps, last = content.splitlines(keepends=True)
    total = hashlib.sha256()
    for line in (first, *steps):
        total.update(line)
    if json.loads(last) != {"digest": total.hexdigest()}:
        raise ValueError("its digest is another")
    header = json.loads(first)
    if (header["aegis"], header["version"]) != ("dataset", _VERSION):
        raise ValueError(f"not a dataset of version {_VERSION}")
    return header, steps


def _sharing(lines: Iterable[Line]) -> Iterator[Experience]:
    """Yield the steps with one object for equal candidates: most are offered many times over."""
    known: dict[Any, Action] = {}

    def shared(action: Action) -> Action:
        arguments, signals = str(action.arguments), str(action.signals)
        key = action.tool, arguments, action.slot, action.about, signals
        return known.setdefault(key, action)

    for line in lines:
        decision = line.experience.decision
        candidates = tuple(shared(action) for action in decision.candidates)
        yield evolve(line.experience, decision=evolve(decision, candidates=candidates))


def _damaged(file: Path, why: str) -> InputError:
    return InputError.of(
        "dataset-damaged",
        f"the dataset is not what was written: {why}",
        where=str(file),
        fix="start the training again: aegis train selects the data anew",
    )
