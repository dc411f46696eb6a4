"""The tutorial is followed: every command is run, every piece of code is put where it says."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import textwrap

import pytest

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
INSTALL = "install -q --no-deps --no-build-isolation --no-index -e likes"
WHEEL = "wheel -q --no-deps --no-build-isolation --no-index --wheel-dir dist ./likes"


def place(path, text):
    """Put code into a file: in the place of what bears its name, or at the end."""
    source = path.read_text()
    if path.suffix != ".py":
        path.write_text(f"{source}\n{text}")
        return
    (new,) = ast.parse(text).body
    for node in ast.walk(ast.parse(source)):
        if getattr(node, "name", None) == new.name:
            lines = source.splitlines(keepends=True)
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            moved = textwrap.indent(text, " " * node.col_offset)
            path.write_text("".join([*lines[:first], moved, *lines[node.end_lineno :]]))
            return
    path.write_text(f"{source}\n\n{text}")


def commands(body):
    """Yield each command with the lines that it is said to print."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, *expected = part.splitlines()
        yield command, expected


def in_order(expected, found):
    """Whether lines are found in order; a line of dots stands for any lines, dots in it for text."""
    pattern = ""
    for line in expected:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += r".*?".join(re.escape(part) for part in line.split("...")) + r" *\n"
    return re.fullmatch(pattern, found) is not None


@pytest.mark.outside
def test_the_tutorial_works_word_for_word(tmp_path, root):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    (site,) = (tmp_path / "v" / "lib").glob("python*/site-packages")
    here = sysconfig.get_paths()["purelib"]
    (site / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    python = str(tmp_path / "v" / "bin" / "python")
    folder = tmp_path / "empty"
    folder.mkdir()
    ran = 0
    for language, title, body in BLOCK.findall((root / "docs" / "tutorial.md").read_text()):
        if title:
            place(folder / title, body)
        for command, expected in commands(body) if language == "console" else ():
            words = shlex.split(command)
            if words[0] == "pip":
                words = ["pip", *(INSTALL if words[1] == "install" else WHEEL).split()]
            done = subprocess.run(
                [python, "-m", *words],
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1", "AEGIS_RUNTIME__OFFLINE": "true"},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            assert in_order(expected, done.stdout), f"{command} printed:\n{done.stdout}"
            ran += 1

    assert ran == 13
    assert [wheel.name for wheel in (folder / "dist").iterdir()] == ["likes-0.1.0-py3-none-any.whl"]


def test_every_check_that_the_tutorial_names_exists(root):
    from aegis.testing import all_checks

    named = set(re.findall(r"`(trainer-[a-z]+)`", (root / "docs" / "tutorial.md").read_text()))
    assert named
    assert named <= {one.name for one in all_checks()}


def test_the_tutorial_names_every_fixture(root):
    from aegis.testing import fixtures

    page = (root / "docs" / "tutorial.md").read_text()
    assert all(f"`{n}`" in page for n in vars(fixtures) if n.startswith("aegis_"))
