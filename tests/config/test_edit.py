"""Edits of the allow-list leave everything else as it was."""

from __future__ import annotations

import os
import stat

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.config.edit import disable, enable
from aegis.errors import ConfigError, InputError


def after(path, edit, name):
    changed = edit(path, name)
    return changed, path.read_text(encoding="utf-8")


def test_the_shipped_file_keeps_every_other_byte(root, tmp_path):
    before = (root / "aegis.toml").read_text(encoding="utf-8")
    path = tmp_path / "aegis.toml"
    path.write_text(before, encoding="utf-8")
    old, new = '["gpt2-lora", "hrm", "arxiv"]', '["gpt2-lora", "hrm", "arxiv", "acme>=0.1"]'
    assert after(path, enable, "acme>=0.1") == (True, before.replace(old, new))
    assert after(path, enable, "acme>=0.1")[0] is False
    assert after(path, disable, "acme") == (True, before)
    assert after(path, disable, "acme")[0] is False
    assert after(path, disable, "gpt2-lora") == (True, before.replace(old, '["hrm", "arxiv"]'))


def test_an_array_over_several_lines_keeps_its_style_and_comments(write_config):
    text = '[plugins]\nenabled = [\n  # engines\n  "gpt2-lora",  # decides\n  "arxiv",      # finds\n]\n# end\n'
    path = write_config(text)
    assert after(path, enable, "hrm") == (True, text.replace("\n]", '\n  "hrm",\n]'))
    assert after(path, disable, "hrm") == (True, text)
    path = write_config(text)
    assert after(path, disable, "arxiv") == (True, text.replace('  "arxiv",      # finds\n', ""))


def test_other_versions_of_the_same_plugin_are_replaced_in_place(write_config):
    path = write_config('[plugins]\nenabled = ["a", "hrm>=0.1", "b"] # x\n')
    assert after(path, enable, "hrm") == (True, '[plugins]\nenabled = ["a", "hrm", "b"] # x\n')


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", '[plugins]\nenabled = ["a"]\n'),
        ("# only a comment", '# only a comment\n\n[plugins]\nenabled = ["a"]\n'),
        ("x.y = 1 # z\n", 'x.y = 1 # z\n\n[plugins]\nenabled = ["a"]\n'),
        ("[t] # z\nk = 1\n", '[t] # z\nk = 1\n\n[plugins]\nenabled = ["a"]\n'),
        ("[plugins] # z\n", '[plugins] # z\nenabled = ["a"]\n'),
        ("[plugins]\n[t]\nk = 1\n", '[plugins]\nenabled = ["a"]\n[t]\nk = 1\n'),
        ("plugins.enabled = []\nb = 2\n", 'plugins.enabled = ["a"]\nb = 2\n'),
        ("plugins = { enabled = ['b'] } # z\n", "plugins = { enabled = ['b', \"a\"] } # z\n"),
    ],
)
def test_the_section_is_made_where_it_is_absent(write_config, before, expected):
    assert after(write_config(before), enable, "a") == (True, expected)
    path = write_config(before)
    changed, text = after(path, disable, "a")
    assert (changed, text) == (False, before)


names = st.from_regex(r"[a-z][a-z0-9-]{0,6}", fullmatch=True)
fillers = st.sampled_from(
    ["", "# note\n", "\n", 'k = "[plugins]" # x\n', "[t.u]\nv = [1,\n 2] # y\n"]
)


@given(st.lists(names, unique=True, max_size=4), names, fillers, fillers, st.booleans())
@settings(max_examples=100, deadline=None)
def test_enable_and_disable_are_set_operations_on_the_list_only(
    tmp_path_factory, entries, name, head, tail, lines
):
    path = tmp_path_factory.mktemp("edit") / "aegis.toml"
    inner = "".join(f"\n  '{e}', # {e}" for e in entries) + "\n" if lines else str(entries)[1:-1]
    text = (
        f"{head}[plugins] # allow\nenabled = [{inner}] # list\n[z]\n{tail.replace('[t.u]', '[q]')}"
    )
    path.write_text(text, encoding="utf-8")
    assert enable(path, name) is (name not in entries)
    added = path.read_text(encoding="utf-8")
    wanted = entries if name in entries else [*entries, name]
    assert tomli.loads(added) == {**tomli.loads(text), "plugins": {"enabled": wanted}}
    assert added.endswith(text[text.index("] # list") :])
    assert all(f"# {entry}" in added for entry in entries if lines)
    assert disable(path, name) is True
    left = [entry for entry in entries if entry != name]
    removed = path.read_text(encoding="utf-8")
    assert tomli.loads(removed)["plugins"]["enabled"] == left
    assert removed.startswith(f"{head}[plugins] # allow\nenabled = [")


def test_mode_links_mark_and_line_ends_stay(tmp_path):
    real = tmp_path / "real.toml"
    real.write_bytes(b"\xef\xbb\xbf[plugins]\r\nenabled = []\r\n# end\r\n")
    real.chmod(0o640)
    link = tmp_path / "aegis.toml"
    link.symlink_to(real)
    assert enable(link, "a")
    assert link.is_symlink()
    assert real.read_bytes() == b'\xef\xbb\xbf[plugins]\r\nenabled = ["a"]\r\n# end\r\n'
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["aegis.toml", "real.toml"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(write_config, monkeypatch):
    path = write_config("[plugins]\n")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
        enable(path, "a")
    assert [entry.name for entry in path.parent.iterdir()] == ["aegis.toml"]
    assert path.read_text(encoding="utf-8") == "[plugins]\n"


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "-a", "a\n"])
def test_what_can_name_no_plugin_is_refused(write_config, name):
    with pytest.raises(InputError, match="invalid-name"):
        enable(write_config(""), name)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("plugins = 1\n", "wrong-type"),
        ("plugins.enabled = 'a'\n", "wrong-type"),
        ("plugins = = 1\n", "toml-syntax"),
        (".".join(["a"] * 99) + " = 1\n", "config-too-large"),
    ],
)
def test_a_file_that_is_wrong_is_left_alone(write_config, text, code):
    path = write_config(text)
    with pytest.raises(ConfigError, match=code):
        enable(path, "a")
    assert path.read_text(encoding="utf-8") == text


def test_an_absent_file_is_not_made(tmp_path):
    with pytest.raises(ConfigError, match="config-absent"):
        enable(tmp_path / "aegis.toml", "a")
