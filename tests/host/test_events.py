import logging
import sys

import pytest

from aegis import hookspecs
from aegis.host.events import EVENTS
from aegis.host.manager import Host
from aegis.host.manifest import PROVIDERS
from aegis.host.registration import hook_names, plugin_manager

LISTENER = """
heard = []
@aegis.hookimpl
def aegis_training_progress(trainer, metrics):
    heard.append((trainer, metrics["loss"]))
    {then}
"""


@pytest.fixture
def hosts(install, tmp_path):
    """A host whose three plugins hear of progress; the second one does `then`."""

    def make(then):
        install("first", LISTENER.format(then=""))
        install("second", LISTENER.format(then=then))
        install("third", LISTENER.format(then=""))
        host = Host.load(["first", "second", "third"], tmp_path, builtins=())
        reports = []
        host.events.report_to(reports.append)
        heard = {n: sys.modules[f"fixture_acme_{n}"].heard for n in ("first", "second", "third")}
        return host, heard, reports

    return make


def test_every_event_has_a_specification_and_every_specification_a_use():
    used = {*EVENTS, *PROVIDERS.values(), "aegis_commands"}
    assert used == set(hook_names(plugin_manager()))


def test_every_hook_says_since_when_it_exists():
    for name in hook_names(plugin_manager()):
        assert "Since plugin API 1." in getattr(hookspecs, name).__doc__, name


def test_plugins_hear_in_the_order_of_the_list(install, tmp_path):
    for name in ("b", "a", "c"):
        install(
            name,
            f"""
            import builtins
            @aegis.hookimpl
            def aegis_run_started(run, profile, resumed):
                builtins.order_heard.append(({name!r}, run, profile, resumed))
            """,
        )
    import builtins

    builtins.order_heard = []
    Host.load(["c", "a", "b"], tmp_path, builtins=()).events.run_started(
        "r1", "rules", resumed=True
    )
    assert builtins.order_heard == [(name, "r1", "rules", True) for name in "cab"]
    del builtins.order_heard


@pytest.mark.parametrize(
    "then", ["raise ValueError('no')", "raise SystemExit(1)", "1 / 0", "raise GeneratorExit"]
)
def test_one_failure_is_reported_once_and_the_others_still_hear(hosts, then):
    host, heard, reports = hosts(then)
    host.events.training_progress("t", {"loss": 0.5})
    assert heard == {key: [("t", 0.5)] for key in ("first", "second", "third")}
    (report,) = reports
    assert 'plugin "second" (acme-second 0.3.0) raised in aegis_training_progress' in report.message


def test_a_hook_that_failed_three_times_is_not_called_again_and_that_is_said(hosts):
    host, heard, reports = hosts("raise ValueError('no')")
    for loss in range(5):
        host.events.training_progress("t", {"loss": loss})
    assert [len(heard[name]) for name in ("first", "second", "third")] == [5, 3, 5]
    assert len(reports) == 3
    said = ["is not called again" in report.message for report in reports]
    assert said == [False, False, True]


def test_an_interrupt_passes(hosts):
    host, _, reports = hosts("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        host.events.training_progress("t", {"loss": 1})
    assert reports == []


def test_without_a_listener_failures_go_to_the_log(install, tmp_path, caplog):
    install("loud", LISTENER.format(then="raise ValueError('no')"))
    host = Host.load(["loud"], tmp_path, builtins=())
    with caplog.at_level(logging.ERROR, "aegis.events"):
        host.events.training_progress("t", {"loss": 1})
    assert "acme-loud 0.3.0" in caplog.text


def test_each_event_reaches_the_hook_of_its_name(install, tmp_path):
    calls = {
        "run_started": {"run": "r", "profile": "p", "resumed": False},
        "step_finished": {"experience": object()},
        "training_progress": {"trainer": "t", "metrics": {}},
        "training_finished": {"trainer": "t", "checkpoint": None, "metrics": {}},
        "checkpoint_promoted": {"engine": "e", "checkpoint": "c", "previous": None},
        "run_finished": {"run": "r", "steps": 3, "reason": "steps"},
    }
    source = "heard = {}\n" + "".join(
        f"@aegis.hookimpl\ndef aegis_{name}({', '.join(facts)}):\n"
        f"    heard[{name!r}] = dict({', '.join(f'{fact}={fact}' for fact in facts)})\n"
        for name, facts in calls.items()
    )
    install("all", source)
    host = Host.load(["all"], tmp_path, builtins=())
    for name, facts in calls.items():
        getattr(host.events, name)(**facts)
    assert sys.modules["fixture_acme_all"].heard == calls
    assert {f"aegis_{name}" for name in calls} == set(EVENTS)
