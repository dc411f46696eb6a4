"""A new project fits what is installed, and runs."""

from __future__ import annotations

import tomllib

import pytest

from aegis import resources
from aegis.cli.fitting import fitted
from aegis.config.config import load
from aegis.config.source import read
from aegis.host.manager import Host

DEFAULT = resources.configuration().read_text()
ALL = ("gpt2-lora", "hrm", "arxiv")


@pytest.mark.parametrize(
    ("installed", "profile"),
    [
        (("hrm",), "hrm"),
        (("hrm", "arxiv"), "hrm"),
        (("gpt2-lora",), "gpt2-lora"),
        (("arxiv",), "rules"),
        ((), "rules"),
    ],
)
def test_what_is_absent_is_left_out_and_the_rest_decides(tmp_path, installed, profile):
    text, absent = fitted(DEFAULT, installed)
    (tmp_path / "aegis.toml").write_text(text)
    source = read(tmp_path / "aegis.toml")
    host = Host.load(source.enabled, tmp_path)
    config = load(source, [provided.component for provided in host.components()])

    assert absent == [name for name in ALL if name not in installed]
    assert source.enabled == tuple(name for name in ALL if name in installed)
    assert config.profile_name == profile


def test_what_is_left_out_stays_as_a_comment():
    text, _ = fitted(DEFAULT, ("hrm",))
    kept = [line.removeprefix("# ") for line in text.splitlines()]

    for line in DEFAULT.splitlines():
        assert line.removeprefix("# ") in kept or line.startswith(("profile", "enabled"))


def test_where_everything_is_installed_nothing_is_changed():
    assert fitted(DEFAULT, (*ALL, "babyai")) == (DEFAULT, [])
    assert tomllib.loads(DEFAULT)["plugins"]["enabled"] == list(ALL)
