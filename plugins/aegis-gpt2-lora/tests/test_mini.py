"""The bundled model: its size, its card, and the script that makes it."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import sys
from pathlib import Path

import pytest
import torch

import aegis_gpt2_lora
from aegis.neural import read_header
from aegis_gpt2_lora.gpt2 import Shape
from aegis_gpt2_lora.settings import TokenizerSettings

FOLDER = Path(aegis_gpt2_lora.__file__).parent / "mini"
SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield importlib.import_module("mini_text"), importlib.import_module("train_mini")
    finally:
        sys.path.remove(str(SCRIPTS))


def is_test_topic(slug):
    return int(hashlib.sha256(slug.encode()).hexdigest(), 16) % 5 == 0


def named_in(text, repository):
    return text.test_topics(repository / "data" / "library")


def test_it_is_as_small_as_promised(mini):
    header = read_header(FOLDER / "model.safetensors")

    assert header.parameters == mini.capabilities.parameters <= 3_900_000
    assert {facts.dtype for facts in header.tensors.values()} == {"F16"}
    assert (FOLDER / "model.safetensors").stat().st_size < 8_000_000
    assert {weight.dtype for weight in mini.module.parameters()} == {torch.float32}


def test_its_card_states_the_digests_of_what_it_is(repository):
    card = (FOLDER / "README.md").read_text()
    weights = hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    notes = re.findall(r"^([0-9a-f]{64})  (\S+)\.md$", card, re.MULTILINE)

    assert f"model.safetensors `{weights}`" in card
    assert re.search(r"training rows in order, as JSON of token ids `[0-9a-f]{64}`", card)
    assert "not** OpenAI's GPT-2" in card
    for digest, slug in notes:
        note = repository / "data" / "library" / f"{slug}.md"
        assert hashlib.sha256(note.read_bytes()).hexdigest() == digest


def test_no_test_topic_is_among_its_text(scripts, repository):
    text, _ = scripts
    listed = re.findall(
        r"^[0-9a-f]{64}  (\S+)\.md$", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    library = sorted((repository / "data" / "library").glob("*.md"))
    notes = text.read_notes(repository / "data" / "library", named_in(text, repository))

    assert len(listed) > 150
    assert not [slug for slug in listed if is_test_topic(slug)]
    assert {note.slug for note in notes} == set(listed)
    tests = [f for f in library if is_test_topic(f.stem)]
    titles = {re.search(r"^title: (.*)$", f.read_text(), re.MULTILINE)[1].lower() for f in tests}
    titles |= {f.stem.replace("-", " ") for f in tests}
    whole = " ".join(note.text.lower() for note in notes)
    assert len(tests) > 40
    assert not [t for t in titles if re.search(rf"(?<!\w){re.escape(t)}(?!\w)", whole)]


def test_practice_views_name_no_test_topic_and_take_candidates_evenly(scripts, repository):
    import random
    from collections import Counter

    text, _ = scripts
    named = named_in(text, repository)
    notes = text.read_notes(repository / "data" / "library", named)
    known = {note.title for note in notes}
    steps = list(text.practice(notes, range(12), random.Random(0), named))
    titles = {seen.title for step in steps for seen in (*step.view.found, *step.view.knowledge)}

    assert titles
    assert titles <= known
    assert not [step for step in steps if named.search(step.prompt + step.answer)]
    assert {step.view.goal.removeprefix("Understand ") for step in steps} <= known
    assert Counter(step.action.tool for step in steps).keys() >= {
        "search",
        "read",
        "search_library",
    }


def test_the_same_seed_trains_the_same_weights_and_another_does_not(scripts, repository, tmp_path):
    _, train = scripts
    shape = Shape(vocab_size=400, n_positions=1024, n_embd=16, n_layer=1, n_head=2)
    library = tmp_path / "library"
    library.mkdir()
    for note in sorted((repository / "data" / "library").glob("*.md"))[:130]:
        (library / note.name).write_bytes(note.read_bytes())

    def digest(name, seed):
        recipe = train.Recipe(
            seed=seed, threads=1, steps=4, warm_up=2, episodes=4, held_out_episodes=2, shape=shape
        )
        figures = train.train(recipe, library, tmp_path / name)
        return hashlib.sha256(
            (tmp_path / name / "model.safetensors").read_bytes()
        ).hexdigest(), figures

    before = torch.get_num_threads()
    try:
        first, figures = digest("a", 0)
        assert digest("b", 0)[0] == first
        assert digest("c", 1)[0] != first
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(False)
    assert figures.losses[-1][1] < figures.losses[0][1]
    assert json.loads((tmp_path / "a" / "config.json").read_text())["n_embd"] == 16


def test_it_has_learned_the_form_of_a_decision(mini, view, candidates):
    import aegis

    scores = mini.score(view, [candidates[1], aegis.Action("qzx", {}, about="purple vxk kitchen")])

    assert scores[0] > scores[1] + 1


def test_its_tokenizer_is_a_component_too():
    from aegis_gpt2_lora.facts import describe_tokenizer

    facts = describe_tokenizer(TokenizerSettings(model="builtin:mini"))
    assert facts.max_token_id == 4095
    assert facts.special_tokens == {"<|endoftext|>": 0}


def test_the_length_neutral_draw_gives_every_candidate_the_same_mean_per_token(scripts):
    import math

    text, _ = scripts
    lengths = [1.5, 4.0, 14.0, 14.0, 9.0]
    shares = text.length_neutral_shares(lengths)
    means = [math.log(share) / length for share, length in zip(shares, lengths, strict=True)]

    assert sum(shares) == pytest.approx(1)
    assert means == pytest.approx([means[0]] * 5)
    assert text.length_neutral_shares([7.0, 7.0]) == pytest.approx([0.5, 0.5])
    assert text.length_neutral_shares([3.0]) == pytest.approx([1.0])
