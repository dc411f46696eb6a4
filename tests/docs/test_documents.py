"""What the documentation shows is what happens: its commands are run, its Python is run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent


def blocks(file, language):
    return [body for found, body in BLOCK.findall(file.read_text()) if found == language]


def sessions(body):
    """Yield (command, expected output) of a block of console lines."""
    command, expected = None, []
    for line in body.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield command, expected
            command, expected = line[2:], []
        else:
            expected.append(line)
    yield command, expected


def matches(expected, found):
    """Whether lines are found in order; a line of dots stands for any lines, dots in it for any text."""
    pattern = ""
    for line in expected:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += r".*?".join(re.escape(part.rstrip()) for part in line.split("...")) + r" *\n"
    return re.fullmatch(pattern, found) is not None


@pytest.fixture
def checkout(tmp_path, root):
    (tmp_path / "examples").symlink_to(root / "examples")
    return tmp_path


def test_the_commands_of_the_readme_print_what_it_shows(root, checkout):
    for body in blocks(root / "README.md", "console"):
        for command, expected in sessions(body):
            words = shlex.split(command)
            if words[0] != "aegis":
                continue
            done = subprocess.run(
                [BIN / words[0], *words[1:]],
                cwd=checkout,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            found = done.stdout + done.stderr
            assert matches(expected, found), f"{command} printed:\n{found}"


def test_the_configuration_of_the_readme_passes_the_check(root, tmp_path):
    shutil.copytree(root / "data" / "library", tmp_path / "data" / "library")
    (shown,) = blocks(root / "README.md", "toml")
    (tmp_path / "aegis.toml").write_text(shown)
    done = subprocess.run(
        [BIN / "aegis", "-C", tmp_path, "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/guide.md"])
def test_the_python_of_a_page_runs(root, tmp_path, page):
    bodies = blocks(root / page, "python")
    assert bodies
    subprocess.run([BIN / "aegis", "init", tmp_path / "demo"], check=True, capture_output=True)
    for body in bodies:
        done = subprocess.run(
            [sys.executable, "-c", body],
            cwd=tmp_path / "demo",
            env={"PATH": str(BIN), "AEGIS_RUNTIME__OFFLINE": "true", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_the_tool_of_the_guide_is_a_tool(root, tmp_path):
    (body,) = [b for b in blocks(root / "docs" / "guide.md", "python") if "@aegis.tool" in b]
    subprocess.run([BIN / "aegis", "init", tmp_path / "demo"], check=True, capture_output=True)
    (tmp_path / "demo" / "weather.py").write_text(body)
    aegis = [BIN / "aegis", "-C", tmp_path / "demo"]
    subprocess.run([*aegis, "plugins", "enable", "./weather.py"], check=True, capture_output=True)
    run = [*aegis, "--set", "runtime.offline=true", "--set", 'agent.tools=["lookup"]', "run"]
    done = subprocess.run(
        [*run, "--profile", "random", "--steps", "1"], capture_output=True, text=True, check=False
    )
    assert "lookup" in done.stdout, done.stdout + done.stderr


def test_every_page_that_is_linked_exists_or_is_generated(root):
    generated = (root / "docs" / "generate.py").read_text()
    for page in [root / "README.md", root / "CHANGELOG.md", *(root / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if target.startswith("reference/"):
                assert f'"{Path(target).name}"' in generated, f"{page.name} links to {target}"
            elif "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_hook_is_documented_and_every_verb_is_in_the_guide(root):
    from aegis import hookspecs
    from aegis.cli.main import VERBS

    for name, hook in vars(hookspecs).items():
        if name.startswith("aegis_"):
            assert "Since plugin API" in hook.__doc__
    guide = (root / "docs" / "guide.md").read_text()
    assert [verb for verb in VERBS if f"aegis {verb}" not in guide] == []
