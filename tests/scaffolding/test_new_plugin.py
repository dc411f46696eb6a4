"""A new plugin works as it is written: installed, enabled, held against every check, tested."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from aegis.errors import InputError
from aegis.scaffolding.writing import write_plugin

KINDS = ("trainer", "engine", "tokenizer", "tool", "environment")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A new environment with what this one has, and a project in it: fresh(words) runs Python."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "v"], check=True)
    (site,) = (folder / "v" / "lib").glob("python*/site-packages")
    here = sysconfig.get_paths()["purelib"]
    (site / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")

    def run(*words, cwd=folder, check=True):
        done = subprocess.run(
            [folder / "v" / "bin" / "python", "-m", *map(str, words)],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    run.folder = folder
    run("aegis", "init", "project", "-q")
    return run


@pytest.mark.outside
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_untouched(fresh, kind):
    name = f"new-{kind}"
    fresh("aegis", "plugins", "new", kind, name)
    install = ["install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-e"]
    fresh("pip", *install, name)
    fresh("aegis", "-C", "project", "plugins", "enable", name)
    done = fresh("aegis", "-C", "project", "--json", "plugins", "test", name)
    report = json.loads(done.stdout.splitlines()[-1])

    assert report["ok"]
    assert report["plugin"] == f"{name} 0.1.0"
    assert report["counts"]["passed"] >= 10
    fresh("pytest", "-q", "-p", "no:cacheprovider", cwd=fresh.folder / name)
    fresh("aegis", "-C", "project", "check")


def test_nothing_is_overwritten(tmp_path):
    write_plugin("tool", "lookup", tmp_path)
    mine = tmp_path / "lookup" / "README.md"
    mine.write_text("mine")

    with pytest.raises(InputError, match="nothing is overwritten"):
        write_plugin("engine", "lookup", tmp_path)
    assert mine.read_text() == "mine"
    assert not (tmp_path / "lookup" / "src" / "lookup" / "engine.py").exists()


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("toole", "mine", "plugin-kind"),
        ("tool", "../mine", "plugin-name"),
        ("tool", "Mine", "plugin-name"),
        ("tool", "9lives", "plugin-name"),
        ("tool", "", "plugin-name"),
        ("tool", "json", "plugin-taken"),
        ("tool", "numpy", "plugin-taken"),
        ("engine", "gpt2", "plugin-taken"),
        ("trainer", "reinforce", "plugin-taken"),
    ],
)
def test_a_word_that_cannot_be_used_is_refused(tmp_path, kind, name, code):
    with pytest.raises(InputError) as caught:
        write_plugin(kind, name, tmp_path)

    assert caught.value.problems[0].code == code
    assert caught.value.problems[0].fix
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_mark_of_a_template_is_filled_and_the_source_is_formatted(tmp_path, root, kind):
    files = write_plugin(kind, "a-b_c", tmp_path)

    for file in files:
        text = (tmp_path / file).read_text().replace("${{", "")
        assert "{{" not in text, file
    assert Path("a-b_c/src/a_b_c/py.typed") in files
    config = ["--config", root / "pyproject.toml"]
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", "-q", *config, tmp_path], check=True
    )


def test_a_trainer_is_a_page_of_code(tmp_path):
    """Sixty lines are the author's own at most; the rest says what is configured."""
    write_plugin("trainer", "mine", tmp_path)
    source = (tmp_path / "mine" / "src" / "mine" / "trainer.py").read_text()

    assert len([line for line in source.splitlines() if line.strip()]) <= 60
