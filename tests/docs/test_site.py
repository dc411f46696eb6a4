"""The site is built from the code without a warning, has every public name, and loads nothing."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import aegis
from aegis import hookspecs, neural, testing
from aegis.cli.main import VERBS

ROOT = Path(__file__).resolve().parents[2]
HOOKS = [name for name in vars(hookspecs) if name.startswith("aegis_")]


pytestmark = pytest.mark.outside


def built(folder):
    """Build a site; return the exit status and what was said."""
    done = subprocess.run(
        [Path(sys.executable).parent / "zensical", "build", "--strict"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of what the site is made of, with the pages that are generated."""
    folder = tmp_path_factory.mktemp("site")
    kept_out = shutil.ignore_patterns("reference", "__pycache__")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=kept_out)
    shutil.copy(ROOT / "zensical.toml", folder)
    (folder / "aegis").symlink_to(ROOT / "aegis")
    done = subprocess.run(
        [sys.executable, "-W", "error", folder / "docs" / "generate.py"],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def site(copied):
    """The folder of the built site."""
    if importlib.util.find_spec("zensical") is None:
        pytest.skip("zensical is not installed: it comes with requirements-dev.txt")
    status, said = built(copied)
    assert status == 0, said
    began, issues, *ended = said.splitlines()
    assert (began, issues, len(ended)) == ("Build started", "No issues found", 1), said
    return copied / "site"


class Page(HTMLParser):
    """The headings of a page, and what it loads."""

    def __init__(self, file):
        super().__init__()
        self.headings, self.loaded, self._open = {}, [], None
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self._open = facts.get("id")
            self.headings[self._open] = ""
        if tag == "link" and facts.get("rel") not in {"canonical", "prev", "next"}:
            self.loaded.append(facts["href"])
        self.loaded += [facts[name] for name in ("src", "srcset", "data") if facts.get(name)]

    def handle_endtag(self, tag):
        if re.fullmatch("h[1-6]", tag):
            self._open = None

    def handle_data(self, data):
        if self._open is not None:
            self.headings[self._open] += data.strip()


def test_the_site_is_built_without_a_warning(site):
    assert (site / "index.html").is_file()


@pytest.fixture(scope="module")
def small(site, tmp_path_factory):
    """A site of two pages with the settings of the real one, which can be built."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "docs").mkdir()
    (folder / "docs" / "guide.md").write_text("# Guide\n", "utf-8")
    (folder / "docs" / "index.md").write_text("# Home\n", "utf-8")
    (folder / "aegis").symlink_to(ROOT / "aegis")
    pages = 'nav = [{ "Home" = "index.md" }, { "Guide" = "guide.md" }]\n'
    settings = (ROOT / "zensical.toml").read_text("utf-8")
    settings = re.sub(r"^nav = \[\n.*?^\]\n", pages, settings, flags=re.MULTILINE | re.DOTALL)
    (folder / "zensical.toml").write_text(settings, "utf-8")
    assert built(folder)[0] == 0
    return folder


@pytest.mark.parametrize(
    "wrong",
    [
        "[a page](absent.md)",
        "[a heading](guide.md#absent)",
        "[a name][aegis.Absent]",
        "::: aegis.Absent",
    ],
)
def test_a_link_or_name_that_leads_nowhere_fails_the_build(small, wrong):
    (small / "docs" / "index.md").write_text(f"# Home\n\n{wrong}\n", "utf-8")
    status, said = built(small)
    assert status != 0
    assert "bsent" in said


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_heading_and_a_test_that_names_it(site, hook):
    headings = Page(site / "reference" / "hooks.html").headings
    assert headings[f"aegis.hookspecs.{hook}"].startswith(hook)
    tests = (ROOT / "tests" / "host").glob("test_*.py")
    assert any(re.search(rf"\b{hook}\b", file.read_text("utf-8")) for file in tests)


@pytest.mark.parametrize("package", [aegis, neural, testing], ids=lambda package: package.__name__)
def test_every_public_name_stands_in_the_reference(site, package):
    pages = [Page(site / "reference" / f"{name}.html") for name in ("protocols", "api")]
    headings = {text.rstrip("¶") for page in pages for text in page.headings.values()}
    names = {f"{package.__name__}.{name}" for name in package.__all__}
    assert names - headings == set()


def test_every_command_stands_in_the_reference(site):
    headings = {
        text.rstrip("¶") for text in Page(site / "reference" / "commands.html").headings.values()
    }
    assert [verb for verb in VERBS if f"aegis {verb}" not in headings] == []
    assert {"aegis data export", "aegis checkpoints promote", "aegis model fetch"} <= headings


def test_every_section_of_the_file_stands_in_the_reference(site):
    headings = {
        text.rstrip("¶")
        for text in Page(site / "reference" / "configuration.html").headings.values()
    }
    expected = (
        "agent.view",
        "profiles.NAME.phases",
        "engine.gpt2",
        "engine.hrm",
        "tool.search_arxiv",
    )
    assert [name for name in expected if f"[{name}]" not in headings] == []


def test_no_page_loads_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) >= 14
    for file in pages:
        away = [target for target in Page(file).loaded if re.match(r"(?:[a-z]+:)?//", target)]
        assert away == [], file.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)[\"' ]*(?:https?:)?//", sheet.read_text("utf-8"))


def test_the_drawing_has_every_part_and_only_imports_of_the_source(copied):
    text = (copied / "docs" / "reference" / "imports.svg").read_text("utf-8")
    parts = {
        path.stem
        for path in (ROOT / "aegis").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").is_file()
    }
    drawn = set(re.findall(r'<text x="[\d.]+" y="[\d.]+">(\w+)</text>', text))
    assert drawn == parts
    assert not re.search(r"href|url\(|<script|<image", text)


def test_imports_for_annotations_are_not_drawn_and_circles_are_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import diagram

    package = tmp_path / "house"
    for name, source in {
        "__init__.py": "import house.attic\n",
        "attic.py": "from house import hall\nimport house.cellar.wine\n",
        "hall.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import house.attic\n"
        "def go():\n    from house.cellar import wine\n",
        "cellar/__init__.py": "",
        "cellar/wine.py": "def up():\n    import house.attic\n",
    }.items():
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text(source, "utf-8")
    found = diagram.read(package)
    assert found.rooms == ("attic", "cellar", "hall")
    assert found.loaded == {("attic", "hall"): 1, ("attic", "cellar"): 1}
    assert found.used == {("hall", "cellar"): 1, ("cellar", "attic"): 1}
    assert diagram.pointing_back({**found.loaded, **found.used}) == [("cellar", "attic")]
    text = diagram.draw(found, "A house")
    assert "points back" in text
    del sys.modules["diagram"]
