"""Ways to take one decision with GPT-2: choose among candidates after a view, then write a text.

The rivals are what people write with transformers, from the plainest to a competent loop that keeps
its keys and values; `Ours` is the engine's own model. All work on the same weights and ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen

from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.gpt2_model import Gpt2Model, loaded
from aegis_gpt2_lora.sampling import sampled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.language_model import Prefix


@frozen
class Decision:
    """What is decided: ids of a view, of its candidates, and of the action before its slot.

    Attributes:
        view: Its ids; the first `static` of them are the same at every decision.
        static: Length of the static prompt.
        candidates: Ids of the candidates, all equally many.
        opening: Ids that stand between the view and the text.
        tokens: How many tokens are written.
    """

    view: tuple[int, ...]
    static: int
    candidates: tuple[tuple[int, ...], ...]
    opening: tuple[int, ...]
    tokens: int

    @classmethod
    def random(cls, vocabulary: int) -> Decision:
        """Return the decision of the table: 256 tokens, 6 candidates of 6, 16 tokens to write."""
        generator = torch.Generator().manual_seed(1)

        def ids(count: int) -> tuple[int, ...]:
            return tuple(torch.randint(0, vocabulary, (count,), generator=generator).tolist())

        return cls(ids(256), 150, tuple(ids(6) for _ in range(6)), ids(2), 16)


def pair(shape: Shape) -> tuple[Any, Gpt2Model]:
    """Return transformers' model and the engine's, with the same random weights."""
    from transformers.models.gpt2.configuration_gpt2 import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=shape.vocab_size,
        n_embd=shape.n_embd,
        n_layer=shape.n_layer,
        n_head=shape.n_head,
        bos_token_id=0,
        eos_token_id=0,
    )
    reference: Any = GPT2LMHeadModel(config)
    reference.eval()
    reference.generation_config.pad_token_id = 0
    reference.generation_config.eos_token_id = None
    with torch.device("meta"):
        module = Gpt2(shape)
    module.load_state_dict(loaded(reference.state_dict().items()), assign=True)
    return reference, Gpt2Model(module.eval())


class Transformers:
    """The rivals.

    Args:
        model: A ``GPT2LMHeadModel``.
        decision: What is decided.
    """

    def __init__(self, model: Any, decision: Decision) -> None:
        self._model = model
        self._decision = decision
        self._view = torch.tensor([decision.view])  # (1, P)
        self._lines = torch.tensor(decision.candidates)  # (C, L)
        self._whole = torch.cat([self._view.expand(len(self._lines), -1), self._lines], 1)
        self._static = self._read(self._view[:, : decision.static], self._empty())[0]
        self._kept: Any = None

    def six_forwards(self) -> torch.Tensor:
        """Return log-probabilities (C, L): a forward pass for each candidate."""
        rows = []
        for i in range(len(self._whole)):
            logits = self._model(self._whole[i : i + 1], use_cache=False).logits
            rows.append(self._of_lines(logits[:, len(self._decision.view) - 1 : -1], i, i + 1))
        return torch.cat(rows)

    def batch(self) -> torch.Tensor:
        """Return log-probabilities (C, L): one batch of all candidates."""
        mask = torch.ones_like(self._whole)
        logits = self._model(self._whole, attention_mask=mask, use_cache=False).logits
        return self._of_lines(logits[:, len(self._decision.view) - 1 : -1])

    def batch_keeping_few_logits(self) -> torch.Tensor:
        """Return log-probabilities (C, L): one batch, the head at the last positions alone."""
        mask = torch.ones_like(self._whole)
        keep = self._lines.shape[1] + 1
        logits = self._model(
            self._whole, attention_mask=mask, use_cache=False, logits_to_keep=keep
        ).logits
        return self._of_lines(logits[:, :-1])

    def cache(self) -> torch.Tensor:
        """Return log-probabilities (C, L): the view read once, its cache repeated."""
        return self._choose(self._empty(), self._view)

    def static_cache(self) -> torch.Tensor:
        """Return log-probabilities (C, L): as `cache`, the static prompt read before."""
        return self._choose(self._copied(self._static), self._view[:, self._decision.static :])

    def generate(self) -> list[int]:
        """Return what `generate` writes greedily, its own reading included."""
        ids = torch.cat([self._view, torch.tensor([self._decision.opening])], 1)
        new = self._decision.tokens
        out = self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new,
            min_new_tokens=new,
            do_sample=False,
        )
        written: list[int] = out[0, -new:].tolist()
        return written

    def loop(self) -> list[int]:
        """Return what a loop writes greedily over the cache that choosing left behind."""
        cache, given = self._kept, torch.tensor([self._decision.opening])
        written: list[int] = []
        while len(written) < self._decision.tokens:
            cache, logits = self._read(given, cache)
            given = logits.argmax(-1, keepdim=True)
            written.append(int(given))
        cache.crop(-self._decision.tokens - len(self._decision.opening) + 1)
        return written

    def naive_decision(self) -> None:
        """Choose by a forward pass for each candidate, then `generate`."""
        self.six_forwards()
        self.generate()

    def competent_decision(self) -> None:
        """Choose with the static prompt's cache, then write over what that left behind."""
        self.static_cache()
        self.loop()

    def _choose(self, cache: Any, ids: torch.Tensor) -> torch.Tensor:
        self._kept, last = self._read(ids, cache)
        several = self._copied(self._kept)
        several.batch_repeat_interleave(len(self._lines))
        given = self._lines[:, :-1]
        rest = self._model(given, past_key_values=several, use_cache=True).logits
        return self._of_lines(torch.cat([last[:, None].expand(len(rest), 1, -1), rest], 1))

    def _of_lines(
        self, logits: torch.Tensor, start: int = 0, stop: int | None = None
    ) -> torch.Tensor:
        targets = self._lines[start:stop, :, None]
        return torch.log_softmax(logits, -1).gather(-1, targets)[..., 0]

    def _read(self, ids: torch.Tensor, cache: Any) -> tuple[Any, torch.Tensor]:
        out = self._model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return cache, out.logits[:, -1]

    def _empty(self) -> Any:
        from transformers.cache_utils import DynamicCache

        return DynamicCache(config=self._model.config)

    def _copied(self, cache: Any) -> Any:
        copy = self._empty()
        for number, layer in enumerate(cache.layers):
            copy.update(layer.keys, layer.values, number)
        return copy


class Ours:
    """The engine's model.

    Args:
        model: With the rivals' weights.
        decision: What is decided.
    """

    def __init__(self, model: Gpt2Model, decision: Decision) -> None:
        self._model = model
        self._decision = decision
        self._allowed = torch.ones(model.module.shape.vocab_size, dtype=torch.bool)
        self._generator = torch.Generator().manual_seed(0)
        self._static: Prefix | None = None
        self._kept: Prefix | None = None

    def choose(self) -> torch.Tensor:
        """Return log-probabilities (C, L) without a static prompt."""
        self._static = None  # its memory is written over
        self._kept, rows = self._model.consider(self._decision.view, self._decision.candidates)
        return torch.stack(rows)

    def choose_static(self) -> torch.Tensor:
        """Return log-probabilities (C, L), the static prompt read before."""
        rest = self._decision.view[self._decision.static :]
        static = self.read_static()
        self._kept, rows = self._model.consider(rest, self._decision.candidates, static)
        return torch.stack(rows)

    def read_static(self) -> Prefix:
        """Return the static prompt, read where it is not."""
        if self._static is None:
            self._static = self._model.read(self._decision.view[: self._decision.static])
        return self._static

    def write(self) -> list[int]:
        """Return what is sampled over what choosing left behind."""
        prefix = self._model.read(self._decision.opening, self._kept)
        written: list[int] = []
        while True:
            token, _ = sampled(prefix.logits, self._allowed, 0.7, self._generator)
            written.append(token)
            if len(written) == self._decision.tokens:
                return written
            prefix = self._model.read([token], prefix)

    def greedy(self) -> list[int]:
        """Return what is written greedily, to compare."""
        prefix = self._model.read(self._decision.opening, self._kept)
        written = [int(prefix.logits.argmax())]
        while len(written) < self._decision.tokens:
            prefix = self._model.read(written[-1:], prefix)
            written.append(int(prefix.logits.argmax()))
        return written

    def decide(self) -> None:
        """Choose with the static prompt, then write."""
        self.choose_static()
        self.write()

    def read_view(self) -> None:
        """Read the whole view and nothing else."""
        self._static = None
        self._kept = self._model.read(self._decision.view)

    def batch(self, views: Sequence[int]) -> None:
        """Score the decision for several views of these lengths at once."""
        self._static = None
        items = [(self._decision.view[:length], self._decision.candidates) for length in views]
        self._model.batch(items)

    def one_by_one(self, views: Sequence[int]) -> None:
        """Score the decision for several views of these lengths one after the other."""
        self._static = None
        for length in views:
            self._model.consider(self._decision.view[:length], self._decision.candidates)
