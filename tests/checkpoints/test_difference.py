from __future__ import annotations

import math
import struct
import subprocess
import sys

import pytest

from aegis.checkpoints.difference import Change, difference
from aegis.checkpoints.tensors import distances


def compare(store, a, b):
    return difference(store.manifest(a), store.manifest(b), (store.verified(a), store.verified(b)))


@pytest.fixture
def pair(store, result, draft):
    """Two checkpoints; the numbers of the second are twice those of the first."""
    first = store.add(result(1.0), draft())
    second = store.add(
        result(2.0, name="next"),
        draft(
            parent=first,
            config={"engine": {"model": "builtin:mini", "score": "sum"}, "trainer": {"rank": 8}},
            dataset={"digest": "1" * 64, "examples": 50, "train": "11-60", "validation": "62-70",
                     "by_origin": {"own": 50}},
            metrics={"loss": 1.0, "held_out_loss": 1.5, "extra": 3.0},
        ),
    )  # fmt: skip
    return first, second


def test_settings_data_metrics_and_files_are_compared(store, pair):
    found = compare(store, *pair)
    assert found.settings == (
        Change("parent", None, pair[0]),
        Change("config.engine.score", "mean", "sum"),
    )
    # 1-50,52-61 against 11-60: 51 is new; 1 to 10 and 61 are gone
    train = found.rows["train"]
    assert (train.added, train.removed) == ("51", "1-10,61")
    assert (train.added_count, train.removed_count) == (1, 11)
    assert found.rows["validation"].added == found.rows["validation"].removed == ""
    assert Change("examples", 60, 50) in found.dataset
    assert Change("by_origin.own", None, 50) in found.dataset
    assert found.metrics == (
        Change("held_out_loss", 1.5, 1.5),
        Change("loss", 1.25, 1.0),
        Change("extra", None, 3.0),
    )
    assert [change.name for change in found.files] == ["adapter_model.safetensors"]


def test_a_checkpoint_does_not_differ_from_itself(store, pair):
    found = compare(store, pair[0], pair[0])
    assert (found.settings, found.dataset, found.files) == ((), (), ())
    assert [one.relative for one in found.tensors] == [0.0, 0.0]


def test_doubled_numbers_lie_as_far_apart_as_the_first_is_long(store, pair):
    found = {one.name: one.relative for one in compare(store, *pair).tensors}
    assert found == {"a.weight": pytest.approx(1.0), "b": 0.0}


def bits(kind, values):
    if kind == "BF16":
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    return struct.pack(f"<{len(values)}{ {'F32': 'f', 'F16': 'e', 'F64': 'd'}[kind] }", *values)


@pytest.fixture
def folders(tmp_path, pack):
    def make(a, b):
        for name, tensors in (("a", a), ("b", b)):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "x.safetensors").write_bytes(pack(tensors))
        return distances(tmp_path / "a", tmp_path / "b", "x.safetensors")

    return make


@pytest.mark.parametrize("kind", ["F64", "F32", "F16", "BF16"])
@pytest.mark.parametrize("other", ["F64", "F32", "F16", "BF16"])
def test_the_relative_norm_is_that_of_the_formula(folders, kind, other):
    """||b - a|| / ||a|| of numbers that every type holds exactly: a = (3, 4), b = (3, 16)."""
    (found,) = folders(
        {"w": (kind, (2,), bits(kind, [3.0, 4.0]))}, {"w": (other, (2,), bits(other, [3.0, 16.0]))}
    )
    assert found.relative == pytest.approx(12 / 5, rel=1e-12)


def test_more_numbers_than_a_block_are_all_compared(folders, monkeypatch):
    monkeypatch.setattr("aegis.checkpoints.tensors._BLOCK", 7)
    a = [float(n) for n in range(100)]
    b = [float(n + (n == 99)) for n in range(100)]
    (found,) = folders(
        {"w": ("F32", (100,), bits("F32", a))}, {"w": ("F32", (100,), bits("F32", b))}
    )
    assert found.relative == pytest.approx(1 / math.sqrt(sum(n * n for n in range(100))))


def test_tensors_that_cannot_be_compared_are_named(folders):
    two, three = bits("F32", [1, 2]), bits("F32", [1, 2, 3])
    found = {
        one.name: one
        for one in folders(
            {"gone": ("F32", (2,), two), "shape": ("F32", (2,), two), "ids": ("I32", (2,), two),
             "zero": ("F32", (2,), bytes(8)), "still": ("F32", (2,), bytes(8))},
            {"new": ("F32", (2,), two), "shape": ("F32", (3,), three), "ids": ("I32", (2,), two),
             "zero": ("F32", (2,), two), "still": ("F32", (2,), bytes(8))},
        )
    }  # fmt: skip
    assert (found["gone"].only, found["new"].only) == ("a", "b")
    assert found["shape"].relative is None and found["shape"].only is None
    assert found["ids"].relative is None
    assert found["zero"].relative == float("inf")
    assert found["still"].relative == 0.0


def test_ranges_that_cannot_be_read_are_left_out(store, result, draft):
    source = result()
    a = store.add(source, draft(dataset={"train": "all of them"}))
    b = store.add(source, draft(dataset={}))
    assert compare(store, a, b).rows == {"train": None, "validation": None}


def test_comparing_needs_no_torch():
    code = "import sys, aegis.checkpoints.tensors, aegis.checkpoints.difference; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
