"""A result of a training, without torch: tensors packed by hand, a tokenizer, facts."""

from __future__ import annotations

import json
import struct

import pytest
from attrs import evolve

from aegis.checkpoints.folder import Checkpoints
from aegis.checkpoints.manifest import Draft


def pack_tensors(tensors):
    """Return a safetensors file; `tensors` has (type, shape, little-endian bytes) by name.

    Written after the description of the format: header length, header, data without holes.
    """
    header, data = {}, b""
    for name, (kind, shape, raw) in tensors.items():
        header[name] = {
            "dtype": kind,
            "shape": list(shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


DRAFT = Draft(
    component="gpt2",
    kind="causal-lm",
    distribution="aegis-gpt2-lora",
    version="0.1.0",
    plugin_api=1,
    trainer="gpt2-lora",
    trainer_distribution="aegis-gpt2-lora",
    trainer_version="0.1.0",
    config={"engine": {"model": "builtin:mini", "score": "mean"}, "trainer": {"rank": 8}},
    tokenizer_fingerprint="f" * 64,
    parent=None,
    needs={"base_model": "builtin:mini", "base_weights": "ab" * 32},
    dataset={"digest": "0" * 64, "examples": 60, "train": "1-50,52-61", "validation": "62-70"},
    metrics={"loss": 1.25, "held_out_loss": 1.5},
    seed=7,
)


@pytest.fixture
def pack():
    return pack_tensors


@pytest.fixture
def draft():
    return lambda **changes: evolve(DRAFT, **changes)


@pytest.fixture
def result(tmp_path):
    """Make the folder of a result; its numbers depend on `value`."""

    def make(value=1.0, name="result"):
        folder = tmp_path / name
        (folder / "tokenizer").mkdir(parents=True)
        numbers = struct.pack("<6f", *(value * n for n in range(6)))
        tensors = {
            "a.weight": ("F32", (2, 3), numbers),
            "b": ("F16", (2,), struct.pack("<2e", 1, 2)),
        }
        (folder / "adapter_model.safetensors").write_bytes(pack_tensors(tensors))
        (folder / "adapter_config.json").write_text(json.dumps({"r": 8, "lora_alpha": 16}))
        (folder / "tokenizer" / "tokenizer.json").write_text(json.dumps({"vocab": {"a": 0}}))
        (folder / "README.md").write_text("An adapter.\n")
        return folder

    return make


@pytest.fixture
def run_folder(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def store(run_folder):
    return Checkpoints(run_folder)


@pytest.fixture
def stored(store, result, draft):
    """The identifier of a checkpoint that lies in the store."""
    return store.add(result(), draft())
