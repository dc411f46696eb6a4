"""A folder of weights is read whole, for the network it was made for, or refused by name."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from aegis.errors import ContractError, ModelError
from aegis_hrm.tokenizer import open_tokenizer
from aegis_hrm.tokenizer_training import train as train_tokenizer

BACK = "go back to another checkpoint: aegis checkpoints rollback"


@pytest.fixture
def saved(engine_of, tmp_path):
    """A folder that the small engine wrote."""
    folder = tmp_path / "saved"
    folder.mkdir()
    engine_of(seed=3).save(folder)
    return folder


def refused(engine_of, folder, **settings):
    """Return the problem with which an engine from a folder is refused."""
    with pytest.raises(ModelError) as caught:
        engine_of(checkpoint=folder, **settings)
    (problem,) = caught.value.problems
    return problem


def test_what_is_written_says_what_it_is(saved, engine_of):
    engine = engine_of()
    facts = json.loads((saved / "hrm.json").read_text("ascii"))

    assert (facts["aegis"], facts["version"]) == ("hrm", 1)
    assert facts["fingerprint"] == engine.tokenizer.capabilities.fingerprint
    assert (facts["shape"]["hidden"], facts["shape"]["vocabulary"]) == (16, 1000)
    tensors = load_file(saved / "model.safetensors")
    assert tensors.keys() == engine.module.state_dict().keys()
    assert {"H_init", "L_init"} < tensors.keys()
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}


# Damaged


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.999])
@pytest.mark.parametrize("name", ["model.safetensors", "hrm.json"])
def test_a_file_that_was_cut_is_damage(saved, engine_of, name, share):
    data = (saved / name).read_bytes()
    (saved / name).write_bytes(data[: int(share * (len(data) - 2))])

    problem = refused(engine_of, saved)
    assert problem.code == "weights-damaged"
    assert problem.message.startswith("the weights of engine hrm cannot be read: ")
    assert "\n" not in problem.message
    assert (problem.where, problem.fix) == (str(saved), BACK)


@pytest.mark.parametrize("name", ["model.safetensors", "hrm.json"])
def test_a_file_that_is_missing_is_damage(saved, engine_of, name):
    (saved / name).unlink()

    problem = refused(engine_of, saved)
    assert problem.code == "weights-damaged"
    assert name in problem.message


@pytest.mark.parametrize(
    "facts",
    [
        [],
        {"aegis": "gpt"},
        {"version": 2},
        {"layout": 2},
        {"shape": None},
        {"shape": {"hidden": 16}},
        {"shape": {"hidden": 15, "vocabulary": 1000}},
        {"fingerprint": ...},
    ],
    ids=str,
)
def test_facts_of_another_form_are_damage(saved, engine_of, facts):
    before = json.loads((saved / "hrm.json").read_text())
    if isinstance(facts, dict):
        facts = {key: value for key, value in {**before, **facts}.items() if value is not ...}
    (saved / "hrm.json").write_text(json.dumps(facts))

    assert refused(engine_of, saved).code == "weights-damaged"


def test_a_file_of_nothing_but_depth_is_damage(saved, engine_of):
    (saved / "hrm.json").write_text("[" * 100_000)

    assert refused(engine_of, saved).code == "weights-damaged"


@pytest.mark.parametrize("how", ["missing", "unknown", "shape"])
def test_tensors_that_are_not_those_of_the_shape_are_damage(saved, engine_of, how):
    tensors = load_file(saved / "model.safetensors")
    weight = tensors.pop("score_head.weight")
    if how == "unknown":
        tensors |= {"score_head.weight": weight, "lm_head.weight": torch.zeros(2)}
    elif how == "shape":
        tensors["score_head.weight"] = weight.flatten()
    save_file(tensors, saved / "model.safetensors")

    problem = refused(engine_of, saved)
    assert problem.code == "weights-damaged"
    assert ("lm_head.weight" if how == "unknown" else "score_head.weight") in problem.message


# Of another architecture


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden": 32, "heads": 4}, "hidden = 16, heads = 2"),
        ({"layers": 2}, "layers = 1"),
        ({"h_cycles": 2}, "h_cycles = 1"),
        ({"l_cycles": 3}, "l_cycles = 1"),
        ({"expansion": 2.0}, "expansion = 4.0"),
        ({"embedding_rows": 1200}, "embedding_rows = 1000"),
        ({"hierarchy": "trm"}, 'hierarchy = "hrm"'),
        ({"hierarchy": "plain"}, 'hierarchy = "hrm"'),
        ({"positions": "none"}, 'positions = "rope"'),
    ],
    ids=str,
)
def test_another_architecture_is_refused_with_the_keys_to_set(saved, engine_of, changes, said):
    problem = refused(engine_of, saved, **changes)

    assert problem.code == "weights-shape"
    assert problem.message == f"the checkpoint is of another architecture: it has {said}"
    assert problem.where == f"[engine.hrm]; {saved}"
    assert problem.fix == (
        "set these keys of [engine.hrm], or roll back: aegis checkpoints rollback"
    )


def test_the_keys_that_are_named_are_enough(engine_of, tmp_path, view, candidates):
    """What the message says is what has to be set."""
    changes = {"hierarchy": "trm", "layers": 2, "embedding_rows": 1100, "positions": "learned"}
    engine = engine_of(**changes, context=300)
    engine.save(tmp_path)
    message = refused(engine_of, tmp_path, layers=3).message
    named = dict(part.split(" = ") for part in message.partition("it has ")[2].split(", "))

    assert named.keys() == {"hierarchy", "layers", "embedding_rows", "positions", "context"}
    settings = {key: json.loads(value) for key, value in named.items()}
    again = engine_of(checkpoint=tmp_path, **settings)
    assert again.score(view, candidates).tolist() == engine.score(view, candidates).tolist()


# Of another tokenizer


def test_weights_of_another_tokenizer_are_refused_though_every_id_has_a_row(
    saved, engine_of, tmp_path, view
):
    path = tmp_path / "own.json"
    path.write_bytes(train_tokenizer(["another text of another life " * 9] * 9, 320))
    other = open_tokenizer(path)
    assert other.capabilities.max_token_id < 1000

    with pytest.raises(ContractError) as caught:
        engine_of(checkpoint=saved, parts={"tokenizer": other})
    (problem,) = caught.value.problems
    before = engine_of().tokenizer.capabilities.fingerprint
    assert problem.code == "tokenizer-mismatch"
    assert problem.message == (
        "the checkpoint's weights take ids of a tokenizer of fingerprint "
        f"{before[:12]}; the configured one has {other.capabilities.fingerprint[:12]}"
    )
    assert problem.where == f"[engine.hrm].tokenizer; {saved}"
    assert problem.fix == (
        "configure the tokenizer that they were trained with, or go back: "
        "aegis checkpoints rollback"
    )
    fresh = engine_of(parts={"tokenizer": other})
    assert fresh.capabilities.tokenizer_fingerprint == other.capabilities.fingerprint
