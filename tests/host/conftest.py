"""Plugins as real distributions on the path, and as files of a project."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def fresh_modules():
    """Forget the modules that a test imports."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("fixture_", "aegis_local_", "acme_")):
            del sys.modules[name]


@pytest.fixture
def install(tmp_path, monkeypatch, fresh_modules):
    """Write a distribution: its metadata, its entry point, and the module that it names."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def write(
        name: str,
        source: str,
        *,
        distribution: str | None = None,
        version: str = "0.3.0",
        api: str = "plugin_api = 1",
    ) -> Path:
        distribution = distribution or f"acme-{name}"
        folder = f"{distribution.replace('-', '_')}-{version}.dist-info"
        module = f"fixture_{folder.partition('-')[0]}"
        info = site / folder
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata, "utf-8")
        (info / "entry_points.txt").write_text(f"[aegis]\n{name} = {module}\n", "utf-8")
        path = site / f"{module}.py"
        path.write_text(f"import aegis\n{api}\n" + textwrap.dedent(source), "utf-8")
        return path

    return write


@pytest.fixture
def project(tmp_path, fresh_modules):
    """A project's folder: call it to write a file into it."""
    folder = tmp_path / "project"
    folder.mkdir()

    class Project:
        path = folder

        def write(self, name: str, source: str) -> Path:
            file = folder / name
            file.write_text(textwrap.dedent(source), "utf-8")
            return file

    return Project()


@pytest.fixture(scope="session")
def third_party(tmp_path_factory, root) -> Path:
    """The folder into which pip has installed a third party's distribution."""
    target = tmp_path_factory.mktemp("third-party")
    source = root / "tests" / "fixtures" / "third-party"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", str(target), str(source)],
        check=True,
    )  # fmt: skip
    return target


TOOL = """
@aegis.hookimpl
def aegis_tools():
    return [aegis.Component(kind="tool", name="{name}", summary="A tool.", build=lambda c, p, r: None)]
"""


@pytest.fixture
def tool_source():
    """The source of a plugin that provides one tool."""
    return lambda name: TOOL.format(name=name)
