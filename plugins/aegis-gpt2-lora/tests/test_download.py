"""Fetching from a hub on loopback: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from click.testing import CliRunner

from aegis.errors import ModelError
from aegis_gpt2_lora.commands import model as command
from aegis_gpt2_lora.download import fetch
from aegis_gpt2_lora.models import list_models, models_home, open_model

REVISION = "5" * 40


class Hub(BaseHTTPRequestHandler):
    """What the hub answers about one model, `owner/tiny`, and its files."""

    files: ClassVar[dict[str, bytes]] = {}
    damage: ClassVar[str] = ""  # a file that is sent with one byte changed
    log: ClassVar[list[str]] = []

    def do_GET(self):
        self.log.append(f"{self.command} {self.path}")
        path = self.path.split("?")[0]
        if path.startswith("/api/models/owner/tiny"):
            siblings = [
                {"rfilename": n, "size": len(d), "blobId": "0" * 40, "lfs": self.lfs(n, d)}
                for n, d in self.files.items()
            ]
            body = {"id": "owner/tiny", "sha": REVISION, "siblings": siblings, "private": False}
            self.reply(json.dumps(body).encode())
        elif path.startswith(f"/owner/tiny/resolve/{REVISION}/"):
            self.file(path.rsplit("/", 1)[-1])
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_HEAD = do_GET

    def lfs(self, name, data):
        if not name.endswith(".safetensors"):
            return None
        return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 1}

    def file(self, name):
        data = self.files[name]
        etag = hashlib.sha256(data).hexdigest()
        if name == self.damage:
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.reply(data, {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION})

    def reply(self, data, headers=None):
        self.send_response(200)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tiny_folder, monkeypatch):
    files = {path.name: path.read_bytes() for path in tiny_folder.iterdir()}
    files["pytorch_model.bin"] = b"never asked for"
    files["train.py"] = b"never asked for"
    handler = type("Handler", (Hub,), {"files": files, "log": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    yield handler
    server.shutdown()
    server.server_close()


def yes(plan):
    return True


def quiet(*_):
    pass


def test_a_model_is_fetched_whole_and_can_be_served(hub, engine_of, view, candidates):
    asked, steps = [], []
    folder = fetch(
        "owner/tiny", lambda plan: asked.append(plan) or True, lambda *a: steps.append(a)
    )

    assert folder == models_home() / "owner--tiny"
    assert sorted(p.name for p in folder.iterdir()) == [
        "aegis-model.json", "config.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    assert asked[0].bytes == sum(len(hub.files[f.name]) for f in asked[0].files)
    assert steps[-1][1:] == (asked[0].bytes, asked[0].bytes)
    told = json.loads((folder / "aegis-model.json").read_text())
    assert told["revision"] == REVISION
    assert (
        told["files"]["config.json"]["sha256"]
        == hashlib.sha256(hub.files["config.json"]).hexdigest()
    )
    assert engine_of("owner--tiny").score(view, candidates).shape == (5,)
    assert not [line for line in hub.log if "pytorch_model" in line or "train.py" in line]


def test_what_is_in_the_store_is_not_fetched_again(hub):
    fetch("owner/tiny", yes, quiet)
    before = len(hub.log)

    assert (
        fetch("owner/tiny", lambda plan: pytest.fail("asked"), quiet)
        == models_home() / "owner--tiny"
    )
    assert len(hub.log) == before


def test_nothing_is_fetched_without_consent(hub):
    assert fetch("owner/tiny", lambda plan: False, quiet) is None
    assert not models_home().exists()


def test_a_file_that_arrives_damaged_is_refused_and_the_store_stays_as_it_was(hub):
    hub.damage = "model.safetensors"
    with pytest.raises(ModelError, match="did not arrive whole"):
        fetch("owner/tiny", yes, quiet)
    assert [found.name for found in list_models()] == ["builtin:mini"]

    hub.damage = ""
    hub.log.clear()
    fetch("owner/tiny", yes, quiet)
    assert open_model("owner--tiny").parameters > 50_000
    assert not [line for line in hub.log if line.startswith("GET") and line.endswith("config.json")]


def test_a_model_with_pickled_weights_only_is_refused_before_anything_is_fetched(hub):
    del hub.files["model.safetensors"]

    with pytest.raises(ModelError, match="no safetensors"):
        fetch("owner/tiny", lambda plan: pytest.fail("asked"), quiet)


def test_a_name_that_the_hub_does_not_know_is_said_to_be_unknown(hub):
    with pytest.raises(ModelError, match="no model 'owner/other'"):
        fetch("owner/other", yes, quiet)


def test_a_hub_out_of_reach_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="hub cannot be reached") as caught:
        fetch("gpt2", yes, quiet)

    assert "copy the model's folder" in caught.value.problems[0].fix
    assert not models_home().exists()


def test_the_command_asks_with_the_size_and_answers_in_json(hub):
    runner = CliRunner()
    refused = runner.invoke(command, ["fetch", "owner/tiny"], input="n\n")
    assert "3 files, 0.3 MB" in refused.output
    fetched = runner.invoke(command, ["fetch", "owner/tiny", "--yes", "--json"])

    assert json.loads(fetched.stdout.splitlines()[-1]) == {
        "model": "owner--tiny",
        "folder": str(models_home() / "owner--tiny"),
    }
    listed = json.loads(runner.invoke(command, ["list", "--json"]).stdout)
    assert [(m["name"], m["place"]) for m in listed["models"]] == [
        ("builtin:mini", "builtin"),
        ("owner--tiny", "store"),
    ]
    assert "builtin:mini" in runner.invoke(command, ["list"]).stdout


def test_listing_models_needs_no_network_library():
    code = (
        "import sys; from click.testing import CliRunner; from aegis_gpt2_lora.commands import model;"
        "assert CliRunner().invoke(model, ['list']).exit_code == 0;"
        "assert 'huggingface_hub' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
