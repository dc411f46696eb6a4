"""The checks of a plugin as tests of pytest, one for each check of each component."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def conformance(
    plugin: str,
    *,
    settings: str = "",
    plugins: Sequence[str] = (),
    waive: Mapping[str, str] | None = None,
) -> Callable[..., None]:
    """Return a test that holds a plugin against every check; bind it to a name of ``test_...``.

    Its project has the sample library, so that profiles may practise in ``research-gym``.

        test_conformance = conformance("my-plugin", settings=SETTINGS)

    Args:
        plugin: Name of the plugin, installed, or the path of its file; ``builtin:...`` for one
            that ships with the host.
        settings: TOML text: sections of the components, and profiles to be run.
        plugins: Other plugins that are enabled beside it.
        waive: Checks that are not asked, with the reason of each.
    """
    import pytest

    from aegis.resources import library
    from aegis.testing.projects import ToyProject

    def test(tmp_path: Any) -> None:
        """The plugin keeps to what its roles ask."""
        own = () if plugin.startswith("builtin:") else (plugin,)
        folder, enabled = tmp_path / "project", [*plugins, *own]
        project = ToyProject.make(folder, settings, enabled, library=library())
        report = project.check(plugin, waive=waive)
        if not report.ok:
            lines = [line for one in report.failed for line in (one.subject, *one.lines())]
            pytest.fail("\n".join([report.summary(), *lines]), pytrace=False)

    test.__name__ = test.__qualname__ = "test_conformance"
    return test
