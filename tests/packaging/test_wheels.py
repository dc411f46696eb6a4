"""What is published is what was meant: the content and the metadata of every distribution."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.metadata import packages_distributions
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.outside

MIB = 2**20
HEAVY = {"torch", "transformers", "peft", "tokenizers", "safetensors", "huggingface-hub"}
NOT_FOR_USERS = {"tests", "test", "scripts", "benchmarks", "__pycache__", "conftest.py"}
PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".npy", ".npz"}
URL = re.compile(rb"(?:https?|file|ftp)://[^\s\"'<>)\]}`]+")
# words that stand in the addresses of package registries and their mirrors
REGISTRY = re.compile(
    r"pypi|pythonhosted|conda|registry|mirror|artifactory|nexus|devpi|simple/|/whl"
)


# The archives.


def test_make_dist_builds_every_project_and_leaves_nothing_of_another_day(dist, all_built):
    """A plugin is built because its folder is there; no list names it."""
    expected = {path.name for built in all_built for path in (built.wheel, built.source)}
    assert {path.name for path in dist.iterdir()} == expected
    assert len(expected) == 2 * len(all_built) > 2


def test_building_twice_gives_the_same_bytes(dist, dist_again):
    """Nothing of the moment, the machine or the order of a folder gets into an archive."""
    first = {path.name: sha256(path.read_bytes()).hexdigest() for path in dist.iterdir()}
    second = {path.name: sha256(path.read_bytes()).hexdigest() for path in dist_again.iterdir()}
    assert first == second


def test_the_dates_in_a_wheel_are_that_of_the_last_commit(built, committed):
    """An archive's dates follow from its sources."""
    with zipfile.ZipFile(built.wheel) as archive:
        dates = {one.date_time for one in archive.infolist()}
    *rest, second = time.gmtime(committed)[:6]
    assert dates == {(*rest, second - second % 2)}  # a zip counts in steps of two seconds


def test_a_source_archive_builds_the_same_wheel_and_the_same_archive(
    built, unpacked, rebuild, committed, tmp_path
):
    """Who has only the source archive has everything."""
    rebuild(unpacked, tmp_path / "rebuilt", committed)
    assert (tmp_path / "rebuilt" / built.wheel.name).read_bytes() == built.wheel.read_bytes()
    with tarfile.open(tmp_path / "rebuilt" / built.source.name) as again:
        found = {one.name: one.size for one in again if one.isfile()}
    with tarfile.open(built.source) as archive:
        assert found == {one.name: one.size for one in archive if one.isfile()}


def test_a_source_archive_holds_plain_files_of_its_own_project_only(built):
    """The host's archive carries no plugin; none carries a link or a compiled file."""
    with tarfile.open(built.source) as archive:
        members = archive.getmembers()
    assert all(one.isfile() for one in members)
    names = [PurePosixPath(one.name) for one in members]
    assert {name.parts[0] for name in names} == {built.stem}
    assert len(set(names)) == len(names)
    expected = {"README.md", "LICENSE", "PKG-INFO", "pyproject.toml", ".gitignore"}
    if built.is_host:
        expected |= {"aegis", "aegis.toml", "data", "CHANGELOG.md"}
    else:
        expected |= {"src", "tests"}
    assert {name.parts[1] for name in names} - {"scripts"} == expected
    assert not [name for name in names if name.suffix == ".pyc"]


# The content of a wheel.


def test_a_wheel_holds_its_package_its_metadata_and_nothing_else(built):
    """Nothing but one package is put among the packages of a user."""
    assert {name.split("/")[0] for name in built.files} == {built.package, built.info}
    assert {name for name in built.files if name.startswith(built.info)} == {
        f"{built.info}/{name}"
        for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    }


def test_what_is_not_for_users_is_in_no_wheel(built):
    """No tests, no scripts of the development, no caches, no hidden files."""
    for name in map(PurePosixPath, built.files):
        assert not NOT_FOR_USERS & set(name.parts), name
        assert not any(part.startswith(".") for part in name.parts), name
        assert name.suffix not in {".pyc", ".pyo", ".so", ".orig", ".rej", ".log", ".db"}, name


def test_every_module_of_the_package_is_in_its_wheel(built):
    """A wheel lacks no module that the tree has."""
    home = built.project if built.is_host else built.project / "src"
    modules = {path.relative_to(home).as_posix() for path in (home / built.package).rglob("*.py")}
    assert {name for name in built.files if name.endswith(".py")} == modules


def test_a_package_says_that_it_is_typed(built):
    """A type checker believes annotations only of a package with this marker."""
    assert built.files[f"{built.package}/py.typed"] == b""


def test_no_file_is_large(built):
    """Weights that come with a plugin are small; larger ones are fetched by who wants them."""
    assert {name for name, data in built.files.items() if len(data) > 8 * MIB} == set()
    assert built.wheel.stat().st_size < 8 * MIB


def test_whatever_is_not_text_is_safetensors(built):
    """No file can run code by being loaded: no pickle, in no disguise."""
    for name, data in built.files.items():
        assert PurePosixPath(name).suffix not in PICKLES, name
        if name.endswith(".safetensors"):
            (length,) = struct.unpack("<Q", data[:8])
            header = json.loads(data[8 : 8 + length])
            ends = [one["data_offsets"][1] for key, one in header.items() if key != "__metadata__"]
            assert 8 + length + max(ends) == len(data), name
        else:
            assert "\0" not in data.decode("utf-8"), name


def test_no_text_names_the_machine_that_built_it(built, root):
    """Neither the folders of the build nor those of its user are in a wheel."""
    places = {root, root.parent, Path.home(), Path(sys.prefix), Path(tempfile.gettempdir())}
    marks = [f"{place}/".encode() for place in places if place != Path("/")]
    for name, data in built.files.items():
        assert [mark for mark in marks if mark in data] == [], name


def test_no_text_names_a_package_registry(built):
    """Where packages come from is the user's choice."""
    for name, data in built.files.items():
        for found in URL.findall(data):
            url = found.decode(errors="replace").lower()
            assert not url.startswith("file:///"), (name, url)
            assert not REGISTRY.search(urlsplit(url).netloc + urlsplit(url).path), (name, url)


def test_the_record_names_every_file_with_its_digest(built):
    """An installer can check every byte, and removes what it has put there."""
    with zipfile.ZipFile(built.wheel) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    record = f"{built.info}/RECORD"
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(built.files[record].decode()))}
    assert rows.pop(record) == ["", ""]
    assert rows == {
        name: [
            f"sha256={urlsafe_b64encode(sha256(data).digest()).decode().rstrip('=')}",
            str(len(data)),
        ]
        for name, data in built.files.items()
        if name != record
    }


def test_a_wheel_is_for_every_machine(built):
    """Nothing is compiled."""
    lines = built.files[f"{built.info}/WHEEL"].decode().splitlines()
    assert "Root-Is-Purelib: true" in lines
    assert "Tag: py3-none-any" in lines


def test_the_library_and_the_configuration_are_in_the_wheel_of_the_host(all_built, root):
    """`aegis init` needs no checkout."""
    (host,) = [built for built in all_built if built.is_host]
    shipped = {
        name.removeprefix("aegis/_data/"): data
        for name, data in host.files.items()
        if name.startswith("aegis/_data/")
    }
    assert shipped.pop("aegis.toml") == (root / "aegis.toml").read_bytes()
    assert shipped == {
        path.relative_to(root / "data").as_posix(): path.read_bytes()
        for path in (root / "data" / "library").rglob("*")
        if path.is_file()
    }
    assert len(shipped) > 200


# The metadata.


def test_the_metadata_say_what_it_is(built):
    """Name, version, one line, the README, who may use it and with which Python."""
    metadata = built.metadata
    assert metadata.name == built.name
    assert str(metadata.version) == built.declared["version"]
    assert len(metadata.summary) > 20
    assert metadata.description == (built.project / "README.md").read_text("utf-8")
    assert metadata.description_content_type == "text/markdown"
    assert metadata.license_expression == "Apache-2.0"
    assert metadata.license_files == ["LICENSE"]
    assert metadata.requires_python == SpecifierSet(">=3.11")
    assert metadata.author == "The Aegis authors"
    assert metadata.keywords


def test_the_licence_is_in_the_wheel_and_in_the_source_archive(built, root):
    """Every distribution carries the whole text, and it is the same one."""
    text = (root / "LICENSE").read_bytes()
    assert (built.project / "LICENSE").read_bytes() == text
    assert built.files[f"{built.info}/licenses/LICENSE"] == text
    with tarfile.open(built.source) as archive:
        assert archive.extractfile(f"{built.stem}/LICENSE").read() == text


def test_the_classifiers_name_typing_and_every_tested_python(built):
    """The licence is an expression, and no classifier beside it."""
    found = set(built.metadata.classifiers)
    assert {
        "Typing :: Typed",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    } <= found
    versions = ("3 :: Only", "3.11", "3.12", "3.13")
    assert {f"Programming Language :: Python :: {one}" for one in versions} <= found
    assert not [one for one in found if one.startswith("License")]


def test_no_address_is_given_that_is_not_known(built):
    """A link that leads nowhere is worse than none."""
    metadata = built.metadata
    assert not metadata.project_urls
    assert metadata.home_page is None
    assert metadata.download_url is None


def test_every_requirement_has_a_lower_bound_and_no_exact_version(built):
    """What was never tried is not promised, and other packages stay free to move."""
    for requirement in built.metadata.requires_dist:
        assert requirement.url is None, requirement
        operators = {one.operator for one in requirement.specifier}
        assert ">=" in operators, requirement
        assert operators <= {">=", "<"}, requirement


def test_a_plugin_names_the_range_of_hosts_that_it_works_with(all_built):
    """A plugin's host has the same minor version, and this one's is among them."""
    (host,) = [built for built in all_built if built.is_host]
    major, minor = host.metadata.version.release[:2]
    for built in all_built:
        ours = {
            requirement.name: requirement
            for requirement in built.metadata.requires_dist
            if requirement.name.startswith("aegis-")
        }
        if built is host:
            assert ours == {}
            continue
        assert ours.keys() == {"aegis-agents"}
        assert ours["aegis-agents"].specifier == SpecifierSet(
            f">={major}.{minor},<{major}.{minor + 1}"
        )
        assert host.metadata.version in ours["aegis-agents"].specifier


def test_the_host_is_installed_without_anything_heavy(all_built):
    """torch comes with a plugin that computes with it, or when it is asked for by name."""
    (host,) = [built for built in all_built if built.is_host]
    required = {
        canonicalize_name(one.name)
        for one in host.metadata.requires_dist
        if one.marker is None or one.marker.evaluate({"extra": ""})
    }
    assert required & HEAVY == set()


def test_what_is_imported_is_required_and_what_is_required_is_imported(built):
    """No module works only because another package happens to bring what it needs."""
    distributions = {**packages_distributions(), "aegis": ["aegis-agents"]}
    imported = {
        canonicalize_name(distributions[name][0])
        for path, data in built.files.items()
        if path.endswith(".py")
        for name in top_level_imports(data)
        if name not in sys.stdlib_module_names and name not in {built.package, "__future__"}
    }
    required = {canonicalize_name(one.name) for one in built.metadata.requires_dist}
    assert imported == required


def top_level_imports(source):
    """Yield the first names of all modules that a source imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


# The entry points.


def test_a_plugin_has_an_entry_point_and_the_host_its_command(built):
    """A plugin is found by one name, that of its distribution; the host alone has a command."""
    if built.is_host:
        assert built.entry_points["console_scripts"] == {"aegis": "aegis.cli.main:main"}
        assert "aegis" not in built.entry_points
    else:
        name = built.name.removeprefix("aegis-")
        fixtures = {"pytest11": {built.name: f"{built.package}.fixtures"}}
        has_some = f"{built.package}/fixtures.py" in built.files
        plugin = {"aegis": {name: f"{built.package}.plugin"}}
        assert built.entry_points == plugin | (fixtures if has_some else {})


def test_every_entry_point_can_be_imported_from_the_wheels(all_built):
    """What a wheel announces is in it; the tree and the installed packages help with neither."""
    targets = [
        target
        for built in all_built
        for points in built.entry_points.values()
        for target in points.values()
    ]
    program = f"""
import sys
from pkgutil import resolve_name
sys.path[:0] = {[str(built.wheel) for built in all_built]!r}
for target in {targets!r}:
    resolve_name(target)
    module = sys.modules[target.partition(":")[0]]
    assert ".whl" in module.__file__, module.__file__
    print(target)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == targets, done.stderr
