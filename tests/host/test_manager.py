import sys

import pytest

from aegis.contracts.component import KINDS
from aegis.errors import PluginError
from aegis.host.builtins import BUILTINS
from aegis.host.manager import Host
from aegis.host.manifest import PROVIDERS


def load(enabled, folder, **options):
    return Host.load(enabled, folder, builtins=options.pop("builtins", ()), **options)


def refused(enabled, folder, **options):
    with pytest.raises(PluginError) as caught:
        load(enabled, folder, **options)
    return caught.value


def names(host, kind=None):
    return [provided.component.name for provided in host.components(kind)]


def test_what_is_installed_and_not_enabled_is_never_imported(install, tmp_path, tool_source):
    trace = tmp_path / "imported"
    install("off", f"open({str(trace)!r}, 'w').close()\nraise RuntimeError('imported')")
    install("on", tool_source("on"))
    host = load(["on"], tmp_path)
    host.plugin_rows()
    assert not trace.exists()
    assert not any("acme_off" in name for name in sys.modules)


def test_a_plugin_is_known_with_its_distribution_and_version(install, tmp_path, tool_source):
    install("hammer", tool_source("hammer"), distribution="acme-tools", version="2.5")
    (plugin,) = load(["hammer"], tmp_path).plugins
    assert (plugin.name, plugin.distribution, plugin.version) == ("hammer", "acme-tools", "2.5")
    assert plugin.enabled
    assert not plugin.builtin
    assert plugin.error is None


def test_components_come_in_the_order_of_the_list_with_builtins_first(
    install, tmp_path, tool_source, project
):
    for name in ("zebra", "ant", "mole"):
        install(name, tool_source(name))
    builtin = install("b", tool_source("own"), distribution="built-in")
    host = load(["zebra", "ant", "mole"], tmp_path, builtins=[builtin.stem])
    assert names(host, "tool") == ["own", "zebra", "ant", "mole"]
    assert [plugin.builtin for plugin in host.plugins] == [True, False, False, False]
    assert names(load(["mole", "ant"], tmp_path), "tool") == ["mole", "ant"]


def test_an_absent_plugin_is_named_with_its_nearest_neighbour(install, tmp_path, tool_source):
    install("weather", tool_source("w"))
    (problem,) = refused(["wether"], tmp_path).problems
    assert problem.code == "plugin-absent"
    assert problem.message == 'plugin "wether" is not installed; did you mean "weather"?'


def test_an_absent_plugin_of_this_project_comes_with_its_distribution(tmp_path):
    (problem,) = refused(["meta-planning"], tmp_path).problems
    assert problem.fix == "install the distribution aegis-meta-planning"


@pytest.mark.parametrize("specifier", [">=0.3", "==0.3.0", "~=0.3", ">=0.1,<1", " >= 0.2"])
def test_a_version_that_fits_is_loaded(install, tmp_path, tool_source, specifier):
    install("hrm2", tool_source("x"))
    assert names(load([f"hrm2{specifier}"], tmp_path)) == ["x"]


@pytest.mark.parametrize("specifier", [">=0.4", "<0.3", "!=0.3.0", "==1.*"])
def test_a_version_that_does_not_fit_is_refused_before_the_import(install, tmp_path, specifier):
    install("hrm2", "raise RuntimeError('imported')")
    (problem,) = refused([f"hrm2{specifier}"], tmp_path).problems
    assert problem.code == "plugin-version"
    assert "acme-hrm2 0.3.0" in problem.message
    assert f'"hrm2{specifier}"' in problem.message


def test_a_specifier_that_is_none_is_a_problem_of_its_own(install, tmp_path, tool_source):
    install("hrm2", tool_source("x"))
    (problem,) = refused(["hrm2>=x.y"], tmp_path).problems
    assert problem.code == "plugin-request"


def test_the_same_plugin_cannot_be_enabled_twice(install, tmp_path, tool_source):
    install("hrm2", tool_source("x"))
    (problem,) = refused(["hrm2", "hrm2>=0.1"], tmp_path).problems
    assert problem.code == "plugin-twice"


def test_a_plugin_for_another_api_is_refused_with_both_numbers(install, tmp_path, tool_source):
    install("future", tool_source("x"), api="plugin_api = 2")
    (problem,) = refused(["future"], tmp_path).problems
    assert problem.code == "plugin-api"
    assert "is made for plugin API 2; this host has plugin API 1" in problem.message
    assert 'plugin "future" (acme-future 0.3.0)' in problem.message
    assert "install a newer Aegis" in problem.fix


@pytest.mark.parametrize("api", ["", "plugin_api = None", "plugin_api = '1'", "plugin_api = True"])
def test_a_plugin_must_say_its_api_as_a_number(install, tmp_path, tool_source, api):
    install("old", tool_source("x"), api=api)
    (problem,) = refused(["old"], tmp_path).problems
    assert problem.code == "plugin-api"
    assert "plugin API 1" in problem.message


def test_a_hook_that_the_host_does_not_know_is_a_warning_with_the_nearest_one(install, tmp_path):
    path = install("typo", "@aegis.hookimpl\ndef aegis_tool():\n    return []")
    host = load(["typo"], tmp_path)
    (problem,) = host.warnings
    assert host.plugins[0].error is None
    assert problem.code == "plugin-hook"
    assert "this host has no hook aegis_tool and never calls it; did you mean" in problem.message
    assert "acme-typo 0.3.0" in problem.message
    assert problem.where.startswith(str(path))


def test_an_optional_hook_of_a_later_host_is_no_mistake(install, tmp_path):
    install("ahead", "@aegis.hookimpl(optionalhook=True)\ndef aegis_dreams():\n    return []")
    host = load(["ahead"], tmp_path)
    assert host.plugins[0].error is None
    assert host.warnings == ()


def test_an_argument_that_a_hook_does_not_have_is_refused(install, tmp_path):
    install("greedy", "@aegis.hookimpl\ndef aegis_step_finished(experience, database): ...")
    (problem,) = refused(["greedy"], tmp_path).problems
    assert problem.code == "plugin-hook"
    assert "aegis_step_finished" in problem.message
    assert "database" in problem.message
    assert "acme-greedy 0.3.0" in problem.message


def test_a_hook_without_its_mark_is_refused(install, tmp_path):
    install("bare", "def aegis_tools():\n    return []")
    (problem,) = refused(["bare"], tmp_path).problems
    assert "aegis_tools is not marked as a hook" in problem.message
    assert problem.fix == "put @aegis.hookimpl above it"


def test_a_hook_cannot_wrap_those_of_others(install, tmp_path):
    install("wrap", "@aegis.hookimpl(wrapper=True)\ndef aegis_tools():\n    return (yield)")
    (problem,) = refused(["wrap"], tmp_path).problems
    assert "is a wrapper" in problem.message


RAISED = {
    "ValueError": ("ValueError", "bad value"),
    "KeyError": ("KeyError", "'bad value'"),
    "SystemExit": ("SystemExit", "bad value"),
    "GeneratorExit": ("GeneratorExit", "bad value"),
    "ImportError": ("ImportError", "bad value"),
    "AssertionError": ("AssertionError", "bad value"),
}


@pytest.mark.parametrize("kind", RAISED)
def test_what_is_raised_at_import_is_attributed(install, tmp_path, kind):
    path = install("broken", f"\nraise {kind}('bad value')")
    error = refused(["broken"], tmp_path)
    (problem,) = error.problems
    assert problem.message == (
        f'plugin "broken" (acme-broken 0.3.0) raised in import: {": ".join(RAISED[kind])}'
    )
    assert problem.where == f"{path}:4"
    assert "aegis plugins disable broken" in problem.fix
    assert type(error.__cause__).__name__ == kind


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("hook", PROVIDERS.values())
def test_what_a_provider_hook_raises_is_attributed(install, tmp_path, hook, kind):
    install("broken", f"@aegis.hookimpl\ndef {hook}():\n    raise {kind}('bad value')")
    error = refused(["broken"], tmp_path)
    (problem,) = error.problems
    assert problem.message == (
        f'plugin "broken" (acme-broken 0.3.0) raised in {hook}: {": ".join(RAISED[kind])}'
    )
    assert error.__cause__.__notes__ == [f'raised in {hook} of plugin "broken"']


def test_what_a_generator_raises_while_it_is_read_is_attributed(install, tmp_path):
    install("lazy", "@aegis.hookimpl\ndef aegis_tools():\n    yield 1 / 0")
    (problem,) = refused(["lazy"], tmp_path).problems
    assert "acme-lazy 0.3.0) raised in aegis_tools: ZeroDivisionError" in problem.message


def test_an_interrupt_passes(install, tmp_path):
    install("ctrl-c", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(["ctrl-c"], tmp_path)


def test_an_exception_that_cannot_say_what_it_is_is_attributed_all_the_same(install, tmp_path):
    install(
        "mute",
        """
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError("no words")
        raise Mute
        """,
    )
    (problem,) = refused(["mute"], tmp_path).problems
    assert "Mute: (its text raised RuntimeError)" in problem.message


def test_the_failures_of_all_plugins_are_told_at_once(install, tmp_path, tool_source):
    install("one", "raise ValueError('first')")
    install("two", "@aegis.hookimpl\ndef aegis_tools():\n    raise ValueError('second')")
    install("three", tool_source("three"), api="plugin_api = 7")
    error = refused(["one", "absent", "two", "three"], tmp_path)
    assert [problem.code for problem in error.problems] == [
        "plugin-failed", "plugin-absent", "plugin-failed", "plugin-api",
    ]  # fmt: skip
    assert str(error.__cause__) == "first"


def test_tolerant_loading_keeps_each_failure_with_its_plugin(install, tmp_path, tool_source):
    install("good", tool_source("good"))
    install("bad", "raise SystemExit(3)")
    install("worse", "@aegis.hookimpl\ndef aegis_engines():\n    return 7")
    host = load(["bad", "absent", "good", "worse", "x y"], tmp_path, tolerant=True)
    by_name = {plugin.name: plugin for plugin in host.plugins}
    assert names(host) == ["good"]
    assert by_name["good"].error is None
    assert "SystemExit: 3" in str(by_name["bad"].error)
    assert by_name["absent"].error.problems[0].code == "plugin-absent"
    assert "aegis_engines: returned 7" in str(by_name["worse"].error)
    assert by_name["x y"].error.problems[0].code == "plugin-request"


def test_a_failed_plugin_hears_no_events(install, tmp_path):
    install(
        "half",
        """
        heard = []
        @aegis.hookimpl
        def aegis_run_finished(run):
            heard.append(run)
        @aegis.hookimpl
        def aegis_tools():
            raise ValueError
        """,
    )
    host = load(["half"], tmp_path, tolerant=True)
    host.events.run_finished("r", 1, "steps")
    assert sys.modules["fixture_acme_half"].heard == []


def test_two_plugins_cannot_provide_the_same_name(install, tmp_path, tool_source):
    install("left", tool_source("search"), distribution="left-tools", version="1.0")
    install("right", tool_source("search"), distribution="right-tools", version="2.0")
    (problem,) = refused(["left", "right"], tmp_path).problems
    assert problem.code == "plugin-collision"
    assert problem.message == (
        'tool "search" is provided by plugin "left" (left-tools 1.0)'
        ' and by plugin "right" (right-tools 2.0)'
    )
    assert problem.fix == "aegis plugins disable right, or aegis plugins disable left"


def test_the_same_name_in_two_kinds_is_no_collision(install, tmp_path, tool_source):
    source = tool_source("gpt2").replace("aegis_tools", "aegis_engines").replace("tool", "engine")
    install("left", tool_source("gpt2"))
    install("right", source)
    assert names(load(["left", "right"], tmp_path)) == ["gpt2", "gpt2"]


def test_a_plugin_cannot_provide_a_name_twice(install, tmp_path, tool_source):
    twice = tool_source("a").replace(
        "aegis_tools():", "aegis_tools():\n    return _all() * 2\ndef _all():"
    )
    install("twin", twice)
    (problem,) = refused(["twin"], tmp_path).problems
    assert 'provides two tools named "a"' in problem.message


def test_two_distributions_cannot_declare_the_same_plugin(install, tmp_path, tool_source):
    install("search", tool_source("a"), distribution="left-search")
    install("search", tool_source("b"), distribution="right-search")
    (problem,) = refused(["search"], tmp_path).problems
    assert problem.code == "plugin-collision"
    assert "left-search 0.3.0" in problem.message
    assert "right-search 0.3.0" in problem.message


def test_a_component_that_nobody_provides_is_named_with_what_there_is(
    install, tmp_path, tool_source
):
    install("good", tool_source("search_wiki"))
    host = load(["good"], tmp_path)
    with pytest.raises(
        PluginError, match='provides tool "search_wikki"; did you mean "search_wiki"'
    ):
        host.component("tool", "search_wikki")
    with pytest.raises(PluginError) as caught:
        host.component("engine", "meta-planning")
    assert (
        caught.value.problems[0].fix
        == "install the distribution aegis-meta-planning, then aegis plugins enable meta-planning"
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [("engine", "action-values"), ("trainer", "fitted-q"), ("trainer", "policy-distillation")],
)
def test_a_component_of_this_project_says_which_plugin_has_it(kind, name, tmp_path):
    with pytest.raises(PluginError) as caught:
        load([], tmp_path).component(kind, name)
    assert caught.value.problems[0].fix == "aegis plugins enable reinforce"


def test_a_component_of_an_installed_plugin_comes_with_the_command_that_enables_it(
    install, tmp_path, tool_source
):
    install("wiki", tool_source("search_wiki"))
    with pytest.raises(PluginError) as caught:
        load([], tmp_path).component("tool", "wiki")
    assert caught.value.problems[0].fix == "aegis plugins enable wiki"


def test_every_kind_has_its_provider_hook():
    from aegis import hookspecs

    assert set(PROVIDERS) == set(KINDS)
    assert all(hasattr(hookspecs, hook) for hook in PROVIDERS.values())


COMMAND = """
@aegis.hookimpl
def aegis_commands():
    import click
    return [click.Command("{name}")]
"""


def test_commands_come_with_their_plugin(install, tmp_path):
    install("stats", COMMAND.format(name="stats"))
    (provided,) = load(["stats"], tmp_path).commands(reserved=["run"])
    assert provided.command.name == "stats"
    assert provided.plugin.distribution == "acme-stats"


def test_commands_cannot_take_a_name_that_is_taken(install, tmp_path):
    install("one", COMMAND.format(name="stats"))
    install("two", COMMAND.format(name="stats"))
    install("three", COMMAND.format(name="run"))
    with pytest.raises(PluginError) as caught:
        load(["one", "two", "three"], tmp_path).commands(reserved=["run"])
    first, second = caught.value.problems
    assert "acme-one 0.3.0" in first.message
    assert "acme-two 0.3.0" in first.message
    assert second.message.startswith('command "run" is provided by aegis itself')


def test_what_is_no_command_is_attributed(install, tmp_path):
    install("stats", COMMAND.format(name="x").replace('click.Command("x")', "print"))
    with pytest.raises(
        PluginError, match=r"acme-stats 0.3.0.* raised in aegis_commands: TypeError"
    ):
        load(["stats"], tmp_path).commands()


def test_without_names_on_the_list_installed_distributions_are_not_read(tmp_path, monkeypatch):
    import importlib.metadata

    def fail(**_):
        raise AssertionError("read")

    monkeypatch.setattr(importlib.metadata, "entry_points", fail)
    assert load([], tmp_path).plugins == ()


def test_the_builtins_are_plugins_like_others(tmp_path):
    host = Host.load([], tmp_path)
    assert len(host.plugins) == len(BUILTINS)
    assert all(plugin.builtin and plugin.distribution == "aegis-agents" for plugin in host.plugins)
    assert {"research", "research-gym"} <= set(names(host, "environment"))
    assert {"rules", "random"} <= set(names(host, "engine"))


def test_who_develops_a_plugin_is_told_to_correct_it(install, tmp_path):
    path = install("mine", "raise ValueError('no')")
    (info,) = path.parent.glob("acme_mine-*.dist-info")
    (info / "direct_url.json").write_text('{"url": "file:///src", "dir_info": {"editable": true}}')
    (problem,) = refused(["mine"], tmp_path).problems
    assert problem.fix == "correct it where it is developed, or aegis plugins disable mine"
    (info / "direct_url.json").write_text('{"url": "file:///src", "dir_info": {}}')
    (problem,) = refused(["mine"], tmp_path).problems
    assert problem.fix == "pip install --upgrade acme-mine, or aegis plugins disable mine"
