"""The old system's engine, with its 1,000 embedding rows, as a plugin of one file.

The model behind the rows is reduced to their mean: what matters here is that an id is an index.
``build`` and ``score`` work, and an id of 1000 or more fails as it did then.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

import aegis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

plugin_api = 1

MERGES = Path(__file__).with_name("hrm-bpe.json")
"""Pairs of ids that become one, in the order learnt; id 256 is the first pair's."""


@frozen
class HrmConfig:
    """Settings of the engine ``hrm``."""

    embedding_rows: int = aegis.setting(1000, ge=1, help="Rows of the token embedding.")
    width: int = aegis.setting(32, ge=1, le=1024, help="Numbers in a row.")


@frozen
class HrmEngine:
    """Prefers candidates whose mean embedding points where the view's does."""

    table: npt.NDArray[np.float64]  # (rows, width)
    tokenizer: Any
    capabilities: aegis.EngineCapabilities

    def score(
        self, view: aegis.View, candidates: Sequence[aegis.Action]
    ) -> npt.NDArray[np.float64]:
        """Return log-probabilities, shape (n,).

        Raises:
            IndexError: If the tokenizer emits an id that has no row.
        """
        import numpy as np

        goal = self._mean(view.render())
        logits = np.array([self._mean(action.render()) @ goal for action in candidates])
        scores: npt.NDArray[np.float64] = logits - np.logaddexp.reduce(logits)
        return scores

    def score_batch(
        self, items: Sequence[tuple[aegis.View, Sequence[aegis.Action]]]
    ) -> list[npt.NDArray[np.float64]]:
        """Return what `score` returns for each item."""
        return [self.score(view, candidates) for view, candidates in items]

    def save(self, directory: Path) -> None:
        """Write the table and the tokenizer."""
        (directory / "table.json").write_text(json.dumps(self.table.tolist()), "utf-8")
        self.tokenizer.save(directory)

    def close(self) -> None:
        """Hold nothing."""

    def _mean(self, text: str) -> npt.NDArray[np.float64]:
        mean: npt.NDArray[np.float64] = self.table[self.tokenizer.encode(text)].mean(axis=0)
        return mean  # (width,)


@frozen
class HrmBpe:
    """Byte pair encoding with 1,000 ids: 256 bytes and the pairs of ``hrm-bpe.json``."""

    capabilities: aegis.TokenizerCapabilities
    merges: Mapping[tuple[int, int], int] = field(repr=False)

    def encode(self, text: str) -> list[int]:
        """Return ids, joining pairs in the order in which they were learnt."""
        ids = list(text.encode("utf-8", "replace"))
        while pairs := self.merges.keys() & set(itertools.pairwise(ids)):
            ids = _joined(ids, min(pairs, key=self.merges.__getitem__), self.merges)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of `ids`."""
        pair_of = {new: pair for pair, new in self.merges.items()}
        ids = list(ids)
        while any(one >= 256 for one in ids):
            ids = [part for one in ids for part in pair_of.get(one, (one,))]
        return bytes(ids).decode("utf-8", "replace")

    def save(self, directory: Path) -> None:
        """Copy the file of pairs."""
        (directory / MERGES.name).write_bytes(MERGES.read_bytes())


def _joined(
    ids: list[int], pair: tuple[int, int], merges: Mapping[tuple[int, int], int]
) -> list[int]:
    joined: list[int] = []
    for one in ids:
        if joined and (joined[-1], one) == pair:
            joined[-1] = merges[pair]
        else:
            joined.append(one)
    return joined


def _describe_engine(config: HrmConfig) -> aegis.EngineCapabilities:
    return aegis.EngineCapabilities(
        kind="hrm",
        embedding_rows=config.embedding_rows,
        parameters=config.embedding_rows * config.width,
    )


def _build_engine(config: HrmConfig, parts: Mapping[str, Any], runtime: aegis.Runtime) -> HrmEngine:
    import numpy as np

    table = np.random.default_rng(runtime.seed).normal(size=(config.embedding_rows, config.width))
    return HrmEngine(table, parts["tokenizer"], _describe_engine(config))


def _describe_bpe(_: None) -> aegis.TokenizerCapabilities:
    merges = json.loads(MERGES.read_text("utf-8"))
    return aegis.TokenizerCapabilities(
        max_token_id=255 + len(merges),
        fingerprint=hashlib.sha256(MERGES.read_bytes()).hexdigest(),
        vocab_size=256 + len(merges),
    )


def _build_bpe(_: None, __: Mapping[str, Any], ___: aegis.Runtime) -> HrmBpe:
    merges = json.loads(MERGES.read_text("utf-8"))
    ranked = {(left, right): 256 + rank for rank, (left, right) in enumerate(merges)}
    return HrmBpe(_describe_bpe(None), ranked)


@aegis.hookimpl
def aegis_engines() -> Iterable[aegis.Component]:
    """Return the engine ``hrm``."""
    return [
        aegis.Component(
            kind="engine",
            name="hrm",
            summary="The old system's engine: 1,000 embedding rows.",
            config=HrmConfig,
            parts={"tokenizer": aegis.Part("tokenizer", default="hrm-bpe")},
            describe=_describe_engine,
            build=_build_engine,
        )
    ]


@aegis.hookimpl
def aegis_tokenizers() -> Iterable[aegis.Component]:
    """Return the tokenizer ``hrm-bpe``."""
    return [
        aegis.Component(
            kind="tokenizer",
            name="hrm-bpe",
            summary="The engine's own tokenizer: 1,000 ids.",
            describe=_describe_bpe,
            build=_build_bpe,
        )
    ]
