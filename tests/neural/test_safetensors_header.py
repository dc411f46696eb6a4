"""Headers of safetensors files, against files that the library writes."""

from __future__ import annotations

import json
import struct
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from aegis.errors import ModelError
from aegis.neural import read_header, read_headers
from aegis.neural.safetensors_header import TensorFacts


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {
        "a.weight": torch.zeros(3, 5, dtype=torch.float16),
        "b": torch.zeros(()),
        "c": torch.zeros(0, 7, dtype=torch.bfloat16),
        "d": torch.zeros(4, dtype=torch.int64),
    }
    save_file(tensors, path, metadata={"format": "pt"})
    return path


def test_types_shapes_and_counts_are_those_that_were_written(file):
    header = read_header(file)

    assert header.tensors["a.weight"] == TensorFacts("F16", (3, 5))
    assert header.tensors["b"] == TensorFacts("F32", ())
    assert header.tensors["c"].size == 0
    assert header.parameters == 15 + 1 + 0 + 4
    assert header.metadata == {"format": "pt"}


def test_every_truncation_is_damage(file):
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            read_header(file)
    file.write_bytes(whole + b"\0")
    with pytest.raises(ModelError):
        read_header(file)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{",
        b'{"a": 3}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": 1}',
        b'{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": ["1"], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}',
        b'{"a": {"dtype": "F32", "shape": [0], "data_offsets": [2, 2]}}',
        b'{"a": ' * 3000,
    ],
)
def test_a_header_that_makes_no_sense_is_damage(tmp_path, header):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0\0\0")

    with pytest.raises(ModelError, match="not a whole safetensors file"):
        read_header(path)


def test_a_header_that_claims_to_be_huge_is_refused_unread(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")

    with pytest.raises(ModelError, match="a header of"):
        read_header(path)


def test_a_file_that_is_absent_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none\.safetensors"):
        read_header(tmp_path / "none.safetensors")


def test_shards_are_one_model_unless_they_overlap(tmp_path):
    for name in ("a", "b"):
        save_file({name: torch.zeros(2)}, tmp_path / f"{name}.safetensors")
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]

    assert read_headers(paths).parameters == 4
    with pytest.raises(ModelError, match="same name"):
        read_headers([*paths, paths[0]])


def test_reading_a_header_needs_neither_torch_nor_numpy(file):
    code = (
        "import json, sys; from pathlib import Path; from aegis.neural import read_header;"
        f"read_header(Path({str(file)!r}));"
        "print(json.dumps([n for n in ('torch', 'numpy', 'safetensors') if n in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
