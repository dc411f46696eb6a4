"""The loss that is trained: of choices under the configured score, and of written text.

Both are what the engine serves, with a graph: the choice's is ``log_probabilities`` at the chosen
candidate, a slot's text is ``text_log_probabilities`` for each of its tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch.nn.utils.rnn import pad_sequence

from aegis.neural.scoring import sequence_scores, token_log_probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aegis.neural.scoring import Reduction
    from aegis_gpt2_lora.engine import GptEngine
    from aegis_gpt2_lora.examples import Choice, Example, Text
    from aegis_gpt2_lora.packed_model import States
    from aegis_gpt2_lora.packing import Tree


class TreeModel(Protocol):
    """Computes prompts with continuations; one for every family of models."""

    def states(self, trees: Sequence[Tree], *, training: bool) -> States:
        """Return what predicts the tokens of the branches, with a graph.

        Args:
            trees: Prompts and what may follow them.
            training: Whether adapters drop inputs.
        """
        ...

    def target_log_probabilities(self, states: States) -> torch.Tensor:
        """Return the log-probability of each predicted token, (M,)."""
        ...


class Parts(NamedTuple):
    """Losses by example, (B,), without their weights; 0 where an example has no such part.

    Attributes:
        choice: -log-probability of the chosen candidate.
        text: -log-probability of the text, mean per token.
        right: 1 where the chosen candidate is the most probable one.
    """

    choice: torch.Tensor
    text: torch.Tensor
    right: torch.Tensor


class Objective:
    """Losses of examples.

    Args:
        engine: Whose score, temperature and constraints are trained.
        model: Computes the states of the engine's module.
        head: Returns the logits (N, V) of hidden states (N, D) that `model` computed.
    """

    def __init__(
        self,
        engine: GptEngine,
        model: TreeModel,
        head: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        self._engine = engine
        self._model = model
        self._head = head
        self._reduction: Reduction = "sum" if engine.settings.score == "sum" else "mean"

    def losses(self, examples: Sequence[Example], *, training: bool) -> Parts:
        """Return the losses of examples, (B,) each, with a graph."""
        trees = [tree for example in examples for tree in example.trees]
        states = self._model.states(trees, training=training)
        spans = iter(_spans(trees))
        places = [
            (next(spans) if example.choice else None, next(spans) if example.text else None)
            for example in examples
        ]
        written = [
            span
            for example, (_, span) in zip(examples, places, strict=True)
            if span is not None and example.text is not None and example.text.constrained
        ]
        plain = self._plain(states, written)  # (M,)
        zero = states.hidden.new_zeros(())
        rows = []
        for example, (choosing, writing) in zip(examples, places, strict=True):
            choice = text = right = zero
            if example.choice is not None and choosing is not None:
                choice, right = self._choice(example.choice, plain[choosing])
            if example.text is not None and writing is not None:
                constrained = example.text.constrained
                text = self._text(example.text, states, writing) if constrained else plain[writing]
                text = -text.mean()
            rows.append((choice, text, right))
        choices, texts, rights = (torch.stack(column) for column in zip(*rows, strict=True))
        return Parts(choices, texts, rights)

    def _plain(self, states: States, written: Sequence[slice]) -> torch.Tensor:
        """Return log-probabilities (M,) of all tokens but those that are written, which have 0."""
        if not written:
            return self._model.target_log_probabilities(states)
        wanted = torch.ones_like(states.targets, dtype=torch.bool)
        for span in written:
            wanted[span] = False
        values = states.hidden.new_zeros(len(states.targets))
        if not wanted.any():
            return values
        some = states._replace(rows=states.rows[wanted], targets=states.targets[wanted])
        return values.masked_scatter(wanted, self._model.target_log_probabilities(some))

    def _choice(self, choice: Choice, each: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss, (), of a choice and whether it is right, from its tokens' (M,)."""
        lengths = [len(branch) for branch in choice.tree.branches]
        values = pad_sequence(list(torch.split(each, lengths)), batch_first=True)  # (C, L)
        ends = torch.tensor(lengths, device=values.device)
        mask = torch.arange(values.shape[1], device=values.device) < ends[:, None]
        chances = sequence_scores(values, mask, self._reduction).log_softmax(-1)  # (C,)
        right = chances.argmax() == choice.chosen
        return -chances[choice.chosen], right.to(chances.dtype)

    def _text(self, text: Text, states: States, span: slice) -> torch.Tensor:
        """Return log-probabilities (L,) of a text's tokens under temperature and constraints."""
        logits = self._head(states.hidden[states.rows[span]]) / self._engine.settings.temperature
        allowed = self._allowed(text, logits.device)
        return token_log_probabilities(
            logits.masked_fill(~allowed, -torch.inf), states.targets[span]
        )

    def _allowed(self, text: Text, device: torch.device) -> torch.Tensor:
        """Return which ids the engine may write at each place of a text, (L, V).

        A token that is refused there counts as allowed, as in ``text_log_probabilities``.
        """
        (ids,) = text.tree.branches
        so_far, rows = "", []
        for token in ids:
            rows.append(self._engine.line.allowed(so_far))
            so_far += self._engine.line.piece(token)
        allowed = torch.stack(rows)  # a copy: masks are the constraint's own
        allowed[torch.arange(len(ids)), torch.tensor(ids)] = True
        return allowed.to(device)


def _spans(trees: Sequence[Tree]) -> Iterator[slice]:
    """Yield where the tokens of each tree's branches are among all of them."""
    start = 0
    for tree in trees:
        stop = start + sum(len(branch) for branch in tree.branches)
        yield slice(start, stop)
        start = stop
