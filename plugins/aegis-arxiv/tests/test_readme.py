from __future__ import annotations

import re
import tomllib
from pathlib import Path

from attrs import fields

from aegis_arxiv.settings import ArxivSettings, problems

TEXT = (Path(__file__).parents[1] / "README.md").read_text()


def _block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert match is not None
    return match[1]


def test_the_configuration_shown_is_right():
    section = tomllib.loads(_block("toml"))["tool"]["search_arxiv"]
    assert list(problems(ArxivSettings(**section))) == []


def test_the_table_of_settings_is_whole():
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", TEXT.partition("## Settings")[2], re.MULTILINE)
    named = re.findall(r"\w+", " ".join(rows))
    assert named == [field.name for field in fields(ArxivSettings)]


def test_the_code_shown_runs(capsys):
    exec(compile(_block("python"), "README.md", "exec"), {})
    assert re.fullmatch(
        r"aegis run --set tool\.search_arxiv\.base_url=http://127\.0\.0\.1:\d+/api/query\n",
        capsys.readouterr().out,
    )
