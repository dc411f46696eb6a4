"""How often free generation names no legal candidate, which choosing among candidates rules out.

    python benchmarks/invalid_rate.py                        # builtin:mini, 400 views
    python benchmarks/invalid_rate.py --model gpt2 --views 50

The views are those of uniformly random episodes of research-gym's practice split over the sample
library. After each the model writes one line freely, at temperature 1 and greedily; the line is
``exact`` where it is a candidate's text, ``same call`` where it is one up to the signals.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from measuring.practice import decisions

from aegis.contracts.component import Runtime
from aegis.neural import FileTokenizer, use_threads
from aegis_gpt2_lora.building import build_engine
from aegis_gpt2_lora.encoding import Encoding
from aegis_gpt2_lora.gpt2_model import Gpt2Model
from aegis_gpt2_lora.models import open_model
from aegis_gpt2_lora.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.contracts.action import Action
    from aegis.contracts.view import View

LONGEST: Final = 64  # tokens of a line; the longest candidate of these views has about 30


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="builtin:mini")
    parser.add_argument("--views", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    use_threads(given.threads)
    shown = list(itertools.islice(decisions(), 0, 4 * given.views, 4))
    write = Writer(given.model)
    generator = torch.Generator().manual_seed(0)
    mean = sum(len(candidates) for _, candidates in shown) / len(shown)
    print(f"{given.model}, {len(shown)} views of {mean:.1f} candidates")
    for name, temperature in (("temperature 1", 1.0), ("greedy", 0.0)):
        lines = [write.line(view, temperature, generator) for view, _ in shown]
        exact = sum(line in texts(c) for line, (_, c) in zip(lines, shown, strict=True))
        same = sum(call(line) in calls(c) for line, (_, c) in zip(lines, shown, strict=True))
        report(name, exact, same, len(shown))
    chosen = chosen_legal(given.model, shown)
    report("choosing among candidates", chosen, chosen, len(shown))


class Writer:
    """Writes one line after a view, with nothing in its way.

    Args:
        model: A GPT-2 by the name or folder that ``[engine.gpt2].model`` takes.
    """

    def __init__(self, model: str) -> None:
        folder = open_model(model)
        opened = Gpt2Model.open(folder, torch.device("cpu"))
        if opened is None:
            raise SystemExit(f"{model} is no GPT-2")
        self._model = opened
        self._tokenizer = FileTokenizer(folder.tokenizer)
        self._encoding = Encoding(self._tokenizer, folder.context_length or 1024)

    @torch.inference_mode()
    def line(self, view: View, temperature: float, generator: torch.Generator) -> str:
        """Return the line, greedily where the temperature is 0."""
        prefix = self._model.read(self._encoding.prompt(view).ids)
        ids: list[int] = []
        while len(ids) < LONGEST:
            if temperature > 0:
                shares = (prefix.logits / temperature).softmax(-1)
                token = int(torch.multinomial(shares, 1, generator=generator))
            else:
                token = int(prefix.logits.argmax())
            if token == self._encoding.end:
                break
            ids.append(token)
            prefix = self._model.read([token], prefix)
        return self._tokenizer.decode(ids).strip()


def texts(candidates: Sequence[Action]) -> set[str]:
    """Return the texts of candidates."""
    return {action.render() for action in candidates}


def calls(candidates: Sequence[Action]) -> set[str]:
    """Return the texts of candidates without their signals."""
    return {call(action.render()) for action in candidates}


def call(line: str) -> str:
    """Return a line up to its first signal."""
    return " ".join(itertools.takewhile(lambda word: "=" not in word, line.split()))


def chosen_legal(model: str, shown: Sequence[tuple[View, Sequence[Action]]]) -> int:
    """Return for how many views the engine's choice is one of the candidates."""
    engine = build_engine(EngineSettings(model=model), {}, Runtime(Path(), Path(), threads=1))
    scores = (engine.score(view, candidates) for view, candidates in shown)
    return sum(
        candidates[int(score.argmax())] in candidates and len(score) == len(candidates)
        for score, (_, candidates) in zip(scores, shown, strict=True)
    )


def report(name: str, exact: int, same: int, count: int) -> None:
    """Print one row."""
    invalid, other = 1 - exact / count, 1 - same / count
    print(f"{name:<26} invalid: exact text {invalid:6.1%}   same call {other:6.1%}")


if __name__ == "__main__":
    main()
