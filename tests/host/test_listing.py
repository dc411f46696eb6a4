import json

from aegis.host.manager import Host

COMMAND = """
@aegis.hookimpl
def aegis_commands():
    import click
    return [click.Command("stats")]
"""


def test_the_list_shows_enabled_failed_and_merely_installed_plugins(install, tmp_path, tool_source):
    install("good", tool_source("search") + COMMAND)
    install("bad", "raise ValueError('no')")
    install("off", "raise ValueError('imported')", version="9.1")
    host = Host.load(["good", "bad", "gone"], tmp_path, builtins=(), tolerant=True)
    rows = {row["name"]: row for row in host.plugin_rows()}
    assert rows["good"] == {
        "name": "good", "distribution": "acme-good", "version": "0.3.0", "enabled": True,
        "components": ["tool search", "command stats"], "error": None, "warnings": [],
    }  # fmt: skip
    assert rows["bad"]["enabled"]
    assert "ValueError: no" in rows["bad"]["error"]
    assert "is not installed" in rows["gone"]["error"]
    assert rows["off"] == {
        "name": "off", "distribution": "acme-off", "version": "9.1", "enabled": False,
        "components": [], "error": None, "warnings": [],
    }  # fmt: skip
    assert json.loads(json.dumps(rows)) == rows


def test_a_plugin_whose_commands_fail_is_shown_with_the_failure(install, tmp_path, tool_source):
    install("half", tool_source("search") + COMMAND.replace("import click", "import nowhere"))
    (row,) = [r for r in Host.load(["half"], tmp_path, builtins=()).plugin_rows() if r["enabled"]]
    assert row["components"] == ["tool search"]
    assert "acme-half 0.3.0) raised in aegis_commands: ModuleNotFoundError" in row["error"]


def test_enabled_plugins_come_first_and_in_order(install, tmp_path, tool_source):
    for name in ("a", "b", "c"):
        install(name, tool_source(name))
    rows = Host.load(["c", "a"], tmp_path, builtins=()).plugin_rows()
    assert [row["name"] for row in rows][:2] == ["c", "a"]
    assert "b" in [row["name"] for row in rows if not row["enabled"]]
