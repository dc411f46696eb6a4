"""The wheels and source archives of every project of this repository, built once by `make dist`."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import tomli
from attrs import define
from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = [ROOT, *sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))]


@define(slots=False)
class Built:
    """One distribution: its project, its wheel and its source archive."""

    project: Path
    folder: Path

    @cached_property
    def declared(self) -> dict[str, Any]:
        """The table `[project]`."""
        return tomli.loads((self.project / "pyproject.toml").read_text("utf-8"))["project"]

    @property
    def name(self) -> str:
        return self.declared["name"]

    @property
    def is_host(self) -> bool:
        return self.project == ROOT

    @property
    def package(self) -> str:
        """The name by which it is imported."""
        return "aegis" if self.is_host else self.name.replace("-", "_")

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return f"{self.name.replace('-', '_')}-{self.declared['version']}"

    @property
    def wheel(self) -> Path:
        return self.folder / f"{self.stem}-py3-none-any.whl"

    @property
    def source(self) -> Path:
        return self.folder / f"{self.stem}.tar.gz"

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Everything in the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    @property
    def info(self) -> str:
        """The folder of the metadata in the wheel."""
        return f"{self.stem}.dist-info"

    @cached_property
    def metadata(self) -> Metadata:
        """The metadata, valid by the published rules."""
        return Metadata.from_email(self.files[f"{self.info}/METADATA"], validate=True)

    @property
    def entry_points(self) -> dict[str, dict[str, str]]:
        """The targets by group and name."""
        parser = ConfigParser(delimiters=("=",))
        parser.read_string(self.files[f"{self.info}/entry_points.txt"].decode())
        return {group: dict(parser[group]) for group in parser.sections()}


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without what an outer make, or a packager, has set."""
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "SOURCE_DATE_EPOCH", "PYTHONPATH", "DIST")
    return {**{key: value for key, value in os.environ.items() if key not in outer}, **more}


def run(command: list[str | Path], folder: Path, **environment: str) -> str:
    """Run a command in a folder, and return what it said."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_dist(folder: Path) -> Path:
    """Let `make dist` build into a folder, with the Python that runs the tests."""
    verb = ["make", "-s", "-o", "setup", "dist"]
    run([*verb, f"BIN={Path(sys.executable).parent}", f"DIST={folder}"], ROOT)
    return folder


@pytest.fixture(scope="session")
def dist(tmp_path_factory) -> Path:
    """The folder into which `make dist` has built; it was not empty before."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / "aegis_agents-0.0.1-py3-none-any.whl").write_bytes(b"of another day")
    return make_dist(folder)


@pytest.fixture(scope="session")
def dist_again(dist, tmp_path_factory) -> Path:
    """What `make dist` builds from the same sources another time."""
    return make_dist(tmp_path_factory.mktemp("again"))


@pytest.fixture(scope="session")
def all_built(dist) -> list[Built]:
    return [Built(project, dist) for project in PROJECTS]


@pytest.fixture(
    scope="session",
    params=PROJECTS,
    ids=lambda project: "host" if project == ROOT else project.name,
)
def built(request, dist) -> Built:
    return Built(request.param, dist)


@pytest.fixture
def unpacked(built, tmp_path) -> Path:
    """The folder that the source archive unpacks to."""
    with tarfile.open(built.source) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    return folder


@pytest.fixture
def rebuild():
    """Build wheel and source archive of a folder with the date of the last commit."""

    def build(folder: Path, target: Path, epoch: int) -> None:
        command = [sys.executable, "-m", "hatchling", "build", "-d", target]
        run(command, folder, SOURCE_DATE_EPOCH=str(epoch))

    return build


@pytest.fixture(scope="session")
def committed() -> int:
    """When the last commit was made, in seconds since 1970."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    return int(run(["git", "log", "-1", "--format=%ct"], ROOT))
