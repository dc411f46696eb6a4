from __future__ import annotations

import subprocess
import sys

import pytest

import aegis
from aegis.errors import ConfigError
from aegis_arxiv import plugin
from aegis_arxiv.settings import ArxivSettings

HEAVY = ("arxiv", "requests", "urllib3", "lxml", "feedparser", "numpy", "torch", "sqlite3")


def _component() -> aegis.Component:
    (component,) = plugin.aegis_tools()
    return component


def _runtime(tmp_path, **options) -> aegis.Runtime:
    return aegis.Runtime(project=tmp_path, data=tmp_path / "cache", **options)


def test_the_manifest():
    component = _component()
    assert (component.kind, component.name, component.config) == (
        "tool",
        "search_arxiv",
        ArxivSettings,
    )
    assert plugin.plugin_api == 1
    assert component.describe is not None
    assert component.describe(ArxivSettings()) == aegis.ToolCapabilities(
        text_slot="query", closed_candidates=True, network=True
    )


def test_the_entry_point_names_the_plugin():
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="aegis", name="arxiv")
    assert entry.load() is plugin
    assert entry.dist is not None
    assert entry.dist.name == "aegis-arxiv"


def test_a_wrong_section_is_told_by_the_check_and_refused_by_the_build(tmp_path):
    component, settings = _component(), ArxivSettings(categories=("x y",), base_url="nowhere")
    assert component.check is not None
    found = list(component.check(settings, {}))
    assert [problem.code for problem in found] == ["arxiv-category", "arxiv-address"]
    with pytest.raises(ConfigError) as caught:
        component.build(settings, {}, _runtime(tmp_path))
    assert list(caught.value.problems) == found


def test_the_tool_shares_its_folder_with_the_worker(tmp_path, call):
    from aegis_arxiv.loopback import Reply, serve

    with serve([Reply(status=503)]) as server:
        settings = ArxivSettings(base_url=server.url)
        agent = _component().build(settings, {}, _runtime(tmp_path))
        worker = _component().build(settings, {}, _runtime(tmp_path))
        assert list(agent.candidates(aegis.View("Understand adapters")))
        call(worker, query="adapters")
        assert list(agent.candidates(aegis.View("Understand adapters"))) == []
    assert (tmp_path / "cache" / "search_arxiv" / "arxiv.sqlite").is_file()


def test_an_offline_run_offers_nothing(tmp_path):
    tool = _component().build(ArxivSettings(), {}, _runtime(tmp_path, offline=True))
    assert list(tool.candidates(aegis.View("Understand adapters"))) == []


OFFER = """
import aegis
from aegis_arxiv import plugin
component = plugin.aegis_tools()[0]
tool = component.build(component.config(), {}, aegis.Runtime(Path('.'), Path('none')))
assert list(tool.candidates(aegis.View('Understand adapters')))
"""
BUILD = """
import sys
from pathlib import Path
{body}
print(*[name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        (
            "from aegis_arxiv import plugin; c = plugin.aegis_tools()[0]; c.describe(c.config())",
            set(),
        ),
        (OFFER, {"sqlite3"}),
    ],
    ids=["described", "built"],
)
def test_the_network_libraries_are_imported_by_a_call_only(body: str, allowed: set[str]):
    code = BUILD.format(body=body, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == allowed
