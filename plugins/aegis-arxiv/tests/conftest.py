"""Fixtures of the plugin's tests."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from aegis import ToolContext, ToolResult
from aegis_arxiv.loopback import Paper, Reply, parameters
from aegis_arxiv.settings import ArxivSettings
from aegis_arxiv.tool import SearchArxiv

if TYPE_CHECKING:
    from aegis.testing import ManualClock

ROOT = Path(__file__).resolve().parents[3]

settings.register_profile("arxiv", deadline=None, max_examples=200)
settings.load_profile("arxiv")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data that is no part of the repository."""
    folder = Path(os.environ.get("AEGIS_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}: set AEGIS_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def recorded(shared: Path) -> dict[frozenset[tuple[str, str]], Reply]:
    """Answers of the real arXiv, by the parameters that they answer."""
    answers = {}
    for path in sorted((shared / "arxiv" / "atom").glob("*.json")):
        answer = json.loads(path.read_text())
        answers[parameters(answer["url"])] = Reply(answer["body"].encode(), answer["status_code"])
    return answers


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxies are not for 127.0.0.1."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def clock(aegis_clock: ManualClock) -> ManualClock:
    return aegis_clock


Call = Callable[..., ToolResult]


@pytest.fixture
def build(tmp_path: Path, clock: ManualClock) -> Callable[..., SearchArxiv]:
    """Makes a tool over the test's folder and clock: build(url, **settings)."""

    def made(url: str, *, folder: Path | None = None, **options: Any) -> SearchArxiv:
        settings = ArxivSettings(base_url=url, **{"timeout": 5.0, **options})
        return SearchArxiv(settings, folder or tmp_path / "search_arxiv", clock=clock)

    return made


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Calls a tool: call(tool, seconds=60, offline=False, **arguments)."""

    def called(
        tool: SearchArxiv, *, seconds: float = 60.0, offline: bool = False, **arguments: Any
    ) -> ToolResult:
        context = ToolContext(
            key="k",
            deadline=time.monotonic() + seconds,
            cache=tmp_path / "search_arxiv",
            offline=offline,
        )
        return tool.call(arguments, context)

    return called


@pytest.fixture
def papers() -> list[Paper]:
    """Three small papers."""
    return [
        Paper(
            "2106.09685",
            "LoRA: Low-Rank Adaptation of Large Language Models",
            "We freeze the weights and train low-rank matrices. Compare arXiv:1902.00751v2.",
            version=2,
            authors=("Edward J. Hu", "Yelong Shen"),
            categories=("cs.CL", "cs.AI", "cs.LG"),
        ),
        Paper(
            "1902.00751",
            "Parameter-Efficient Transfer Learning",
            "Adapter modules add few parameters to a language model.",
            categories=("cs.LG", "stat.ML"),
            published="2019-02-02T16:29:47Z",
        ),
        Paper(
            "math/0309136",
            "Low-dimensional topology of knots",
            "Knots and their invariants.",
            categories=("math.GT",),
            published="2003-09-08T12:00:00Z",
            comment="This paper has been withdrawn by the author due to an error in Lemma 2",
        ),
    ]
