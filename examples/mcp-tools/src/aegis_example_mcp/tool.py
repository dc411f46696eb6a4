"""The tool ``mcp``: one pinned tool of one server, which is connected to for each call."""

from __future__ import annotations

import asyncio
import json
import re
import time
from hashlib import sha256
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

import aegis

LOCAL = re.compile(r"https?://(localhost|127(\.\d+){3}|\[::1\])[:/][^@]*$")


class McpTool:
    """Offers configured calls, and carries them out while the server's tool is the pinned one."""

    def __init__(self, settings: Any, folder: str) -> None:
        self._settings, self._folder = settings, folder
        self.spec = aegis.ToolSpec("mcp", f"{settings.tool} of a server", {"type": "object"})

    def candidates(self, view: aegis.View) -> list[aegis.Action]:
        """Return the configured calls, then goal and missing terms in the named argument."""
        name, words = self._settings.goal_argument, (view.goal, *view.missing[:3])
        filled = [{name: text} for text in words if name]
        return [aegis.Action("mcp", dict(call)) for call in (*self._settings.calls, *filled)]

    def call(self, arguments: Any, context: aegis.ToolContext) -> Any:
        """Compare the tool that the server offers now with the pinned one, and call it."""
        want, address = self._settings, self._settings.server[0]
        if context.offline and (not LOCAL.match(address) if "://" in address else want.network):
            return aegis.ToolResult("denied", f"offline: {address} is not asked", unreachable=True)

        async def ask(client: Client) -> aegis.ToolResult:
            offered = {tool.name: digest(tool) for tool in await offers(client)}.get(want.tool)
            if offered != want.digest:
                why = f"{want.tool} is pinned as {want.digest}, the server has {offered or 'none'}"
                return aegis.ToolResult("denied", f"{why}: aegis mcp-pin shows it", retry_after=60)
            answer = await client.call_tool(want.tool, dict(arguments))
            texts = [b.text.strip() for b in answer.content if b.type == "text" and b.text.strip()]
            named = [(sha256(t.encode()).hexdigest(), t.splitlines()[0], t) for t in texts]
            docs = tuple(aegis.Document("mcp", *parts) for parts in named)
            status: Any = "error" if answer.is_error else "ok" if docs else "empty"
            return aegis.ToolResult(status, " ".join(texts)[:200] or "it answered no text", docs)

        return connected(ask, want.server, self._folder, context.deadline - time.monotonic() - 5)


def digest(tool: Any) -> str:
    """Return the sha256 of the canonical JSON of a tool's name, description and input schema."""
    said = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    return sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def offers(client: Client, cursor: str | None = None) -> list[Any]:
    """Return the tools of a server, all pages of them."""
    page = await client.list_tools(cursor=cursor)
    return [*page.tools, *(await offers(client, page.next_cursor) if page.next_cursor else [])]


def connected(work: Any, words: tuple[str, ...], folder: str | None, seconds: float) -> Any:
    """Return what `work` returns with a client; `AegisError` where there is none in time."""

    async def go() -> Any:
        http = httpx2.AsyncClient(trust_env=not LOCAL.match(words[0]), timeout=None)
        async with asyncio.timeout(seconds), http:
            program = StdioServerParameters(command=words[0], args=[*words[1:]], cwd=folder)
            remote = streamable_http_client(words[0], http_client=http)
            async with Client(remote if "://" in words[0] else program) as client:
                return await work(client)

    try:
        return asyncio.run(go())
    except Exception as error:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise aegis.AegisError.of("mcp-server", f"{words[0]}: {error!r}", fix="run it") from error


def pins(words: tuple[str, ...]) -> str:
    """Return the tools of a server as sections of aegis.toml."""
    found = connected(offers, words, None, 30.0)
    table = '# {}\n[tool.mcp]\nserver = {}\ntool = {}\ndigest = "{}"\n'
    rows = [(*map(json.dumps, (t.description, words, t.name)), digest(t)) for t in found]
    return "\n".join(table.format(*row) for row in rows)
