"""Fixtures of pytest, there for every test where Aegis is installed.

    def test_my_tool_finds_the_note(aegis_project):
        project = aegis_project(plugins=["my-tool"])
        ...

Nothing is imported before a fixture is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aegis.contracts.roles import ExperienceDataset
    from aegis.testing.clock import ManualClock
    from aegis.testing.loopback import Answering, Loopback, Reply
    from aegis.testing.projects import ToyProject


@pytest.fixture
def aegis_project(tmp_path: Path) -> Callable[..., ToyProject]:
    """A function that makes projects in the test's folder, of TOML text and names of plugins."""
    from aegis.testing.projects import ToyProject

    made: list[ToyProject] = []

    def make(settings: str = "", plugins: Any = ()) -> ToyProject:
        made.append(ToyProject.make(tmp_path / f"project-{len(made)}", settings, plugins))
        return made[-1]

    return make


@pytest.fixture
def aegis_experience() -> ExperienceDataset:
    """48 steps that teach one thing: `take` pays, nothing else does."""
    from aegis.testing.toys import toy_experience

    return toy_experience()


@pytest.fixture
def aegis_engine(tmp_path: Path) -> Callable[..., Any]:
    """A function that builds tiny engines of torch, which play any kind."""
    from aegis.contracts.component import Runtime
    from aegis.testing.tiny import tiny_component

    def build(kind: str = "tiny", checkpoint: Path | None = None, seed: int = 0) -> Any:
        runtime = Runtime(tmp_path, tmp_path / "cache", "cpu", 1, seed, checkpoint, offline=True)
        return tiny_component(kind).build(None, {}, runtime)

    return build


@pytest.fixture
def aegis_clock() -> ManualClock:
    """A clock that the test moves."""
    from aegis.testing.clock import ManualClock

    return ManualClock()


@pytest.fixture
def aegis_server() -> Iterator[Callable[..., Loopback]]:
    """A function that starts an HTTP server on 127.0.0.1, of replies or of what makes them."""
    from contextlib import ExitStack

    from aegis.testing.loopback import serve_http

    with ExitStack() as stack:

        def start(answers: Answering | list[Reply], path: str = "") -> Loopback:
            return stack.enter_context(serve_http(answers, path))

        yield start
