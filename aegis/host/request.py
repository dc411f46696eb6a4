"""What an entry of ``[plugins].enabled`` asks for: a name, a version, or a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis.errors import PluginError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*((?:[<>=!~]=?|===).*)?")
_WHERE: Final = "[plugins].enabled"


@frozen
class Request:
    """One entry of the allow-list.

    Attributes:
        text: The entry as written.
        name: Entry-point name, or the path as written.
        specifier: Versions of the distribution that will do (PEP 440), or empty for any.
        path: The file of a local plugin, or None.
    """

    text: str
    name: str
    specifier: str = ""
    path: Path | None = None

    @classmethod
    def parse(cls, text: str, project: Path) -> Request:
        """Return what `text` asks for; paths are relative to `project`.

        Raises:
            PluginError: If it is neither a name, nor a name with versions, nor a path.
        """
        if text.endswith(".py"):
            return cls(text, text, path=(project / Path(text).expanduser()).resolve())
        match = _NAMED.fullmatch(text.strip())
        if match is None:
            raise PluginError(
                Problem(
                    "plugin-request",
                    f'"{text}" names no plugin',
                    where=_WHERE,
                    fix='write "arxiv", "hrm>=0.1" or "./my_tool.py"',
                )
            )
        return cls(text, match[1], (match[2] or "").strip())

    def admits(self, version: str) -> bool:
        """Return whether `version` will do.

        Raises:
            PluginError: If the specifier, or the version, is not one of PEP 440.
        """
        if not self.specifier:
            return True
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
        from packaging.version import InvalidVersion

        try:
            return SpecifierSet(self.specifier).contains(version, prereleases=True)
        except (InvalidSpecifier, InvalidVersion) as error:
            raise PluginError(
                Problem(
                    "plugin-request",
                    f'"{self.text}": {error}',
                    where=_WHERE,
                    fix=f'write for example "{self.name}>={version}"',
                )
            ) from error


def allowed(
    enabled: Sequence[str], project: Path
) -> tuple[list[Request], list[tuple[str, Problem]]]:
    """Return the requests of an allow-list in order, and the entries that are wrong with why."""
    requests: list[Request] = []
    wrong: list[tuple[str, Problem]] = []
    seen: dict[object, str] = {}
    for text in enabled:
        try:
            request = Request.parse(text, project)
        except PluginError as error:
            wrong += [(text, problem) for problem in error.problems]
            continue
        key = request.path or request.name
        if key in seen:
            wrong.append((text, _twice(seen[key], text)))
            continue
        seen[key] = text
        requests.append(request)
    return requests, wrong


def _twice(first: str, second: str) -> Problem:
    return Problem(
        "plugin-twice",
        f'"{first}" and "{second}" enable the same plugin',
        where=_WHERE,
        fix=f'remove "{second}"',
    )
