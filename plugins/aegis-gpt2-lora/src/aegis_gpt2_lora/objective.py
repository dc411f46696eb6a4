"""The loss that is trained: of choices under the configured score, and of written text.

Both are what the engine serves, with a graph: the choice's is ``log_probabilities`` at the chosen
candidate, a slot's text is ``text_log_probabilities`` for each of its tokens.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

from aegis.neural import Losses, masked_log_softmax, sequence_scores, token_log_probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aegis.neural import Reduction
    from aegis_gpt2_lora.engine import GptEngine
    from aegis_gpt2_lora.examples import Example, Text
    from aegis_gpt2_lora.packed_model import States
    from aegis_gpt2_lora.packing import Tree
    from aegis_gpt2_lora.trainer_settings import AnySettings


class TreeModel(Protocol):
    """Computes prompts with continuations; one for every family of models."""

    def states(self, trees: Sequence[Tree], *, training: bool) -> States:
        """Return what predicts the tokens of the branches, with a graph.

        Args:
            trees: Prompts and what may follow them.
            training: Whether something is left out at random.
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

    def trained(
        self, examples: Sequence[Example], settings: AnySettings, *, training: bool
    ) -> Losses:
        """Return what a training run asks for, (B,) each, with a graph.

        The total is `choice_loss` times the choice's and `text_loss` times the text's, each 0
        where an example has no such part.
        """
        found = self.losses(examples, training=training)
        total = settings.choice_loss * found.choice + settings.text_loss * found.text
        without_choice = _flags([example.choice is None for example in examples], total)
        without_text = _flags([example.text is None for example in examples], total)
        parts = {
            "choice_loss": found.choice.detach().masked_fill(without_choice, math.nan),
            "text_loss": found.text.detach().masked_fill(without_text, math.nan),
            "accuracy": found.right.detach().masked_fill(without_choice, math.nan),
        }
        return Losses(total, parts)

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
        choice, right = self._choices(examples, [choosing for choosing, _ in places], plain)
        text = [
            (number, self._text_loss(example.text, states, plain, writing))
            for number, (example, (_, writing)) in enumerate(zip(examples, places, strict=True))
            if example.text is not None and writing is not None
        ]
        return Parts(choice, _scattered(text, choice), right)

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

    def _choices(
        self, examples: Sequence[Example], places: Sequence[slice | None], plain: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses (B,) of the choices and whether they are right, 0 where there is none.

        Args:
            examples: B of them.
            places: Where the tokens of their choices are.
            plain: Log-probabilities of all tokens, (M,).
        """
        device, zeros = plain.device, plain.new_zeros(len(examples))
        choices = [example.choice for example in examples if example.choice is not None]
        if not choices:
            return zeros, zeros
        lengths = [[len(branch) for branch in choice.tree.branches] for choice in choices]
        mask = _first([length for each in lengths for length in each], device)  # (N, L)
        if len(choices) < len(examples) or sum(map(sum, lengths)) < len(plain):
            plain = torch.cat([plain[span] for span in places if span is not None])
        values = plain.new_zeros(mask.shape).masked_scatter(mask, plain)
        scores = sequence_scores(values, mask, self._reduction)  # (N,)
        offered = _first([len(each) for each in lengths], device)  # (choices, C)
        rows = masked_log_softmax(
            scores.new_zeros(offered.shape).masked_scatter(offered, scores), offered
        )
        chosen = torch.tensor([choice.chosen for choice in choices], device=device)
        losses = -rows.gather(1, chosen[:, None])[:, 0]
        right = (rows.argmax(-1) == chosen).to(plain.dtype)
        if len(choices) == len(examples):
            return losses, right
        where = torch.tensor([number for number, span in enumerate(places) if span], device=device)
        return zeros.index_put((where,), losses), zeros.index_put((where,), right)

    def _text_loss(
        self, text: Text, states: States, plain: torch.Tensor, span: slice
    ) -> torch.Tensor:
        """Return the loss of a text, ()."""
        each = self._text(text, states, span) if text.constrained else plain[span]
        return -each.mean()

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


def _first(counts: Sequence[int], device: torch.device) -> torch.Tensor:
    """Return a mask (N, largest) that is true at the first so many places of each row."""
    ends = torch.tensor(counts, device=device)
    return torch.arange(max(counts), device=device) < ends[:, None]


def _scattered(values: Sequence[tuple[int, torch.Tensor]], like: torch.Tensor) -> torch.Tensor:
    """Return single values at their places, 0 elsewhere, in the shape of `like` (B,)."""
    zeros = torch.zeros_like(like)
    if not values:
        return zeros
    places = torch.tensor([place for place, _ in values], device=like.device)
    return zeros.index_put((places,), torch.stack([value for _, value in values]))


def _flags(values: Sequence[bool], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.bool, device=like.device)
