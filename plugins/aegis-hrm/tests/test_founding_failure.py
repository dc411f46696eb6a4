"""Three ways in which ids and weights part, each refused before torch is imported.

Once an embedding of 1,000 rows met a tokenizer with ids up to 50256, and a training ended with
``index out of range in self``. Worse is what has no such end: ids that all have a row, and mean
something else.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from attrs import fields

from aegis.checkpoints.folder import Checkpoints
from aegis.checkpoints.manifest import Draft
from aegis_hrm.tokenizer_facts import file_capabilities
from aegis_hrm.tokenizer_settings import SHIPPED

HEAVY = ("torch", "tokenizers", "numpy", "safetensors", "transformers", "sqlalchemy", "rich")


@pytest.fixture
def check(trained):
    """Run `aegis check` in a process of its own and return its errors; it imports nothing heavy."""

    def run():
        program = f"""
import sys
from aegis.cli.main import main
try:
    main(["-C", {str(trained)!r}, "check"])
except SystemExit as ended:
    print(sorted({{*{HEAVY!r}}} & set(sys.modules)))
    sys.exit(ended.code)
"""
        words = [sys.executable, "-W", "error", "-c", program]
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ran.stdout.splitlines()[-1] == "[]"
        assert ran.returncode == (2 if ran.stderr else 0)
        return ran.stderr

    return run


@pytest.fixture
def promoted(call, trained):
    """The checkpoint that decides for the profile hrm."""
    said = call("-C", trained, "checkpoints", "promote", "latest", "--json")
    return said.json["checkpoint"]


@pytest.fixture(scope="module")
def _grown(call, _trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("grown") / "tokenizer.json"
    said = call("-C", _trained[0], "tokenizer", "train", "--size", 1200, "--output", path, "--json")
    assert said.json["entries"] == 1200
    return path


@pytest.fixture
def grown(_grown, trained):
    """A tokenizer of 1,200 entries that was trained on what the agent lived."""
    return shutil.copy(_grown, trained / "data" / "grown.json")


def edit(project, *pairs):
    """Change aegis.toml."""
    file = project / "aegis.toml"
    text = file.read_text("utf-8")
    for before, after in pairs:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    file.write_text(text, "utf-8")


def line_of(project, text):
    """Return the number of the line of aegis.toml that begins with a text."""
    lines = (project / "aegis.toml").read_text("utf-8").splitlines()
    return 1 + next(i for i, line in enumerate(lines) if line.startswith(text))


# (a) ids that have no row


def test_a_vocabulary_that_is_larger_than_the_embedding_is_refused(check, trained):
    """GPT-2's published facts are known without its files."""
    pytest.importorskip("aegis_gpt2_lora", reason="the plugin gpt2-lora is not installed")
    edit(
        trained,
        ('enabled = ["hrm"]', 'enabled = ["hrm", "gpt2-lora"]'),
        ('engine = "hrm"\n', 'engine = "hrm"\ntokenizer = "gpt2"\n'),
    )
    where = f"aegis.toml:{line_of(trained, 'tokenizer = ')}"

    assert check() == (
        'error[tokenizer-too-large]: tokenizer "gpt2" emits ids up to 50256, engine "hrm" has '
        "1000 embedding rows\n"
        f'  where: profile "hrm": engine = "hrm", tokenizer = "gpt2"   ({where})\n'
        '  fix:   use tokenizer "hrm-bpe" (1000 ids), or set [engine.hrm].embedding_rows = 50257 '
        "and train from scratch\n"
    )
    edit(trained, ('tokenizer = "gpt2"', 'tokenizer = "hrm-bpe"'))
    assert check() == ""


def test_with_rows_enough_that_vocabulary_works_from_scratch(check, trained):
    """What the fix proposes is sound: views are laid out with ids behind the vocabulary's own."""
    pytest.importorskip("aegis_gpt2_lora", reason="the plugin gpt2-lora is not installed")
    edit(
        trained,
        ('enabled = ["hrm"]', 'enabled = ["hrm", "gpt2-lora"]'),
        ('engine = "hrm"\n', 'engine = "hrm"\ntokenizer = "gpt2"\n'),
        ("[engine.hrm]\n", "[engine.hrm]\nembedding_rows = 50257\n"),
    )

    assert check() == ""


# (b) ids that have a row and mean something else

GROWN = (
    "[engine.hrm]\n",
    '[tokenizer.hrm-bpe]\nfile = "data/grown.json"\n\n[engine.hrm]\nembedding_rows = 1200\n',
)


def test_a_tokenizer_that_has_grown_is_refused_by_its_fingerprint(
    call, check, trained, promoted, grown
):
    edit(trained, GROWN)
    before = file_capabilities(SHIPPED).fingerprint
    after = file_capabilities(grown).fingerprint
    where = f"aegis.toml:{line_of(trained, 'engine = ')}"

    assert check() == (
        f"error[checkpoint-tokenizer]: checkpoint {promoted} does not belong here: it was trained "
        f"with a tokenizer of fingerprint {before[:12]}, this is {after[:12]}\n"
        f'  where: profile "hrm": engine = "hrm"   ({where})\n'
        "  fix:   remove [tokenizer.hrm-bpe].file and set [engine.hrm].embedding_rows = 1000, and "
        "it decides again; or aegis checkpoints rollback (goes back to the configured weights, "
        "the last good one)\n"
    )
    assert call("-C", trained, "run", "--steps", 1).code == 2
    assert call("-C", trained, "checkpoints", "rollback").code == 0
    assert check() == "", "the range fits: nothing but the fingerprint was wrong"
    refused = call("-C", trained, "checkpoints", "promote", promoted)
    assert refused.code == 2
    assert "error[checkpoint-tokenizer]" in refused.err
    assert "fix:   remove [tokenizer.hrm-bpe].file and set" in refused.err


def test_what_the_message_says_lets_it_decide_again(call, check, trained, promoted, grown):
    edit(trained, GROWN)
    assert check()
    edit(trained, ('file = "data/grown.json"\n', ""), ("rows = 1200", "rows = 1000"))

    assert check() == ""
    assert call("-C", trained, "run", "--steps", 1, "--json").json["checkpoint"] == promoted


# (c) another tokenizer inside of the checkpoint itself


def again(project, checkpoint):
    """Store the files of a checkpoint as another one, and return its identifier."""
    store = Checkpoints(project / "data" / "run")
    manifest = store.manifest(checkpoint)
    said = {a.name: getattr(manifest, a.name) for a in fields(Draft)}
    folder = project / "data" / "again"
    for name in manifest.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((store.path / checkpoint / name).read_bytes())
    return store.add(folder, Draft(**{**said, "seed": manifest.seed + 1}))


@pytest.mark.parametrize("how", ["exchanged", "one id"])
def test_a_tokenizer_that_was_exchanged_in_the_checkpoint_is_damage(
    call, check, trained, promoted, grown, how
):
    other = again(trained, promoted)
    for name in (other, promoted):
        assert call("-C", trained, "checkpoints", "promote", name).code == 0
    lies = trained / "data" / "run" / "checkpoints" / promoted
    file = lies / "tokenizer" / "tokenizer.json"
    if how == "exchanged":
        file.write_bytes(grown.read_bytes())
    else:  # two entries change places, and the file is as long as before
        size, raw = file.stat().st_size, json.loads(file.read_bytes())
        vocabulary = raw["model"]["vocab"]
        a, b = (name for name, number in vocabulary.items() if number in {901, 902})
        vocabulary[a], vocabulary[b] = vocabulary[b], vocabulary[a]
        file.write_text(json.dumps(raw, separators=(",", ":"), ensure_ascii=False), "utf-8")
        assert file.stat().st_size == size

    assert check() == (
        f"error[checkpoint-damaged]: checkpoint {promoted} is damaged: tokenizer/tokenizer.json "
        "is not what was stored\n"
        f"  where: {lies}\n"
        f"  fix:   aegis checkpoints rollback (goes back to checkpoint {other}, the last good "
        "one)\n"
    )
    said = call("-C", trained, "run", "--steps", 1)
    assert said.code == 2
    assert "error[checkpoint-damaged]" in said.err
    assert call("-C", trained, "checkpoints", "rollback", "--json").json["checkpoint"] == other
    assert check() == ""
    assert call("-C", trained, "run", "--steps", 1, "--json").json["checkpoint"] == other
