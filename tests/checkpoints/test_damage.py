"""Every flipped bit and every cut of a stored checkpoint is found, and it is not served."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3

import pytest

from aegis.checkpoints import serving
from aegis.checkpoints.promoting import Promotions
from aegis.errors import ModelError, StoreError
from aegis.store.ledger import Ledger

FLIPS = 300


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_every_flipped_bit_of_files_and_manifest_is_found(store, stored):
    chance = random.Random(6)
    files = files_of(store.path / stored)
    found, hit = 0, set()
    for _ in range(FLIPS):
        path = chance.choice(files)
        whole = path.read_bytes()
        place = chance.randrange(len(whole) * 8)
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(ModelError) as caught:
            store.verified(stored)
        (problem,) = caught.value.problems
        assert problem.code == "checkpoint-damaged"
        assert path.name in problem.message
        found += 1
        hit.add(path.name)
        path.write_bytes(whole)
    assert found == FLIPS
    assert hit == {path.name for path in files}
    assert store.verified(stored)


def test_a_description_is_read_with_its_digests_and_without_the_weights(store, stored):
    """A tokenizer that was exchanged on the disk is found before anything is loaded."""
    folder = store.path / stored
    weights = next(path for path in files_of(folder) if path.suffix == ".safetensors")
    weights.write_bytes(weights.read_bytes()[::-1])
    assert store.described(stored) == store.manifest(stored)  # of weights only the manifest tells
    for path in [p for p in files_of(folder) if p.suffix == ".json" and p.name != "manifest.json"]:
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b'"', b"'", 1))
        with pytest.raises(ModelError) as caught:
            store.described(stored)
        (problem,) = caught.value.problems
        assert problem.code == "checkpoint-damaged"
        assert path.name in problem.message
        path.write_bytes(whole)
    assert store.described(stored) == store.manifest(stored)


def test_every_bit_of_the_manifest_counts(store, stored):
    """All of them, not a sample: the identifier is over each."""
    path = store.path / stored / "manifest.json"
    whole = path.read_bytes()
    for place in range(0, len(whole) * 8, 3):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(ModelError, match="checkpoint-damaged"):
            store.manifest(stored)
    path.write_bytes(whole)
    assert store.manifest(stored)


def test_every_truncation_is_found(store, stored):
    cuts = 0
    for path in files_of(store.path / stored):
        whole = path.read_bytes()
        for length in {*range(0, len(whole), 16), len(whole) - 1}:
            path.write_bytes(whole[:length])
            with pytest.raises(ModelError, match="checkpoint-damaged"):
                store.verified(stored)
            cuts += 1
        path.write_bytes(whole)
    assert cuts > 60
    assert store.verified(stored)


def test_bytes_behind_the_end_are_found(store, stored):
    for path in files_of(store.path / stored):
        whole = path.read_bytes()
        path.write_bytes(whole + b"\n")
        with pytest.raises(ModelError, match="checkpoint-damaged"):
            store.verified(stored)
        path.write_bytes(whole)


def test_a_missing_file_is_named(store, stored):
    for path in files_of(store.path / stored):
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(ModelError, match=f"{path.name}|{path.parent.name}"):
            store.verified(stored)
        path.write_bytes(whole)


def test_a_folder_under_another_name_is_damaged(store, stored):
    shutil.copytree(store.path / stored, store.path / ("0" * 16))
    with pytest.raises(ModelError, match="checkpoint-damaged"):
        store.verified("0" * 16)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_named(store, stored):
    path = store.path / stored / "README.md"
    path.chmod(0)
    with pytest.raises(ModelError, match=r"README\.md"):
        store.verified(stored)


def answer_or_code(folder, profile):
    try:
        return serving.serving(folder, profile)
    except StoreError as error:
        return error.problems[0].code


def test_a_damaged_record_of_promotions_never_lets_other_weights_decide(run_folder, tmp_path):
    """Flipped bits of the database: what decides is what was recorded, or it is refused."""
    with Ledger.open(run_folder) as ledger:
        promotions = Promotions(ledger.connection)
        for number, checkpoint in enumerate(["a" * 16, "b" * 16, None, "c" * 16]):
            promotions.promote("p", "e", checkpoint, why="person", step=number, at="now")
        promotions.promote("q", "e", "d" * 16, why="person", step=9, at="now")
        ledger.commit()
    file = run_folder / "ledger.sqlite"
    whole = file.read_bytes()
    expected = {"p": "c" * 16, "q": "d" * 16, "r": None}
    assert {profile: serving.serving(run_folder, profile) for profile in expected} == expected
    database = sqlite3.connect(file)
    size = database.execute("PRAGMA page_size").fetchone()[0]
    page = database.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'promotions'"
    ).fetchone()[0]
    database.close()
    chance = random.Random(7)
    bits = [chance.randrange(8 * size) for _ in range(100)]  # of the first page: the tables' names
    rows = whole[(page - 1) * size : page * size]
    used = [n for n, byte in enumerate(rows) if byte]
    bits += [
        8 * ((page - 1) * size + chance.choice(used)) + chance.randrange(8) for _ in range(200)
    ]
    refused = 0
    copy = tmp_path / "copy"
    copy.mkdir()
    for bit in bits:
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        (copy / "ledger.sqlite").write_bytes(flipped)
        for profile, checkpoint in expected.items():
            found = answer_or_code(copy, profile)
            assert found in (checkpoint, "ledger-damaged"), bit
            refused += found == "ledger-damaged"
    assert refused > 3 * 150
