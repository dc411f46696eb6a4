"""``aegis tokenizer``: trained on what the ledger holds, written where it may be, told in words."""

from __future__ import annotations

import pytest

from aegis_hrm.tokenizer import open_tokenizer
from aegis_hrm.tokenizer_settings import SHIPPED

PROJECT = """
profile = "rules"
[agent]
practice_when_idle = false
interests = ["reinforcement learning", "optimization"]
[plugins]
enabled = ["hrm"]
"""


@pytest.fixture
def aegis(call):
    """Run a command in this process and return what it said."""
    return call


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A project whose agent has lived 60 steps."""
    from aegis.agent.assembly import open_agent
    from aegis.resources import library

    folder = tmp_path_factory.mktemp("lived")
    (folder / "data").mkdir()
    (folder / "data" / "library").symlink_to(library())
    (folder / "aegis.toml").write_text(PROJECT)
    with open_agent(folder / "aegis.toml") as agent:
        assert len(list(agent.run(60))) == 60
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "own.json"


def test_a_tokenizer_is_trained_on_the_ledger_and_can_be_configured(aegis, lived, output):
    said = aegis("-C", lived, "tokenizer", "train", "--size", 500, "--output", output, "--json")
    answer = said.json

    assert (said.code, said.err) == (0, "")
    assert answer["file"] == str(output)
    assert answer["entries"] == 500
    assert answer["views"] == 60
    assert answer["shipped_texts"] is True
    assert answer["held_out"] > 0
    assert answer["characters_per_token"]["before"] > answer["characters_per_token"]["after"] > 1
    tokenizer = open_tokenizer(output)
    assert tokenizer.capabilities.fingerprint == answer["fingerprint"]
    assert tokenizer.capabilities.vocab_size == 500

    assert answer["configuration"] == f'[tokenizer.hrm-bpe]\nfile = "{output}"\n'
    (lived / "used.toml").write_text(PROJECT + answer["configuration"])
    shown = aegis("-C", lived, "--config", lived / "used.toml", "tokenizer", "show", "--json").json
    assert shown["file"] == str(output)
    assert shown["fingerprint"] == answer["fingerprint"]


def test_what_was_made_is_told_in_words(aegis, lived):
    said = aegis("-C", lived, "tokenizer", "train")

    assert said.code == 0
    assert f"file         {(lived / 'data/tokenizer/hrm-bpe.json').resolve()}\n" in said.out
    assert "practice over the sample library was added" in said.out
    assert '\n[tokenizer.hrm-bpe]\nfile = "data/tokenizer/hrm-bpe.json"\n' in said.out
    assert "refused with this one: train them again" in said.out
    assert "embedding_rows" not in said.out


def test_more_entries_than_the_embedding_has_rows_ask_for_more_rows(aegis, lived, output):
    said = aegis("-C", lived, "tokenizer", "train", "--size", 1200, "--output", output, "--json")

    assert said.json["configuration"].endswith("\n[engine.hrm]\nembedding_rows = 1200\n")


def test_a_file_that_exists_is_written_over_only_when_asked_to(aegis, lived, output):
    output.write_text("mine")
    said = aegis("-C", lived, "tokenizer", "train", "--output", output)

    assert said.code == 2
    assert "error[tokenizer-exists]" in said.err
    assert "--yes" in said.err
    assert output.read_text() == "mine"

    assert aegis("-C", lived, "tokenizer", "train", "--output", output, "--yes").code == 0
    assert open_tokenizer(output).capabilities.vocab_size == 1000


def test_the_same_ledger_makes_the_same_file(aegis, lived, tmp_path):
    for name in ("a.json", "b.json"):
        assert aegis("-C", lived, "tokenizer", "train", "--output", tmp_path / name).code == 0

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_without_a_ledger_there_is_nothing_to_train_on(aegis, tmp_path):
    (tmp_path / "aegis.toml").write_text(PROJECT)
    said = aegis("-C", tmp_path, "tokenizer", "train")

    assert said.code == 2
    assert said.err.count("error[") == 1
    assert "error[no-run]" in said.err
    assert "keep the tokenizer that comes with Aegis" in said.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("size", [297, 65_537])
def test_a_size_that_cannot_be_is_refused(aegis, lived, size):
    said = aegis("-C", lived, "tokenizer", "train", "--size", size)

    assert said.code == 2
    assert said.err.startswith(f"error[tokenizer-size]: a tokenizer of {size} entries")


def test_the_tokenizer_in_force_is_shown(aegis, lived):
    shown = aegis("-C", lived, "tokenizer", "show", "--json").json
    words = aegis("-C", lived, "tokenizer", "show").out

    assert shown["file"] == str(SHIPPED)
    assert (shown["entries"], shown["max_token_id"], shown["layout"]) == (1000, 999, 1)
    assert shown["special_tokens"]["<doc16>"] == 41
    assert "entries      1000, 42 of them special\n" in words
    assert shown["fingerprint"] in words


def test_a_file_that_cannot_serve_is_refused_by_show_and_by_check(aegis, tmp_path, lived):
    (tmp_path / "broken.json").write_text("{}")
    said = aegis(
        "-C", lived, "--set", f"tokenizer.hrm-bpe.file={tmp_path}/broken.json", "tokenizer", "show"
    )

    assert said.code == 2
    assert "error[tokenizer-damaged]" in said.err
    assert "aegis tokenizer train" in said.err
