"""Making a model anew: its files, its tokenizer, and what is refused."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from attrs import evolve
from click.testing import CliRunner

import aegis
from aegis.contracts.view import View
from aegis.errors import AegisError, InputError
from aegis.neural import FileTokenizer
from aegis_gpt2_lora.commands import model as command
from aegis_gpt2_lora.facts import describe_engine
from aegis_gpt2_lora.making import Plan, make, tokenizer_of, trained_tokenizer
from aegis_gpt2_lora.models import list_models, models_home, open_model
from aegis_gpt2_lora.settings import EngineSettings
from aegis_gpt2_lora.tokenizer_training import END, SMALLEST

PLAN = Plan(layers=2, width=24, heads=3, context=64)
MOVES = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
CANDIDATES = tuple(aegis.Action(move) for move in MOVES)
THINGS = [f"{colour} {thing}" for colour in ("red", "green", "grey") for thing in ("ball", "key")]


@pytest.fixture(scope="session")
def walks(step):
    """Steps of somebody who walks among balls and keys."""
    return [
        step(
            View(
                goal=f"go to the {THINGS[i % 6]}",
                step=1 + i % 9,
                limit=64,
                observation=(f"front {THINGS[i % 5]}", f"last {MOVES[i % 3]}"),
            ),
            CANDIDATES,
            i % 7,
            number=i,
        )
        for i in range(60)
    ]


@pytest.fixture(scope="session")
def source(walks):
    return trained_tokenizer(walks, 600, "walks")


@pytest.fixture
def demonstrations(tmp_path, walks):
    """A file of experience."""
    from aegis.learning.exchange_jsonl import header, line
    from aegis.store.runs import EpisodeRow, RunRow

    run = RunRow("run", "small", 0, "2026-01-01T00:00:00+00:00")
    lines = [header(len(walks))]
    for number, step in enumerate(walks, start=1):
        told = evolve(step, step=number, episode=number, environment="walk")
        episode = EpisodeRow(number, "run", "walk", 0, told.view.goal, "teacher", number)
        lines.append(line(told, run.started, run if number == 1 else None, episode))
    path = tmp_path / "walks.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


# The model


def test_it_is_a_folder_that_is_served_and_transformers_reads(engine_of, source, walks, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = make(str(tmp_path / "small"), PLAN, source)
    engine = engine_of(made.folder)
    theirs = AutoModelForCausalLM.from_pretrained(made.folder)
    ids = engine.encoding.prompt(walks[0].view).ids
    with torch.inference_mode():
        hidden, _ = engine.module(torch.tensor([ids]))
        ours = engine.module.head(hidden)
        torch.testing.assert_close(ours, theirs(torch.tensor([ids])).logits, atol=1e-5, rtol=1e-4)

    assert sorted(path.name for path in made.folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert type(theirs).__name__ == "GPT2LMHeadModel"
    assert theirs.num_parameters() == made.parameters == engine.capabilities.parameters
    assert theirs.config.eos_token_id == engine.tokenizer.special[END]
    text = walks[0].view.render()
    assert AutoTokenizer.from_pretrained(made.folder)(text).input_ids == engine.tokenizer.encode(
        text
    )


def test_its_weights_are_as_many_as_the_shape_says(source, tmp_path):
    made = make(str(tmp_path / "small"), PLAN, source)
    block = 12 * 24 * 24 + 13 * 24  # attention 4 D D + 4 D, inner 8 D D + 5 D, two norms 4 D

    assert made.parameters == (source.entries + 64) * 24 + 2 * block + 2 * 24


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_weights(walks, tmp_path):
    folders = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(len(folders))
        source = trained_tokenizer(walks, 400, "walks")
        folders.append(digests(make(str(tmp_path / name), evolve(PLAN, seed=seed), source).folder))

    assert folders[0] == folders[1]
    differing = {name for name in folders[0] if folders[0][name] != folders[2][name]}
    assert differing == {"model.safetensors"}


@pytest.mark.parametrize(("width", "deviation"), [(768, 0.02), (192, 0.04), (96, 0.0565685)])
def test_weights_are_drawn_as_gpt2_s_were_for_their_width_and_depth(
    width, deviation, source, engine_of, tmp_path
):
    plan = Plan(layers=2, width=width, heads=3, context=64)
    module = engine_of(make(str(tmp_path / "small"), plan, source).folder).module
    tensors = {name: weight.detach() for name, weight in module.named_parameters()}
    config = json.loads((tmp_path / "small" / "config.json").read_text())

    assert config["initializer_range"] == pytest.approx(deviation)
    for name, weight in tensors.items():
        if weight.dim() == 1:
            expected = 1.0 if ".ln_" in name and name.endswith("weight") else 0.0
            assert weight.tolist() == [expected] * len(weight)
        else:
            residual = 0.5 if name.endswith("c_proj.weight") else 1.0  # 1 / sqrt(2 layers)
            assert float(weight.std()) == pytest.approx(deviation * residual, rel=0.05), name
            assert abs(float(weight.mean())) < 4 * deviation / weight.numel() ** 0.5


def test_before_anything_is_learned_all_candidates_are_about_alike(
    engine_of, source, walks, tmp_path
):
    engine = engine_of(make(str(tmp_path / "small"), PLAN, source).folder)
    scores = np.exp(engine.score(walks[0].view, CANDIDATES))

    assert scores == pytest.approx([1 / 7] * 7, abs=0.12)


# The tokenizer


def test_every_frequent_word_is_one_token_with_the_space_before_it(source, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(source.data)
    tokenizer = FileTokenizer(tmp_path / "tokenizer.json")

    assert source.split == ()
    for word in (" ball", " key", " grey", " left", " toggle", " front"):
        assert len(tokenizer.encode(word)) == 1, word
    assert source.entries <= 600
    assert tokenizer.capabilities.special_tokens == {END: 0}


def test_the_label_of_a_line_and_the_last_step_are_one_token_each(source, walks, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(source.data)
    tokenizer = FileTokenizer(tmp_path / "tokenizer.json")
    for view in (step.view for step in walks):
        text = view.render() + "\nnext:"
        ids = tokenizer.encode(text)
        tokens = [tokenizer.decode([token]) for token in ids]

        assert tokens[0] == "goal:"
        assert tokens[-4:] == ["\nstep:", f" {view.step}", "/64", "\nnext:"]
        assert "\nobservation:" in tokens
        assert tokenizer.decode(ids) == text
    # Words before a colon are words elsewhere, and letters of any kind are kept.
    for text in (" Adapters: a survey", "x: y\nz:\n\n w/2 a_b: 'tis we've", "é\nß: \t 3/4"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_words_that_a_small_vocabulary_leaves_split_are_told(walks):
    bytes_alone = trained_tokenizer(walks, SMALLEST, "walks")
    some = trained_tokenizer(walks, SMALLEST + 20, "walks")

    assert (bytes_alone.entries, some.entries) == (SMALLEST, SMALLEST + 20)
    assert {" forward", " ball", "\nobservation:"} <= set(bytes_alone.split)
    assert len(some.split) < len(bytes_alone.split)
    assert bytes_alone.characters == 1.0


def test_characters_a_token_are_those_of_the_view_that_has_fewest(source, walks, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(source.data)
    tokenizer = FileTokenizer(tmp_path / "tokenizer.json")
    texts = {step.view.render() + "\nnext:" for step in walks}
    fewest = min(len(text) / len(tokenizer.encode(text)) for text in texts)

    assert fewest - 0.01 < source.characters <= fewest
    made = make(str(tmp_path / "small"), PLAN, source)
    described = describe_engine(EngineSettings(model=str(made.folder)))
    assert described.characters_per_token == source.characters
    assert described.unverified == ()


def test_a_candidate_has_the_space_before_it_whatever_the_vocabulary(walks, engine_of, tmp_path):
    """With few merges " a" is two tokens, which is no space that the tokenizer put there itself."""
    source = trained_tokenizer(walks, SMALLEST, "walks")
    engine = engine_of(make(str(tmp_path / "bytes"), PLAN, source).folder)

    assert engine.tokenizer.decode(engine.encoding.candidate(CANDIDATES[0])) == " left\n"


def test_the_tokenizer_of_another_model_is_taken_as_it_is(tiny_folder, tmp_path):
    made = make(str(tmp_path / "small"), PLAN, tokenizer_of("builtin:mini"))
    mini = open_model("builtin:mini")

    assert (made.folder / "tokenizer.json").read_bytes() == mini.tokenizer.read_bytes()
    assert made.source.entries == 4096
    config = json.loads((made.folder / "config.json").read_text())
    assert config["aegis"] == mini.config["aegis"]
    assert config["eos_token_id"] == mini.config["eos_token_id"]
    unknown = make(str(tmp_path / "other"), PLAN, tokenizer_of(str(tiny_folder)))
    assert unknown.source.characters is None
    described = describe_engine(EngineSettings(model=str(unknown.folder)))
    assert described.unverified == ("characters_per_token",)


# What is refused


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"layers": 0}, "--layers"),
        ({"layers": 65}, "--layers"),
        ({"width": 0}, "--width"),
        ({"heads": 5}, "--heads"),
        ({"heads": 0}, "--heads"),
        ({"context": 15}, "--context"),
        ({"layers": 64, "width": 4096, "heads": 1}, "--layers, --width"),
    ],
)
def test_sizes_that_no_model_has_are_refused(change, where, source, tmp_path):
    with pytest.raises(InputError) as caught:
        make(str(tmp_path / "small"), evolve(PLAN, **change), source)

    assert [problem.where for problem in caught.value.problems] == [where]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, SMALLEST - 1, 65_537])
def test_a_vocabulary_without_the_bytes_or_too_large_is_refused(size, walks):
    with pytest.raises(InputError, match=f"257.*to 65536 entries, not {size}"):
        trained_tokenizer(walks, size, "walks")


def test_nothing_is_written_over(source, tmp_path, monkeypatch):
    monkeypatch.setenv("AEGIS_MODELS", str(tmp_path / "store"))
    file = tmp_path / "file"
    file.write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    make("named", PLAN, source)
    before = digests(models_home() / "named")

    for name in (str(file), str(tmp_path / "folder"), str(tmp_path / "link"), "named"):
        with pytest.raises(InputError, match="exists; nothing was written"):
            make(name, PLAN, source)
    assert file.read_text() == "mine"
    assert digests(models_home() / "named") == before


@pytest.mark.parametrize("name", ["", "a b", "a..b", "builtin:mini", "-x"])
def test_names_that_no_model_has_are_refused(name, source):
    with pytest.raises(InputError, match="no name of a model"):
        make(name, PLAN, source)


def test_a_folder_that_cannot_be_made_is_an_error(source, tmp_path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(InputError, match="cannot be written: Not a directory"):
        make(str(tmp_path / "file" / "small"), PLAN, source)


def test_what_fails_half_way_leaves_nothing(source, tmp_path, monkeypatch):
    from aegis_gpt2_lora import making

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "save_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        make(str(tmp_path / "small"), PLAN, source)
    assert list(tmp_path.iterdir()) == []


# The command


def run(*words):
    return CliRunner().invoke(command, ["new", *map(str, words)])


SIZES = ("--layers", 2, "--width", 32, "--context", 64)


def test_the_command_makes_a_model_in_the_store_and_says_how_to_use_it(demonstrations):
    said = run("walker", *SIZES, "--data", demonstrations, "--vocabulary", 500)

    assert said.exit_code == 0, said.output
    made = open_model("walker")
    assert f"weights     {made.parameters:,}" in said.output
    assert "characters a token" in said.output
    assert said.output.splitlines()[-1] == 'model = "walker"'
    assert ("walker", "store", "") in [(m.name, m.place, m.problem) for m in list_models()]


def test_the_command_answers_in_json(demonstrations, tmp_path):
    folder = tmp_path / "models" / "small"
    said = json.loads(run(folder, *SIZES, "--data", demonstrations, "--json").stdout)

    made = open_model(str(folder))
    assert said == {
        "model": str(folder),
        "folder": str(folder),
        "parameters": made.parameters,
        "vocabulary": made.embedding_rows,
        "characters_per_token": made.config["aegis"]["characters_per_token"],
        "split_words": [],
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "needs one tokenizer"),
        (("--tokenizer", "builtin:mini", "--data", "FILE"), "needs one tokenizer"),
        (("--tokenizer", "builtin:mini", "--vocabulary", 300), "has a size of its own"),
        (("--tokenizer", "builtin:mni"), 'did you mean "builtin:mini"'),
        (("--data", "FILE", "--vocabulary", 12), "257"),
        (("--width", 33, "--heads", 2, "--data", "FILE"), "cannot be divided among 2 heads"),
    ],
)
def test_the_command_refuses_what_cannot_be(words, said, demonstrations, tmp_path):
    words = [demonstrations if word == "FILE" else word for word in words]
    result = run(tmp_path / "small", *words)

    assert isinstance(result.exception, AegisError)
    assert said in str(result.exception)
    assert not (tmp_path / "small").exists()


def test_an_empty_file_of_experience_is_refused(tmp_path):
    from aegis.learning.exchange_jsonl import header

    (tmp_path / "none.jsonl").write_text(header(0) + "\n")
    result = run(tmp_path / "small", "--data", tmp_path / "none.jsonl")

    assert "holds no experience" in str(result.exception)
