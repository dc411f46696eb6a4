"""The tool against a real MCP server, over stdio and over HTTP on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import socket
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("mcp", reason="the example needs mcp 2.3")

import aegis

FOLDER = Path(__file__).parents[1]
SERVER = (sys.executable, str(Path(__file__).with_name("notes_server.py")))
VIEW = aegis.View("Understand hierarchical reasoning", missing=("planning",))


@pytest.fixture(scope="module")
def address():
    """Run the server on HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*SERVER, "http", str(port)], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            break
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/mcp"
    process.terminate()
    process.wait(10)


def pinned(*server):
    """Return what `aegis mcp-pin` prints of a server, as tables by tool."""
    from aegis_example_mcp import plugin

    (command,) = plugin.aegis_commands()
    done = CliRunner().invoke(command, ["--", *server], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    tables = [
        tomllib.loads(f"# {part}")["tool"]["mcp"] for part in done.output.split("# ")[1:] if part
    ]
    return {table["tool"]: table for table in tables}


@pytest.fixture(scope="module")
def pins(address):
    """The tables of the server's tools, on HTTP."""
    return pinned(address)


@pytest.fixture
def pin(pins):
    """The table of the tool ``notes``."""
    return pins["notes"]


def build(table, **settings):
    from aegis_example_mcp import plugin

    (component,) = plugin.aegis_tools()
    config = component.config(**{**table, "server": tuple(table["server"]), **settings})
    assert not component.check(config, {})
    return component.build(config, {}, aegis.Runtime(FOLDER, FOLDER / "data"))


def call(tool, query="hierarchical reasoning", *, offline=False, seconds=30.0):
    context = aegis.ToolContext("key", time.monotonic() + seconds, FOLDER, offline=offline)
    return tool.call({"query": query}, context)


def test_the_pin_is_the_sha256_of_what_the_tool_says_it_is(pins, address):
    async def listed():
        async with Client(address) as client:
            return (await client.list_tools()).tools

    from mcp import Client

    tools = {tool.name: tool for tool in asyncio.run(listed())}
    assert set(pins) == set(tools) == {"notes", "hello"}
    said = {"name": "notes", "description": "Searches notes."}
    said["inputSchema"] = tools["notes"].input_schema
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    assert pins["notes"]["digest"] == hashlib.sha256(canonical.encode()).hexdigest()
    assert pins["hello"]["digest"] != pins["notes"]["digest"]


def test_the_texts_of_an_answer_become_documents_on_http_and_on_stdio(pin):
    results = [call(build(pin)), call(build({**pin, "server": SERVER}))]
    for result in results:
        assert result.status == "ok", result.message
        (document,) = result.documents
        assert document.source == "mcp"
        assert document.title.startswith("Hierarchical reasoning")
        assert "plans slowly" in document.text
    assert results[0].documents == results[1].documents, "a text has one name"


def test_a_tool_that_has_changed_is_denied_with_both_digests(pin):
    result = call(build({**pin, "server": [*SERVER, "other"]}))
    assert result.status == "denied" and not result.documents
    first, second = re.findall(r"[0-9a-f]{64}", result.message)
    assert first == pin["digest"] != second
    assert "mcp-pin" in result.message


def test_a_tool_that_is_gone_is_denied(pin):
    result = call(build({**pin, "tool": "other"}))
    assert result.status == "denied" and "none" in result.message


def test_nothing_found_is_empty(pin):
    assert call(build(pin), "cooking").status == "empty"


def test_a_tool_that_fails_is_an_error(pin):
    result = call(build({**pin, "server": [*SERVER, "fail"]}))
    assert result.status == "error" and "the notes are lost" in result.message


def test_offline_a_program_is_run_where_it_is_said_to_need_no_network(pin):
    program = {**pin, "server": SERVER}
    result = call(build(program), offline=True)
    assert result.status == "denied" and result.unreachable
    assert call(build(program, network=False), offline=True).status == "ok"


@pytest.mark.parametrize("host", ["192.0.2.1", "127.0.0.1.example.com", "127.0.0.1:80@example.com"])
def test_offline_only_addresses_of_this_machine_are_asked(pin, host):
    for network in (True, False):
        tool = build({**pin, "server": [f"http://{host}/mcp"]}, network=network)
        assert call(tool, offline=True).status == "denied"
    assert call(build(pin), offline=True).status == "ok"


@pytest.mark.slow
def test_a_server_that_does_not_answer_ends_in_time_with_one_clear_error(pin):
    began = time.monotonic()
    with pytest.raises(aegis.AegisError) as raised:
        call(build({**pin, "server": [*SERVER, "slow"]}), seconds=7.5)
    assert time.monotonic() - began < 7.5
    assert raised.value.problems[0].code == "mcp-server"


@pytest.mark.parametrize("server", ["no-such-program-of-aegis", "http://127.0.0.1:9/mcp"])
def test_a_server_that_is_not_there_is_one_clear_error(pin, server):
    with pytest.raises(aegis.AegisError) as raised:
        call(build({**pin, "server": [server]}))
    (problem,) = raised.value.problems
    assert server in problem.message and problem.fix and "TaskGroup" not in problem.message


def test_candidates_are_the_configured_calls_and_the_goal(pin):
    tool = build(pin, calls=({"query": "adaptation"},), goal_argument="query")
    assert [action.arguments["query"] for action in tool.candidates(VIEW)] == [
        "adaptation",
        "Understand hierarchical reasoning",
        "planning",
    ]
    assert list(build(pin).candidates(VIEW)) == []


def test_what_is_not_set_is_said_before_anything_runs():
    from aegis_example_mcp import plugin

    (component,) = plugin.aegis_tools()
    (problem,) = component.check(component.config(tool="notes"), {})
    assert "server, digest" in problem.message and "mcp-pin" in problem.fix


def test_the_pin_of_the_shipped_configuration_is_the_servers(pin):
    table = tomllib.loads((FOLDER / "aegis.toml").read_text())["tool"]["mcp"]
    assert table["server"] == ["python", "tests/notes_server.py"]
    assert (table["tool"], table["digest"]) == ("notes", pin["digest"])


def test_the_manifest_imports_no_mcp():
    program = (
        f"import sys; sys.path.insert(0, {str(FOLDER / 'src')!r})\n"
        "import aegis_example_mcp.plugin as plugin\n"
        "plugin.aegis_tools(); plugin.aegis_commands()\n"
        "print(not {'mcp', 'httpx2', 'asyncio'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == "True", done.stderr


def test_it_keeps_every_law_of_its_roles(aegis_project, pin):
    plugin = str(Path(__file__).parents[1] / "src" / "aegis_example_mcp" / "plugin.py")
    words = {**pin, "goal_argument": "query"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in words.items()]
    settings = "\n".join(["[tool.mcp]", *lines])
    report = aegis_project(settings, plugins=[plugin]).check(plugin)
    failed = [finding for finding in report.findings if finding.status in ("failed", "blocked")]
    assert not failed and report.findings
