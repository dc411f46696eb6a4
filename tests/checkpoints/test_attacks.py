"""What a hostile checkpoint or name may try: it is refused, and nothing of it is opened."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
import shutil
import socket
import struct
import sys
from pathlib import Path

import pytest

from aegis.checkpoints import manifest
from aegis.checkpoints.folder import Checkpoints
from aegis.errors import ModelError


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


@pytest.fixture
def bomb(tmp_path):
    mark = tmp_path / "mark"
    yield pickle.dumps(Bomb(mark))
    assert not mark.exists(), "a pickle was loaded"


OPENED = []
LISTENING = []


def listen(event, arguments):
    if LISTENING and event == "open" and not isinstance(arguments[0], int):
        OPENED.append(str(arguments[0]))


@pytest.fixture(scope="module")
def _listener():
    sys.addaudithook(listen)  # there is no way to take one back


@pytest.fixture
def opened(_listener):
    """Paths of the files that were opened, whichever way."""
    OPENED.clear()
    LISTENING.append(True)
    yield OPENED
    LISTENING.clear()


FOREIGN = [
    "weights.bin", "weights.pt", "weights.pth", "weights.ckpt", "weights.pkl", "weights.pickle",
    "weights.npy", "weights.npz", "weights.h5", "weights.onnx", "weights.gguf", "weights.msgpack",
    "weights.joblib", "weights", "weights.SAFETENSORS", "weights.safetensors.pkl", "model.py",
    "model.pyc", "model.so", "setup.cfg", "run.sh", "a.yaml", "a.toml", "a.jsonl", "a.json.gz",
    "a.zip", ".hidden.json", ".json", "-x.json", "a b.json", "a\nb.json", "a\\b.json", "ä.json",
    "a;b.json", "~.json", "a\x1b[2J.json", "x" * 140 + ".json",
]  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_kind_or_name_is_refused_unopened(
    store, result, draft, stored, bomb, opened, name
):
    source = result(2.0, name="next")
    for folder in (source, store.path / stored, source / "tokenizer"):
        (folder / name).write_bytes(bomb)
    opened.clear()
    with pytest.raises(ModelError) as caught:
        store.add(source, draft())
    problems = caught.value.problems
    assert {problem.code for problem in problems} == {"checkpoint-foreign-file"}
    assert any(repr(name)[1:-1] in problem.message for problem in problems)
    with pytest.raises(ModelError, match="checkpoint-foreign-file"):
        store.verified(stored)
    assert not [one for one in opened if one.endswith(f"/{name}")]


@pytest.mark.parametrize("name", ["a.json", "a.safetensors", "tokenizer/b.json"])
def test_an_allowed_file_that_the_manifest_does_not_name_is_refused_unopened(
    store, stored, opened, name
):
    (store.path / stored / name).write_bytes(b"{}")
    opened.clear()
    with pytest.raises(ModelError) as caught:
        store.verified(stored)
    assert caught.value.problems[0].code == "checkpoint-foreign-file"
    assert not [one for one in opened if one.endswith(f"/{name}")]


def make_link(path):
    path.symlink_to("/etc/passwd")


def make_folder_link(path):
    path.symlink_to("/etc")


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.filterwarnings("ignore:unclosed")
@pytest.mark.parametrize("make", [make_link, make_folder_link, make_pipe, make_socket])
@pytest.mark.parametrize("name", ["x.json", "adapter_config.json", "tokenizer/x.safetensors"])
def test_links_and_devices_are_refused_unopened(store, result, draft, stored, opened, make, name):
    source = result(2.0, name="next")
    for folder in (source, store.path / stored):
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
    opened.clear()
    with pytest.raises(ModelError, match="checkpoint-foreign-file"):
        store.add(source, draft())
    with pytest.raises(ModelError, match="checkpoint-foreign-file"):
        store.verified(stored)
    assert not [one for one in opened if one.endswith(f"/{name}") or "/etc" in one]


def test_a_manifest_that_is_a_link_is_refused(store, stored, tmp_path):
    place = store.path / stored / "manifest.json"
    place.rename(tmp_path / "manifest.json")
    place.symlink_to(tmp_path / "manifest.json")
    with pytest.raises(ModelError, match="checkpoint-damaged"):
        store.verified(stored)


def test_a_checkpoint_that_is_a_link_is_none(store, stored, tmp_path):
    shutil.move(store.path / stored, tmp_path / stored)
    (store.path / stored).symlink_to(tmp_path / stored)
    assert store.all() == []
    with pytest.raises(ModelError, match="checkpoint-absent"):
        store.verified(stored)


def test_empty_and_deep_folders_are_refused(store, result, draft, stored):
    (store.path / stored / "extra").mkdir()
    with pytest.raises(ModelError, match="checkpoint-foreign-file"):
        store.verified(stored)
    source = result(2.0, name="next")
    (source / "a" / "b" / "c" / "d").mkdir(parents=True)
    (source / "a" / "b" / "c" / "d" / "e.json").write_text("{}")
    with pytest.raises(ModelError, match="checkpoint-foreign-file"):
        store.add(source, draft())


def disguised(bomb):
    text = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return {
        "pickle": bomb,
        "empty": b"",
        "header length": struct.pack("<Q", 1 << 62) + b"{}",
        "header is no JSON": struct.pack("<Q", 5) + b"hello",
        "deep header": struct.pack("<Q", 200_000) + b"[" * 200_000,
        "offsets outside": struct.pack("<Q", len(text)) + text + b"\0" * 8,
        "rest": struct.pack("<Q", len(text)) + text + b"\0" * 32,
        "zip": b"PK\x03\x04" + b"\0" * 100,
    }


@pytest.mark.parametrize("kind", list(disguised(b"")))
def test_what_is_only_called_safetensors_is_refused(store, result, draft, bomb, kind):
    source = result()
    (source / "model.safetensors").write_bytes(disguised(bomb)[kind])
    with pytest.raises(ModelError) as caught:
        store.add(source, draft())
    assert caught.value.problems[0].code == "checkpoint-foreign-file"
    assert "model.safetensors" in caught.value.problems[0].message
    assert store.all() == []


@pytest.mark.parametrize(
    ("name", "size"), [("a.json", 65 << 20), ("a.md", 17 << 20), ("a.txt", 1 << 40)]
)
def test_a_text_without_bounds_is_refused_unread(store, result, draft, opened, name, size):
    source = result()
    with (source / name).open("wb") as file:
        file.truncate(size)  # a file with a hole: it takes no room
    opened.clear()
    with pytest.raises(ModelError, match="at most"):
        store.add(source, draft())
    assert not [one for one in opened if one.endswith(f"/{name}")]


def test_a_result_with_a_manifest_of_its_own_is_refused(store, result, draft):
    source = result()
    (source / "manifest.json").write_text("{}")
    with pytest.raises(ModelError, match="written by Aegis alone"):
        store.add(source, draft())


# Manifests: each is whole as far as its digest goes.


def changed(values, path, value):
    values = json.loads(json.dumps(values))
    *above, last = path
    place = values
    for step in above:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return values


GOOD_FILE = {"sha256": "0" * 64, "bytes": 3}
NAMES = [
    "../x.json", "..", ".", "", "/etc/passwd", "/x.json", "a//b.json", "./a.json", "a/../b.json",
    "a/", "x\x00.json", "a/b/c/d/e.json", "x.py", "manifest.json", "C:\\x.json", "a\n.json",
    "é.json", "x" * 200 + ".json", "tokenizer/../../x.json", "-rf.json", "~/x.json", "..json",
]  # fmt: skip
CHANGES = [
    *((("files", name), GOOD_FILE) for name in NAMES),
    *(((key,), ...) for key in ("component", "files", "metrics", "needs", "parent", "format")),
    (("extra",), 1), (("files", "a.json"), {**GOOD_FILE, "mode": 7}), (("files", "a.json"), {}),
    (("files", "a.json"), {"sha256": "../" + "0" * 61, "bytes": 3}), (("files",), {}),
    (("files", "a.json"), {"sha256": "0" * 64, "bytes": -1}), (("files",), ["a.json"]),
    (("files", "a.json"), {"sha256": "0" * 64, "bytes": 1 << 62}), (("format",), 2),
    (("component",), "../gpt2"), (("component",), 7), (("parent",), "../../x"), (("seed",), "7"),
    (("plugin_api",), 1.5), (("metrics", "loss"), "low"), (("needs", "x"), 3),
    (("distribution",), "x\x1b[2J"), (("version",), "9" * 5_000), (("dataset",), []),
]  # fmt: skip


def place_manifest(store, folder, data):
    """Put a copy of a checkpoint under the identifier of other bytes."""
    checkpoint = hashlib.sha256(data).hexdigest()[:16]
    shutil.copytree(folder, store.path / checkpoint)
    (store.path / checkpoint / "manifest.json").write_bytes(data)
    return checkpoint


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=[f"{p}={v}"[:60] for p, v in CHANGES])
def test_a_manifest_that_says_too_much_or_too_little_is_refused(store, stored, path, value):
    values = json.loads((store.path / stored / "manifest.json").read_bytes())
    text = json.dumps(changed(values, path, value), sort_keys=True, separators=(",", ":"))
    checkpoint = place_manifest(store, store.path / stored, text.encode())
    with pytest.raises(ModelError) as caught:
        store.verified(checkpoint)
    assert caught.value.problems[0].code == "checkpoint-damaged"


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b"[" * 100_000, b'{"a":' * 100_000, b'{"a":NaN}', b"\xff\xfe",
        b'{"format":1,"format":1}', b"1" * 10_000, b'"' + b"x" * 100, b" " * (9 << 20),
        pickle.dumps({"format": 1}),
    ],
    ids=range(13),
)  # fmt: skip
def test_bytes_that_are_no_manifest_are_refused(store, stored, data):
    checkpoint = place_manifest(store, store.path / stored, data)
    with pytest.raises(ModelError, match="checkpoint-damaged"):
        store.verified(checkpoint)


def test_a_manifest_with_other_spaces_or_order_is_refused(store, stored):
    """One checkpoint has one identifier."""
    data = (store.path / stored / "manifest.json").read_bytes()
    values = json.loads(data)
    spaced = json.dumps(values, sort_keys=True).encode()
    turned = json.dumps(dict(reversed(values.items())), separators=(",", ":")).encode()
    doubled = data.replace(b'"seed":7', b'"seed":7,"seed":7')
    assert data not in (spaced, turned, doubled)
    for other in (spaced, turned, doubled, data + b"\n"):
        with pytest.raises(ValueError, match="form"):
            manifest.parsed(other)


def test_ten_thousand_names_open_nothing_outside_the_store(store, stored, tmp_path, opened):
    (tmp_path / "outside").mkdir()
    chance = random.Random(4)
    pieces = ["../", "..", "/", "\\", "\x00", "~", "a", "0", "latest", stored, stored[:4], ".", "%2e",
              "outside", "\n", "é", "\udc80", " ", "*", "manifest.json", "-", str(tmp_path)]  # fmt: skip
    names = ["".join(chance.choices(pieces, k=chance.randrange(0, 6))) for _ in range(10_000)]
    opened.clear()
    resolved = 0
    for name in names:
        if name == "latest" or (name and stored.startswith(name)):
            assert store.resolve(name) == stored
            resolved += 1
            continue
        with pytest.raises(ModelError, match="checkpoint-unknown"):
            store.resolve(name)
    for name in names[:2000]:
        if name == stored:
            continue
        for read in (store.manifest, store.verified, store.facts, store.size):
            with pytest.raises(ModelError, match="checkpoint-absent"):
                read(name)
    assert 0 < resolved < 2_000
    inside = str(store.path)
    assert [one for one in opened if not one.startswith(inside)] == []


def test_nothing_here_unpickles(root):
    for file in (root / "aegis" / "checkpoints").glob("*.py"):
        text = file.read_text()
        assert "pickle" not in text and "torch" not in text.replace("without torch", ""), file


def test_reading_a_hostile_store_never_leaves_it(run_folder, tmp_path, bomb):
    """Junk beside checkpoints is passed by."""
    store = Checkpoints(run_folder)
    store.path.mkdir(parents=True)
    (store.path / ("a" * 16)).write_bytes(bomb)
    (store.path / ("b" * 16)).symlink_to(tmp_path)
    (store.path / ("C" * 16)).mkdir()
    (store.path / ("d" * 17)).mkdir()
    os.mkfifo(store.path / ("e" * 16))
    assert store.all() == []
    assert io.BytesIO(bomb).read() == bomb
