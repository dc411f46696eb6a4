"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data that is no part of the repository."""
    folder = Path(os.environ.get("AEGIS_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}: set AEGIS_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


TALLY = """
profile = "tally"
[plugins]
enabled = ["tally.py"]
[agent]
practice_when_idle = false
[learning]
judge_episodes = 20
[profiles.tally]
engine = "tally"
environment = "doors"
phases.imitate = "tally"
"""


@pytest.fixture(scope="session")
def _lived(tmp_path_factory) -> Path:
    """A project whose agent has decided 120 times."""
    from aegis.agent.assembly import open_agent

    folder = tmp_path_factory.mktemp("tally") / "project"
    folder.mkdir()
    shutil.copy(ROOT / "tests" / "fixtures" / "trainers" / "tally.py", folder)
    (folder / "aegis.toml").write_text(TALLY, "utf-8")
    with open_agent(folder / "aegis.toml") as agent:
        for _ in agent.run(120):
            pass
    return folder


@pytest.fixture
def trainable(_lived, tmp_path) -> Path:
    """A project with experience, whose profile has an engine and a trainer of a local plugin."""
    return Path(shutil.copytree(_lived, tmp_path / "trainable"))


CORRIDOR = """
profile = "tally"
[plugins]
enabled = ["corridor.py", "tally.py", "moody.py"]
[learning]
judge_episodes = 10
[profiles.tally]
engine = "tally"
environment = "corridor"
phases.imitate = "tally"
[profiles.moody]
engine = "moody"
environment = "corridor"
"""


@pytest.fixture(autouse=True)
def _small_numbers() -> None:
    """Let numbers be as small as they are again: engines that other tests built count them as 0.

    That holds for the whole process (`aegis.neural.use_threads`).
    """
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_flush_denormal(False)


@pytest.fixture
def corridor(tmp_path) -> Path:
    """A project with the seeded environment ``corridor``.

    One of its engines can be trained, another can go wrong.
    """
    folder = tmp_path / "corridor"
    folder.mkdir()
    for name in ("environments/corridor.py", "trainers/tally.py", "engines/moody.py"):
        shutil.copy(ROOT / "tests" / "fixtures" / name, folder)
    (folder / "aegis.toml").write_text(CORRIDOR, "utf-8")
    return folder
