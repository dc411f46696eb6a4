"""Each example plugin runs in a project of its own, offline, from its public interface alone."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import aegis
import aegis.neural

EXAMPLES = Path(__file__).resolve().parents[1]
PACKAGES = {
    "mcp-tools": "aegis_example_mcp",
    "openai-engine": "aegis_example_openai",
    "sklearn-bandit": "aegis_example_sklearn",
    "trl-dpo": "aegis_example_trl",
}
NEEDS = {
    "mcp-tools": "mcp",
    "openai-engine": "httpx2",
    "sklearn-bandit": "sklearn",
    "trl-dpo": "trl",
}
OPEN = {"aegis.commands", "aegis.neural", "aegis.testing"}
GUARD = """
import os, sys


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in os.environ.get("AEGIS_TEST_ABSENT", "").split():
            raise ImportError(f"{name} is not there in this test")


def watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
        if host not in ("127.0.0.1", "::1", "localhost"):
            with open(os.environ["AEGIS_TEST_OUTSIDE"], "a") as file:
                print(host, file=file)
            raise OSError(f"{host} is outside of this machine")


sys.meta_path.insert(0, Absent())
sys.addaudithook(watch)
"""
every_example = pytest.mark.parametrize("name", PACKAGES)


class Project:
    """An example's aegis.toml in a folder of its own, and the command line in real processes."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self._sets = ["--set", f"agent.library={EXAMPLES.parent / 'data' / 'library'}"]
        text = (EXAMPLES / name / "aegis.toml").read_text()
        if not self.is_installed:
            file = EXAMPLES / name / "src" / PACKAGES[name] / "plugin.py"
            text, count = re.subn(rf'(enabled = .*)"{name}"\]', rf'\1"{file}"]', text)
            assert count == 1
        (folder / "aegis.toml").write_text(text)
        (folder / "guard").mkdir()
        (folder / "guard" / "sitecustomize.py").write_text(GUARD)
        own = [] if self.is_installed else [EXAMPLES / name / "src"]
        paths = [folder / "guard", *own, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AEGIS_TEST_OUTSIDE": str(folder / "outside.txt"),
            "OMP_NUM_THREADS": "1",
        }

    @property
    def is_installed(self):
        return any(
            entry.name == self.name for entry in importlib.metadata.entry_points(group="aegis")
        )

    def set(self, key, value):
        self._sets += ["--set", f"{key}={value}"]

    def fails(self, *words):
        """Return what a command that fails says."""
        done = self._run(*words)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def __call__(self, *words):
        """Return what a command that works says."""
        done = self._run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _run(self, *words):
        program = "import sys; from aegis.cli.main import main; main(sys.argv[1:])"
        return subprocess.run(
            [sys.executable, "-c", program, "-C", str(self.folder), *self._sets, *words],
            check=False,
            capture_output=True,
            text=True,
            env=self.environment,
        )


@pytest.fixture
def project(tmp_path):
    """Make the project of an example; in the end nothing outside of this machine was asked."""

    def make(name):
        pytest.importorskip(NEEDS[name], reason=f"the example {name} needs it")
        return Project(tmp_path, name)

    yield make
    assert not (tmp_path / "outside.txt").exists(), (tmp_path / "outside.txt").read_text()


def sources(name):
    return sorted((EXAMPLES / name / "src").rglob("*.py"))


@every_example
def test_an_example_has_less_than_150_lines(name):
    assert sources(name)
    assert sum(len(file.read_text().splitlines()) for file in sources(name)) < 150


@every_example
def test_an_example_uses_nothing_of_aegis_that_is_not_public(name):
    for file in sources(name):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                used = {alias.name for alias in node.names}
                assert not {n for n in used if n.startswith("aegis.")} - OPEN, file
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "aegis":
                assert node.module in {"aegis", *OPEN}, f"{file}: {node.module}"
                public = set(importlib.import_module(node.module).__all__)
                assert {alias.name for alias in node.names} <= public, file
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "aegis":
                public = {*aegis.__all__, "neural", "testing"}
                assert node.attr in public, f"{file}: aegis.{node.attr}"


@every_example
def test_an_example_is_a_distribution(name):
    table = tomllib.loads((EXAMPLES / name / "pyproject.toml").read_text())
    project, package = table["project"], PACKAGES[name]
    assert project["entry-points"]["aegis"] == {name: f"{package}.plugin"}
    assert project["license"] == "Apache-2.0"
    assert "aegis-agents>=0.1,<0.2" in project["dependencies"]
    assert "Typing :: Typed" in project["classifiers"]
    assert (EXAMPLES / name / "src" / package / "py.typed").is_file()
    assert table["build-system"]["build-backend"] == "hatchling.build"
    assert (EXAMPLES / name / "README.md").is_file()


@every_example
def test_the_readme_shows_the_profile_that_is_shipped(name):
    text = (EXAMPLES / name / "README.md").read_text()
    (shown,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    shipped = tomllib.loads((EXAMPLES / name / "aegis.toml").read_text())
    assert is_within(tomllib.loads(shown), shipped)


def is_within(part, whole):
    """Return whether everything in `part` stands in `whole`."""
    if isinstance(part, dict):
        return all(key in whole and is_within(value, whole[key]) for key, value in part.items())
    return part == whole


def test_the_bandit_learns_without_torch(project):
    bandit = project("sklearn-bandit")
    bandit.environment["AEGIS_TEST_ABSENT"] = "torch transformers"
    assert "can work" in bandit("check")
    bandit("run", "--steps", "120")
    assert "finished" in bandit("train", "--no-judge")
    bandit("checkpoints", "promote", "latest")
    assert "240 in all" in bandit("run", "--steps", "120")
    assert "bandit.safetensors" in bandit("checkpoints", "show", "latest")


@pytest.mark.slow
def test_preferences_are_learned_with_trl(project):
    pytest.importorskip("aegis_gpt2_lora", reason="the example trains the engine gpt2")
    dpo = project("trl-dpo")
    assert "can work" in dpo("check")
    dpo("run", "--steps", "24")
    assert "finished" in dpo("train", "--no-judge")
    dpo("checkpoints", "promote", "latest")
    assert "26 in all" in dpo("run", "--steps", "2")


def test_a_server_of_the_openai_api_decides(project):
    file = EXAMPLES / "openai-engine" / "tests" / "server.py"
    spec = importlib.util.spec_from_file_location("example_openai_server", file)
    server_module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(server_module)
    engine = project("openai-engine")
    with server_module.running() as server:
        engine.set("engine.openai-compatible.base_url", server.url)
        assert "can work" in engine("check")
        assert not server.asked, "the check asks nobody"
        assert "3 in all" in engine("run", "--steps", "3")
        assert {path for path, _, _ in server.asked} == {"/v1/completions"}
        server.fault = "no-echo"
        assert "6 in all" in engine("run", "--steps", "3")
        assert server.asked[-1][0] == "/v1/chat/completions"
        server.fault = "401"
        assert "error[openai-status-401]" in engine.fails("run", "--steps", "3")
        server.fault = ""
        assert "7 in all" in engine("run", "--steps", "1"), "what failed is no step"
    engine.set("engine.openai-compatible.base_url", "https://api.example.com/v1")
    assert "error[openai-offline]" in engine.fails("run", "--steps", "3")


def test_a_pinned_tool_of_an_mcp_server_is_called(project):
    tools = project("mcp-tools")
    shutil.copytree(EXAMPLES / "mcp-tools" / "tests", tools.folder / "tests")
    server = tools.folder / "tests" / "notes_server.py"
    printed = tools("mcp-pin", "--", sys.executable, str(server))
    shipped = tomllib.loads((tools.folder / "aegis.toml").read_text())["tool"]["mcp"]
    assert f'digest = "{shipped["digest"]}"' in printed
    assert "can work" in tools("check")
    said = tools("run", "--steps", "4")
    assert re.search(r"mcp .* ok: 1 found: 1 new", said), said
    server.write_text(server.read_text().replace("Searches notes.", "Sends notes to others."))
    tools("tell", "--goal", "low-rank adaptation of hierarchical reasoning")
    assert re.search(r"mcp .* denied: .*pinned", said := tools("run", "--steps", "4")), said
