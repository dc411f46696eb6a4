"""The model card of the mini model."""

# ruff: noqa: INP001 - a script beside its neighbours, no package

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@frozen
class Figures:
    """What was measured while training.

    Attributes:
        losses: (step, mean training loss since the point before).
        parameters: Number of weights.
        seconds: Wall time of the whole script.
        cpu_seconds: CPU time of all its threads.
        notes: (slug, sha256 of the file) of every note read.
        held_notes: Slugs of notes that were not trained on.
        stream: sha256 of all training rows' ids, in order.
        views: Number of practice views.
        tokens: Tokens computed in training, at most; padding and repetitions included.
        characters_per_token: Of a rendered view, at the low end.
        perplexity: Held-out perplexity by kind of text and model.
        machine: Where.
    """

    losses: Sequence[tuple[int, float]]
    parameters: int
    seconds: float
    cpu_seconds: float
    notes: Sequence[tuple[str, str]]
    held_notes: Sequence[str]
    stream: str
    views: int
    tokens: int
    characters_per_token: float
    perplexity: Mapping[str, Mapping[str, float]]
    machine: str


def card(recipe: Mapping[str, Any], figures: Figures, weights: str) -> str:
    """Return the card in Markdown."""
    return _TEMPLATE.format(
        parameters=figures.parameters,
        shape=", ".join(
            f"{key} {value}" for key, value in recipe["shape"].items() if value is not None
        ),
        recipe="\n".join(f"| {k} | {v} |" for k, v in recipe.items() if k != "shape"),
        minutes=figures.seconds / 60,
        cpu=figures.cpu_seconds / 60,
        machine=figures.machine,
        views=figures.views,
        used=len(figures.notes) - len(figures.held_notes),
        held=len(figures.held_notes),
        held_notes=", ".join(figures.held_notes),
        tokens=figures.tokens / 1e6,
        stream=figures.stream,
        weights=weights,
        perplexity="\n".join(_row(kind, values) for kind, values in figures.perplexity.items()),
        losses=" ".join(f"{step}:{loss:.2f}" for step, loss in figures.losses),
        flag=" --length-neutral" if recipe["length_neutral"] else "",
        draw=_LENGTH_NEUTRAL if recipe["length_neutral"] else _UNIFORM,
        characters=figures.characters_per_token,
        notes="\n".join(f"{digest}  {slug}.md" for slug, digest in figures.notes),
    )


def _row(kind: str, values: Mapping[str, float]) -> str:
    return f"| {kind} | {values['mini']:.1f} | {values['bigram']:.1f} | {values['unigram']:.1f} |"


_UNIFORM = """\
- It was shown no policy. What followed a view in training was drawn uniformly from the legal
  candidates, so before any fine-tuning its choices show the form of the text (which words come
  again, how long a candidate is) and no skill. Compare it with the profile `random`.\
"""

_LENGTH_NEUTRAL = """\
- It was shown no policy. What followed a view in training was drawn from the legal candidates by
  their length alone: a candidate of L tokens with probability exp(-k L), which gives all of them
  the same log-probability per token. After a uniform draw the mean per token, by which it decides,
  would make short candidates such as `finish` improbable. So before any fine-tuning its choices
  show the form of the text and no skill. Compare it with the profile `random`.\
"""

_TEMPLATE = """# Model card: builtin:mini

A GPT-2 with {parameters:,} weights, stored in float16, computed in float32, with a byte-level BPE
of its own. It exists so that an agent decides, writes and learns at once, without a download.

Shape: {shape}.

## What it is not

- It is **not** OpenAI's GPT-2 and shares no weight with it. It knows a few hundred short notes on
  machine learning and nothing else of the world.
- Its text is fluent at the length of a phrase and often means nothing.
{draw}
- English only.

## Text

Only text of this repository: {used} notes of the sample library, and {views:,} rendered views from
episodes of `research-gym` played by a uniformly random policy over those notes, each with
one candidate; every second episode in the words of the agent's own tools.

No test topic of the gym (sha256 of its id is 0 modulo 5) is in it: not its note, and no title,
sentence or view that names it. {held} further notes were held out to
measure on: {held_notes}.

## Training

`python plugins/aegis-gpt2-lora/scripts/train_mini.py{flag}`: {cpu:.1f} minutes of CPU
time, {minutes:.1f} of wall time beside other work, on {machine};
at most {tokens:.1f} million tokens, padding and repetitions included.

| setting | value |
|---|---|
{recipe}

With the same notes, gym, seed, number of threads and machine the weights come out byte by byte the
same; another machine or number of threads rounds differently. The digest below covers everything
that was trained on, so a changed note or a changed gym shows in it.

Training loss (step:loss): {losses}

## Held-out perplexity per token

| text | mini | bigram counts | unigram counts |
|---|---|---|---|
{perplexity}

`candidates` counts the tokens of the candidate alone, after its view. The chance of the
draw is part of it and cannot be learned. A token holds at least {characters} characters
of a view (one view in a hundred has fewer).

## Digests (sha256)

- model.safetensors `{weights}`
- all training rows in order, as JSON of token ids `{stream}`

The notes, as files:

```
{notes}
```
"""
