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

        test_conformance = conformance("my-plugin", settings=SETTINGS)

    Args:
        plugin: Name of the plugin, installed, or the path of its file.
        settings: TOML text: sections of the components, and profiles to be run.
        plugins: Other plugins that are enabled beside it.
        waive: Checks that are not asked, with the reason of each.
    """
    import pytest

    from aegis.testing.projects import ToyProject

    def test(tmp_path: Any) -> None:
        """The plugin keeps to what its roles ask."""
        project = ToyProject.make(tmp_path / "project", settings, [*plugins, plugin])
        report = project.check(plugin, waive=waive)
        if not report.ok:
            lines = [line for one in report.failed for line in (one.subject, *one.lines())]
            pytest.fail("\n".join([report.summary(), *lines]), pytrace=False)

    test.__name__ = test.__qualname__ = "test_conformance"
    return test
