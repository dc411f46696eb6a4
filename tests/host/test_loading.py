import sys

import pytest

from aegis.errors import PluginError
from aegis.host.manager import Host

TOOL = """
import aegis

@aegis.tool
def shout(text: str) -> str:
    '''Say it loudly.'''
    return text.upper()
"""


def load(enabled, folder, **options):
    return Host.load(enabled, folder, builtins=(), **options)


def test_a_file_is_enabled_by_its_path_from_the_project(project):
    project.write("my_tool.py", TOOL)
    host = load(["./my_tool.py"], project.path)
    (plugin,) = host.plugins
    assert (plugin.name, plugin.distribution, plugin.version) == ("./my_tool.py", "local file", "")
    assert [provided.component.name for provided in host.components("tool")] == ["shout"]


def test_a_file_outside_the_project_is_enabled_by_its_absolute_path(project, tmp_path):
    path = tmp_path / "elsewhere.py"
    path.write_text(TOOL, "utf-8")
    assert load([str(path)], project.path).component("tool", "shout").kind == "tool"


def test_a_file_may_hold_hooks_and_functions(project):
    project.write(
        "both.py",
        TOOL
        + """
@aegis.hookimpl
def aegis_tools():
    return [aegis.Component(kind="tool", name="other", summary="A tool.", build=print)]
""",
    )
    host = load(["both.py"], project.path)
    assert [provided.component.name for provided in host.components()] == ["other", "shout"]


def test_a_file_hides_no_other_module(project):
    project.write("json.py", TOOL)
    load(["./json.py"], project.path)
    import json

    assert json.loads("1") == 1
    assert sys.modules["json"] is json


def test_a_file_is_read_again_by_the_next_host(project):
    project.write("my_tool.py", TOOL)
    load(["./my_tool.py"], project.path)
    project.write("my_tool.py", TOOL.replace("def shout", "def whisper_it"))
    host = load(["./my_tool.py"], project.path)
    assert [provided.component.name for provided in host.components()] == ["whisper_it"]


def test_functions_that_a_file_only_imports_are_not_its_tools(project, install):
    install("lib", "@aegis.tool\ndef lent() -> str:\n    'Lend.'\n    return 'x'")
    project.write("mine.py", "from fixture_acme_lib import lent")
    assert load(["./mine.py"], project.path).components() == ()


def test_a_file_that_is_absent_is_named_with_its_nearest_neighbour(project):
    project.write("my_tool.py", TOOL)
    with pytest.raises(PluginError) as caught:
        load(["./my_tol.py"], project.path)
    (problem,) = caught.value.problems
    assert str(project.path / "my_tol.py") in problem.message
    assert 'did you mean "my_tool.py"?' in problem.message


@pytest.mark.parametrize("entry", ["./my_tool", "../x", "a b", "", "-x", "https://example.org/x"])
def test_what_is_neither_name_nor_file_is_refused(project, entry):
    with pytest.raises(PluginError) as caught:
        load([entry], project.path)
    assert caught.value.problems[0].code == "plugin-request"


def test_a_syntax_error_is_told_with_its_line(project):
    path = project.write("broken.py", "import aegis\n\ndef x(:\n    pass\n")
    with pytest.raises(PluginError) as caught:
        load(["./broken.py"], project.path)
    (problem,) = caught.value.problems
    assert problem.where == f"{path}:3"
    assert problem.message.startswith('plugin "./broken.py" (local file) raised in import: Syntax')
    assert problem.fix == "correct the file, or take ./broken.py out of [plugins].enabled"


def test_a_file_that_fails_leaves_no_module_behind(project):
    project.write("broken.py", "raise ValueError")
    before = set(sys.modules)
    with pytest.raises(PluginError):
        load(["./broken.py"], project.path)
    assert not {name for name in set(sys.modules) - before if name.startswith("aegis_local_")}


def test_a_file_may_leave_out_the_api_number_and_not_give_another(project):
    project.write("old.py", "plugin_api = 0\n" + TOOL)
    with pytest.raises(PluginError, match="is made for plugin API 0; this host has plugin API 1"):
        load(["old.py"], project.path)


def test_a_function_that_cannot_be_a_tool_names_its_file(project):
    path = project.write("bad.py", "import aegis\n\n@aegis.tool\ndef f(x):\n    'Do.'\n")
    with pytest.raises(PluginError) as caught:
        load(["bad.py"], project.path)
    (problem,) = caught.value.problems
    assert problem.code == "tool-signature"
    assert problem.where == f'{path}:3; plugin "bad.py" (local file), import'


def test_an_entry_point_may_name_an_object(install, tmp_path):
    path = install(
        "thing",
        """
        class Thing:
            plugin_api = 1
            @aegis.hookimpl
            def aegis_tools(self):
                return [aegis.Component(kind="tool", name="t", summary="A tool.", build=print)]
        thing = Thing()
        """,
    )
    info = path.parent / "acme_thing-0.3.0.dist-info" / "entry_points.txt"
    info.write_text(f"[aegis]\nthing = {path.stem}:thing\n", "utf-8")
    assert load(["thing"], tmp_path).component("tool", "t").name == "t"
