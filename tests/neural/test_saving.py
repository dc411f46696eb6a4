"""Files of weights are whole or not there."""

from __future__ import annotations

import json
import stat

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from aegis.neural import adopt, save_bytes, save_json, save_tensors


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_tensors_come_back_with_the_strings_of_their_header(tmp_path):
    path = tmp_path / "a.safetensors"
    wide = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "turned": wide.T,
        "trained": torch.ones(2, requires_grad=True),
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    }
    save_tensors(path, tensors, {"aegis": "{}"})
    found = load_file(path)

    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert found["half"].dtype == torch.bfloat16
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"aegis": "{}", "format": "pt"}
    assert names(tmp_path) == ["a.safetensors"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


def test_tensors_that_cannot_be_written_leave_the_old_file(tmp_path):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": torch.zeros(3)})
    before = path.read_bytes()
    shared = torch.zeros(3)
    with pytest.raises(RuntimeError, match="share memory"):
        save_tensors(path, {"a": shared, "b": shared})

    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.safetensors"]


def test_json_is_indented_sorted_and_ends_its_line(tmp_path):
    save_json(tmp_path / "a.json", {"b": "é", "a": [1]})

    assert (tmp_path / "a.json").read_bytes() == (
        b'{\n  "a": [\n    1\n  ],\n  "b": "\\u00e9"\n}\n'
    )
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"a": [1], "b": "é"}


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    save_bytes(tmp_path / "a.json", b"{}")
    with pytest.raises(TypeError):
        save_json(tmp_path / "a.json", {"a": object()})

    assert (tmp_path / "a.json").read_bytes() == b"{}"
    assert names(tmp_path) == ["a.json"]


def test_a_file_of_another_library_is_moved_over_the_old_one(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a").write_bytes(b"old")
    (tmp_path / "a").write_bytes(b"new")
    adopt(tmp_path / "a", tmp_path / "there")

    assert names(tmp_path) == ["there"]
    assert (tmp_path / "there" / "a").read_bytes() == b"new"
