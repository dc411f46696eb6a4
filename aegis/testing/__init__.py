"""The conformance kit for plugin authors: what a component has to keep to, checked.

``aegis plugins test NAME`` runs it from a terminal; `conformance` makes tests of pytest of it;
`check_plugin` is the same in a program. Fixtures for tests of one's own are there where pytest is
(`aegis.testing.fixtures`). The checks belong to a version of the plugin API (`Check.since`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aegis.testing.checks import Check as Check
    from aegis.testing.checks import all_checks as all_checks
    from aegis.testing.clock import ManualClock as ManualClock
    from aegis.testing.loopback import Answering as Answering
    from aegis.testing.loopback import Loopback as Loopback
    from aegis.testing.loopback import Reply as Reply
    from aegis.testing.loopback import Request as Request
    from aegis.testing.loopback import serve_http as serve_http
    from aegis.testing.projects import ToyProject as ToyProject
    from aegis.testing.pytest_checks import conformance as conformance
    from aegis.testing.report import Finding as Finding
    from aegis.testing.report import Report as Report
    from aegis.testing.running import check_plugin as check_plugin
    from aegis.testing.tiny import tiny_component as tiny_component
    from aegis.testing.toys import HOSTILE_TEXTS as HOSTILE_TEXTS
    from aegis.testing.toys import PLAIN_TEXTS as PLAIN_TEXTS
    from aegis.testing.toys import toy_candidates as toy_candidates
    from aegis.testing.toys import toy_experience as toy_experience
    from aegis.testing.toys import toy_views as toy_views

_HOME: Final = {
    "checks": ("Check", "all_checks"),
    "clock": ("ManualClock",),
    "loopback": ("Answering", "Loopback", "Reply", "Request", "serve_http"),
    "projects": ("ToyProject",),
    "pytest_checks": ("conformance",),
    "report": ("Finding", "Report"),
    "running": ("check_plugin",),
    "tiny": ("tiny_component",),
    "toys": ("HOSTILE_TEXTS", "PLAIN_TEXTS", "toy_candidates", "toy_experience", "toy_views"),
}
_MODULE_OF: Final = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - every item is a string, made from the table above


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        from aegis.deprecations import deprecated

        return deprecated("aegis.testing", name)
    value = getattr(importlib.import_module(f"aegis.testing.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
