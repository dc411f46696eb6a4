"""An MCP server with one tool, ``notes``: python notes_server.py [http PORT] [other] [fail] [slow]."""

from __future__ import annotations

import sys
import time

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

NOTES = {
    "reasoning": "Hierarchical reasoning\nHierarchical reasoning plans slowly and works fast.",
    "adaptation": "Low-rank adaptation\nLow-rank adaptation trains two thin matrices.",
}
WORDS = sys.argv[1:]
server = MCPServer("notes")


@server.tool(description="Searches other notes." if "other" in WORDS else "Searches notes.")
def notes(query: str) -> list[str]:
    if "fail" in WORDS:
        raise ToolError("the notes are lost")
    if "slow" in WORDS:
        time.sleep(60)
    return [text for name, text in NOTES.items() if name in query.lower()]


@server.tool(description="Says\n[hello].")
def hello() -> str:
    return "hello"


if __name__ == "__main__":
    if "http" in WORDS:
        port = int(WORDS[WORDS.index("http") + 1])
        server.run("streamable-http", host="127.0.0.1", port=port)
    else:
        server.run("stdio")
