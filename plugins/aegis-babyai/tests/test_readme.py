from __future__ import annotations

import re
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest
from attrs import fields

from aegis.config.structure import structure
from aegis.contracts.view import View
from aegis_babyai.gymnasium_component import GymnasiumSettings
from aegis_babyai.levels import LEVELS, WITHOUT_TEACHER
from aegis_babyai.rendering import PAST, SEEN, scene_of
from aegis_babyai.settings import BabyAISettings

TEXT = (Path(__file__).parents[1] / "README.md").read_text()
SECTIONS = [("babyai", BabyAISettings), ("gymnasium", GymnasiumSettings)]


@pytest.mark.parametrize(("name", "kind"), SECTIONS)
def test_the_configuration_shown_is_right_and_the_table_of_its_keys_whole(name, kind):
    blocks = [tomllib.loads(b) for b in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)]
    shown = [b["environment"][name] for b in blocks if name in b.get("environment", {})]
    assert shown
    for raw in shown:
        assert structure(kind, raw, ("environment", name))[1] == []
    table = TEXT.partition(f"| key of `[environment.{name}]`")[2].partition("\n\n")[0]
    keys = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert keys == [field.name for field in fields(kind)]


def test_the_views_shown_are_some():
    shown = re.findall(r"(?:^    (?:goal|observation|recent|step): .*\n)+", TEXT, re.MULTILINE)
    scenes = [scene_of(View.parse(dedent(text).strip()).observation) for text in shown]
    assert [scene.start is None for scene in scenes] == [True, False]
    assert f"{SEEN} in sight and {PAST} out of sight" in TEXT


def test_the_levels_named_are_levels():
    named = re.findall(r"^\| (\w+) \| [\d.]+ \| \d+ \|$", TEXT, re.MULTILINE)
    assert len(named) == 5
    assert set(named) <= LEVELS.keys()
    left_out = TEXT.partition("but for seven")[2].partition("## ")[0]
    patterns = [name.replace("...", r"\w+") for name in re.findall(r"`([A-Z][\w.]+)`", left_out)]
    assert len(WITHOUT_TEACHER) == 7
    assert all(any(re.fullmatch(p, level) for p in patterns) for level in WITHOUT_TEACHER)
