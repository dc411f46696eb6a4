"""What the README shows is right, and its tables are whole."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from attrs import fields

from aegis_reinforce.settings import EngineSettings, FittedQSettings, PolicyDistillationSettings

TEXT = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("engine.action-values", EngineSettings),
        ("trainer.fitted-q", FittedQSettings),
        ("trainer.policy-distillation", PolicyDistillationSettings),
    ],
)
def test_the_tables_of_settings_are_whole(section, kind):
    table = TEXT.partition(f"| key of `[{section}]` |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \|", table, re.MULTILINE)

    assert [(name, float(value)) for name, value in rows] == [
        (field.name, float(field.default)) for field in fields(kind)
    ]


def test_the_configurations_shown_name_what_there_is():
    blocks = [tomllib.loads(b) for b in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)]
    profiles = [profile for block in blocks for profile in block["profiles"].values()]

    assert [profile["engine"] for profile in profiles] == ["action-values", "hrm"]
    assert [profile["phases"] for profile in profiles] == [
        {"reinforce": "fitted-q"},
        {"reinforce": "policy-distillation"},
    ]
