"""What this plugin offers: the tool ``mcp`` and the command ``aegis mcp-pin``."""

from __future__ import annotations

from typing import Any

import click
from attrs import frozen

import aegis

plugin_api, CAN, DOES = 1, aegis.ToolCapabilities(network=True), "Calls one pinned tool by MCP."


@frozen
class Settings:
    """Settings of the tool: a server and one tool of it."""

    server: tuple[str, ...] = aegis.setting((), help="An address, or a program and its words.")
    tool: str = aegis.setting("", help="Name of the tool at the server.")
    digest: str = aegis.setting("", help="Digest of the tool, as `aegis mcp-pin` printed it.")
    network: bool = aegis.setting(True, help="Whether a program may reach the network.")
    calls: tuple[dict[str, Any], ...] = aegis.setting((), help="Arguments to offer it with.")
    goal_argument: str = aegis.setting("", help="Argument that the goal and its terms fill.")


def _check(settings: Settings, _: object) -> list[aegis.Problem]:
    lacking = [name for name in ("server", "tool", "digest") if not getattr(settings, name)]
    why, fix = f"nothing is said of {', '.join(lacking)}", "paste what aegis mcp-pin prints"
    return [aegis.Problem("mcp-settings", why, "[tool.mcp]", fix)] if lacking else []


def _build(settings: Settings, _: object, runtime: aegis.Runtime) -> Any:
    from aegis_example_mcp.tool import McpTool

    return McpTool(settings, str(runtime.project))


@aegis.hookimpl
def aegis_tools() -> list[aegis.Component]:
    """Offer the tool."""
    named: Any = {"kind": "tool", "name": "mcp", "summary": DOES, "describe": lambda _: CAN}
    return [aegis.Component(**named, config=Settings, check=_check, build=_build)]


@aegis.hookimpl
def aegis_commands() -> list[click.Command]:
    """Offer ``aegis mcp-pin``."""

    @click.command(help="Print the tools of SERVER (its address, or program and words) pinned.")
    @click.argument("server", nargs=-1, required=True)
    def mcp_pin(server: tuple[str, ...]) -> None:
        from aegis_example_mcp.tool import pins

        click.echo(pins(server))

    return [mcp_pin]
