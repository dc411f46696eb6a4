"""The page of errors shows what is really printed: its codes exist, its commands are run again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "errors.md"
BIN = Path(sys.executable).parent
NOT_AGAIN = {
    "device-absent": "what is absent differs from machine to machine",
    "checkpoint-damaged": "needs a training; tests/checkpoints/test_damage.py has it",
}
"""Sections whose commands are not run here, and why."""


def sections():
    """Return the text below the heading of each code."""
    parts = re.split(r"^### (\S+)\n", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        code: re.split(r"^## ", body, flags=re.MULTILINE)[0]
        for code, body in zip(parts[::2], parts[1::2], strict=True)
    }


def block(body, language):
    found = re.search(rf"^```{language}\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
    return None if found is None else found[1]


def sessions(text):
    """Yield each command of a block of console lines with the output below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def matches(expected, found):
    """Whether the output is as shown; dots stand for any text, a line of dots for any lines."""
    if expected == "...\n":
        return True
    pattern = re.escape(expected).replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, found) is not None


SECTIONS = sections()
RUN = [code for code, body in SECTIONS.items() if "```console" in body and code not in NOT_AGAIN]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a new project, as each section begins with."""
    folder = tmp_path_factory.mktemp("errors")
    subprocess.run([BIN / "aegis", "init", folder / "demo"], check=True, capture_output=True)
    return folder


@pytest.fixture
def run(made, tmp_path, monkeypatch):
    """Return what a command prints, in a folder with a new project."""
    shutil.copytree(made / "demo", tmp_path / "demo")
    for name in os.environ:
        if name.startswith("AEGIS_"):
            monkeypatch.delenv(name)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}

    def in_a_shell(command):
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout

    return in_a_shell


@pytest.mark.outside
@pytest.mark.parametrize("code", RUN)
def test_the_commands_of_a_section_print_what_it_shows(run, tmp_path, code):
    body = SECTIONS[code]
    for language, name in (("toml", "aegis.toml"), ("python", "weather.py")):
        if (text := block(body, language)) is not None:
            (tmp_path / "demo" / name).write_text(text, "utf-8")
    holder = _agent(tmp_path) if code == "locked" else None
    try:
        for command, expected in sessions(block(body, "console")):
            found = run(command)
            assert matches(expected, found), f"{command} printed:\n{found}"
    finally:
        if holder is not None:
            holder.communicate("\n", timeout=60)


def _agent(folder):
    """Start an agent in a process of its own, which holds the project until it is told to end."""
    program = "import aegis\nwith aegis.open('demo/aegis.toml', profile='rules'):\n    print(flush=True)\n    input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    return process


def test_every_code_of_the_page_stands_in_the_source():
    files = [*(ROOT / "aegis").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")]
    source = "\n".join(file.read_text("utf-8") for file in files)
    assert len(SECTIONS) >= 25
    assert [
        code for code in SECTIONS if f'"{code}"' not in source and f"error[{code}]" not in source
    ] == []


def test_a_section_with_commands_shows_the_error_of_its_heading():
    for code, body in SECTIONS.items():
        console = block(body, "console")
        assert console is None or f"error[{code}]" in console


def test_a_section_says_what_to_do_in_words_of_its_own():
    for code, body in SECTIONS.items():
        prose = re.sub(r"^```.*?^```$", "", body, flags=re.MULTILINE | re.DOTALL)
        assert len(prose.split()) >= 8, code


def test_a_section_without_a_session_has_its_error_shown_in_another():
    shown = set(re.findall(r"^error\[(\S+)\]", PAGE.read_text("utf-8"), re.MULTILINE))
    assert {code for code in SECTIONS if code not in shown} == set()
    assert set(NOT_AGAIN) <= set(SECTIONS)
