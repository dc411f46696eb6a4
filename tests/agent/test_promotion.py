"""Other weights decide from the next decision on, while the agent runs and while it does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import pytest

from aegis.agent import inbox as inboxes
from aegis.agent import promotion
from aegis.agent.assembly import assemble
from aegis.agent.loop import Listener, Loop, Policy
from aegis.agent.promotion import Request, decide
from aegis.agent.stages import Seeded
from aegis.agent.weights import Weights
from aegis.checkpoints.manifest import Draft
from aegis.checkpoints.promoting import Promotions
from aegis.checkpoints.serving import history, serving
from aegis.contracts.capabilities import EngineCapabilities
from aegis.errors import AegisError, ContractError, InputError, ModelError, StoreError
from aegis.exploration import Exploration
from aegis.host.plugin import PluginInfo
from aegis.project import load
from aegis.store.ledger import Ledger
from aegis.store.owning import owning

PLUGIN = '''
import json
import numpy as np
import aegis

OPEN, MOST, HEARD = [], [0], []

class Fixed:
    """Takes the candidate that its weights name, always."""

    def __init__(self, name, choice):
        self.capabilities = aegis.EngineCapabilities(
            kind="fixed", trainable=True, parameters=1, weights=name, tokenizer_fingerprint="ff")
        self.choice = choice
        OPEN.append(name)
        MOST[0] = max(MOST[0], len(OPEN))

    def score(self, view, candidates):
        scores = np.full(len(candidates), -np.inf)
        scores[self.choice] = 0.0
        return scores

    def score_batch(self, items):
        return [self.score(*item) for item in items]

    def save(self, directory):
        pass

    def close(self):
        OPEN.remove(self.capabilities.weights)
        if self.choice == 3:
            raise OSError("will not close")

def build(config, parts, runtime):
    if runtime.checkpoint is None:
        return Fixed("configured", 0)
    weights = json.loads((runtime.checkpoint / "weights.json").read_text())
    return Fixed(weights["name"], weights["choice"])

class Halls:
    def reset(self, seed):
        self.at = 1
        return self.view()

    def view(self):
        return aegis.View(goal="Leave", step=self.at, limit=5)

    def candidates(self, view):
        return [aegis.Action("go", {"way": way}) for way in range(4)] if self.at <= 5 else []

    def step(self, action):
        self.at += 1
        return aegis.StepResult(self.view(), aegis.Outcome("ok"), 0.5, done=self.at > 5)

def component(kind, name, build, **more):
    return aegis.Component(kind=kind, name=name, summary="A thing.", build=build, **more)

@aegis.hookimpl
def aegis_engines():
    said = aegis.EngineCapabilities(kind="fixed", trainable=True, parameters=1, tokenizer_fingerprint="ff")
    return [component("engine", "fixed", build, describe=lambda config: said)]

@aegis.hookimpl
def aegis_environments():
    return [component("environment", "halls", lambda c, p, r: Halls(),
                      describe=lambda config: aegis.EnvironmentCapabilities())]

@aegis.hookimpl
def aegis_checkpoint_promoted(engine, checkpoint, previous):
    HEARD.append((engine, checkpoint, previous))
'''

CONFIG = """
profile = "fixed"
[plugins]
enabled = ["fixed.py"]
[agent]
practice_when_idle = false
[agent.exploration]
temperature = 1.0
epsilon = 0.0
[profiles.fixed]
engine = "fixed"
environment = "halls"
[profiles.plain]
engine = "rules"
environment = "halls"
"""

DRAFT = {
    "component": "fixed", "kind": "fixed", "distribution": "local file", "version": "",
    "plugin_api": 1, "trainer": "by-hand", "trainer_distribution": "local file",
    "trainer_version": "", "config": {}, "tokenizer_fingerprint": "ff", "parent": None, "needs": {},
    "dataset": {"examples": 3, "train": "1-3"}, "metrics": {"held_out_loss": 1.0}, "seed": 0,
}  # fmt: skip


@pytest.fixture
def file(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "fixed.py").write_text(PLUGIN)
    (folder / "aegis.toml").write_text(CONFIG)
    return folder / "aegis.toml"


@pytest.fixture
def project(file):
    return load(file)


@pytest.fixture
def make(project, tmp_path):
    """Store weights under a name; the engine takes the candidate of their number."""

    def add(name, choice=1, text=None, **changes):
        source = tmp_path / f"result-{name}"
        source.mkdir()
        text = json.dumps({"name": name, "choice": choice}) if text is None else text
        (source / "weights.json").write_text(text)
        return project.checkpoints.add(source, Draft(**{**DRAFT, **changes}))

    return add


def insides(project):
    """The module of the plugin, as the host of this project loaded it."""
    return sys.modules[project.host.component("engine", "fixed").build.__module__]


def codes(caught):
    return [problem.code for problem in caught.value.problems]


def test_the_loop_decides_with_another_engine_from_the_next_decision_on(tmp_path, buttons, clock):
    class Always:
        def __init__(self, choice):
            self.choice, self.capabilities = (
                choice,
                EngineCapabilities(kind="a", weights=f"w{choice}"),
            )

        def score(self, view, candidates):
            return np.where(np.arange(len(candidates)) == self.choice, 0.0, -np.inf)

    with Ledger.open(tmp_path) as ledger:
        ledger.begin_run("run-1", "test", 3)
        served = {4: Always(1), 9: Always(2)}

        def between():
            engine = served.get(ledger.last_step() + 1)
            if engine is not None:
                loop.serve(engine, Exploration())

        loop = Loop(
            ledger, Policy(Always(0), "always", PluginInfo("p", "local file", ""), Exploration(), 3),
            Seeded(buttons, "buttons", "own", "1"), None,
            run="run-1", clock=clock, listener=Listener(), between=between,
        )  # fmt: skip
        steps = list(loop.run(12))
    assert [s.decision.checkpoint for s in steps] == ["w0"] * 3 + ["w1"] * 5 + ["w2"] * 4
    assert [s.decision.chosen for s in steps] == [0] * 3 + [1] * 5 + [2] * 4


def test_promoted_weights_decide_in_the_next_run(project, file, make):
    checkpoint = make("one", 2)
    told = decide(project, checkpoint)
    assert (
        told["answer"]
        == f'checkpoint {checkpoint} decides for profile "{project.composition.profile}" '
        "from step 1 on; before: the configured weights"
    )
    with assemble(load(file)) as agent:
        steps = list(agent.run(7))
        assert agent.summary()["checkpoint"] == checkpoint
        assert checkpoint in agent.describe()
    assert {(s.decision.checkpoint, s.decision.chosen) for s in steps} == {("one", 2)}
    told = decide(project, None)
    assert (told["checkpoint"], told["previous"], told["step"]) == (None, checkpoint, 8)
    with assemble(load(file)) as agent:
        steps = list(agent.run(3))
        assert agent.summary()["checkpoint"] == "configured"
        assert {s.decision.checkpoint for s in steps} == {"configured"}
        assert [s.step for s in steps] == [8, 9, 10]


def test_as_long_as_nothing_was_trained_it_may_explore_more(file, make):
    """At random at first; from the step on that a checkpoint decides, by the engine."""
    file.write_text(CONFIG.replace("epsilon = 0.0", "epsilon = 0.0\nepsilon_untrained = 1.0"))
    checkpoint = make("one", 2)
    steps, *_ = running(load(file), {6: Request("fixed", 0, checkpoint).payload()})
    shares = [np.exp(s.decision.behaviour_log_probabilities).tolist() for s in steps]
    assert shares[:7] == [pytest.approx([0.25] * 4)] * 7
    assert shares[7:] == [pytest.approx([0, 0, 1, 0], abs=1e-6)] * 5
    with assemble(load(file)) as agent:
        assert {s.decision.chosen for s in agent.run(5)} == {2}


def running(project, asks, steps=12):
    """Run the agent and put requests into its inbox: {after step: payload}. Returns steps, answers."""
    folder = project.run_folder / "inbox"
    notices, found, answers = [], [], {}
    with assemble(project, listener=Listener(notice=notices.append)) as agent:
        for step in agent.run(steps):
            found.append(step)
            for file in folder.glob("*.answer") if folder.is_dir() else ():
                answers[file.stem] = json.loads(file.read_text())
                file.unlink()
            if step.step in asks:
                folder.mkdir(exist_ok=True)
                payload = asks[step.step]
                payload = payload() if callable(payload) else payload
                (folder / f"{step.step:04d}.json").write_text(
                    payload if isinstance(payload, str) else json.dumps(payload)
                )
        summary = agent.summary()
    assert list(folder.glob("*.json")) == []
    return found, answers, notices, summary


def test_a_running_agent_swaps_between_two_steps(project, make):
    one, two = make("one", 1), make("two", 2)
    asks = {
        3: Request("fixed", 0, one).payload(),
        6: Request("fixed", 1, two).payload(),
        9: Request("fixed", 2).payload(),
    }
    steps, answers, notices, summary = running(project, asks, 14)
    names = [s.decision.checkpoint for s in steps]
    places = [names.index(name) for name in ("configured", "one", "two")]
    assert places == sorted(places)
    # The step that is handed out was committed with the intent of the next: one more is old.
    assert names == ["configured"] * 4 + ["one"] * 3 + ["two"] * 3 + ["one"] * 4
    assert [s.decision.chosen for s in steps] == [0] * 4 + [1] * 3 + [2] * 3 + [1] * 4
    assert [answers[key]["step"] for key in sorted(answers)] == [5, 8, 11]
    assert answers["0003"]["answer"] == notices[0]
    assert "from step 5 on" in notices[0]
    assert (summary["checkpoint"], summary["promoted"]) == (one, 2)
    module = insides(project)
    heard = [("fixed", one, None), ("fixed", two, one), ("fixed", one, two)]
    assert heard == module.HEARD
    assert module.MOST == [2], "one engine's memory more than without a swap"
    assert module.OPEN == []
    rows = history(project.run_folder)
    assert [(r.previous, r.checkpoint, r.why, r.step) for r in rows] == [
        (None, one, "person", 4), (one, two, "person", 7), (two, one, "rollback", 10),
    ]  # fmt: skip
    with Ledger.open(project.run_folder, write=False) as ledger:
        assert ledger.verify() == []
        assert [s.decision.checkpoint for s in ledger.experiences()] == names


BAD = {
    "damaged": ("checkpoint-damaged", lambda p, m, one: _spoil(p, one)),
    "absent": ("checkpoint-absent", lambda p, m, one: "0" * 16),
    "cannot be built": ("plugin-failed", lambda p, m, one: m("bad", text="{}")),
    "other engine": ("checkpoint-engine", lambda p, m, one: m("bad", component="gpt2")),
    "other plugin": ("checkpoint-version", lambda p, m, one: m("bad", distribution="else")),
    "other version": ("checkpoint-version", lambda p, m, one: m("bad", version="0.2")),
    "other interface": ("checkpoint-version", lambda p, m, one: m("bad", plugin_api=2)),
    "other tokenizer": ("checkpoint-tokenizer", lambda p, m, one: m("bad", tokenizer_fingerprint="aa")),
}  # fmt: skip


def _spoil(project, checkpoint):
    (project.checkpoints.path / checkpoint / "weights.json").write_text("{}")
    return checkpoint


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_served_changes_nothing_and_the_answer_says_why(project, make, kind):
    expected, spoil = BAD[kind]
    good, one = make("good", 1), make("one", 2)
    decide(project, good)
    bad = spoil(project, make, one)
    steps, answers, _, summary = running(project, {3: Request("fixed", 1, bad).payload()}, 8)
    assert {s.decision.checkpoint for s in steps} == {"good"}
    (answer,) = answers.values()
    assert expected in [problem[0] for problem in answer["problems"]]
    assert (summary["checkpoint"], summary["promoted"]) == (good, 0)
    assert insides(project).OPEN == []
    assert serving(project.run_folder, "fixed") == good
    if kind != "cannot be built":  # which is known only where it is built
        with pytest.raises(AegisError) as caught:
            decide(project, bad)
        assert expected in codes(caught)
        assert serving(project.run_folder, "fixed") == good


UNREADABLE = [
    "", "[]", "7", "{", "null", "[" * 60_000, "x" * 70_000,
    {"kind": "promote"}, {"kind": "promote", "profile": "fixed", "after": 0},
    {"kind": "promote", "profile": "fixed", "after": 0, "checkpoint": "../../etc"},
    {"kind": "promote", "profile": "fixed", "after": 0, "checkpoint": None},
    {"kind": "promote", "profile": "fixed", "after": "0", "checkpoint": "0" * 16},
    {"kind": "promote", "profile": "fixed", "after": True, "checkpoint": "0" * 16},
    {"kind": "promote", "profile": "fixed", "after": -1, "checkpoint": "0" * 16},
    {"kind": "promote", "profile": "../x", "after": 0, "checkpoint": "0" * 16},
    {"kind": "promote", "profile": ["fixed"], "after": 0, "checkpoint": "0" * 16},
    {"kind": "promote", "profile": "fixed", "after": 0, "checkpoint": "0" * 16, "why": "gate"},
    {"kind": "rollback", "profile": "fixed", "after": 0, "checkpoint": "0" * 16},
    {"kind": "rollback", "profile": "fixed"}, {"kind": "approve", "text": "x"}, {"kind": ["x"]},
    {"kind": "rollback", "profile": "plain", "after": 0},
]  # fmt: skip


@pytest.mark.parametrize("payload", UNREADABLE, ids=[str(p)[:50] for p in UNREADABLE])
def test_a_request_that_is_not_exactly_one_is_answered_and_the_run_goes_on(project, payload):
    steps, answers, _, _ = running(project, {2: payload}, 6)
    assert [s.step for s in steps] == [1, 2, 3, 4, 5, 6]
    (answer,) = answers.values()
    assert answer["problems"]
    assert history(project.run_folder) == []


def test_a_request_that_was_applied_changes_nothing_again(project, make):
    """After a crash a request may be read twice, long after other weights were promoted."""
    one, two = make("one"), make("two")
    request = Request("fixed", 0, one).payload()
    decide(project, one)
    _, answers, _, _ = running(project, {2: request}, 5)
    (answer,) = answers.values()
    assert answer["changed"] is False and "already" in answer["answer"]
    decide(project, two)
    _, answers, _, _ = running(project, {7: request, 9: Request("fixed", 1).payload()}, 8)
    assert [a["problems"][0][0] for a in answers.values()] == ["promotion-outdated"] * 2
    assert serving(project.run_folder, "fixed") == two
    assert len(history(project.run_folder)) == 2


def test_an_engine_that_will_not_close_does_not_stop_the_exchange(project, make):
    rude, one = make("rude", 3), make("one", 1)
    decide(project, rude)
    steps, answers, notices, _ = running(project, {3: Request("fixed", 1, one).payload()}, 8)
    assert [s.decision.checkpoint for s in steps] == ["rude"] * 4 + ["one"] * 4
    assert any("will not close" in notice for notice in notices)
    assert answers["0003"]["changed"]


def test_a_full_disk_at_the_commit_leaves_the_old_weights_and_the_step(project, make, monkeypatch):
    one = make("one")
    real = Promotions.promote

    def full(*arguments, **options):
        real(*arguments, **options)
        raise StoreError.of("disk-full", "the disk takes no more")

    monkeypatch.setattr(Promotions, "promote", full)
    steps, answers, _, _ = running(project, {3: Request("fixed", 0, one).payload()}, 8)
    assert [s.step for s in steps] == list(range(1, 9))
    assert {s.decision.checkpoint for s in steps} == {"configured"}
    assert answers["0003"]["problems"][0][0] == "disk-full"
    assert history(project.run_folder) == []
    assert insides(project).OPEN == []


# Starting with what was promoted.


def test_a_damaged_checkpoint_is_refused_with_the_way_back(project, file, make):
    one, two = make("one"), make("two")
    decide(project, one)
    decide(project, two)
    _spoil(project, two)
    with pytest.raises(ContractError) as caught:  # before anything is built
        assemble(load(file))
    (problem,) = caught.value.problems
    assert problem.code == "checkpoint-damaged"
    assert "weights.json" in problem.message
    assert "aegis checkpoints rollback" in problem.fix and one in problem.fix
    decide(load(file), None)
    with assemble(load(file)) as agent:
        assert agent.summary()["checkpoint"] == one


def test_a_rollback_passes_over_what_is_damaged(project, make):
    one, two, three = make("one"), make("two"), make("three")
    for checkpoint in (one, two, three):
        decide(project, checkpoint)
    _spoil(project, two)
    told = decide(project, None)
    assert told["checkpoint"] == one
    assert f"passed over: checkpoint {two} is damaged" in told["answer"]
    assert decide(project, None)["checkpoint"] is None
    with pytest.raises(InputError) as caught:
        decide(project, None)
    assert codes(caught) == ["nothing-before"]


def test_weights_that_cannot_be_built_are_refused_with_the_way_back(project, file, make):
    decide(project, make("bad", text="{}"))
    with pytest.raises(ModelError) as caught:
        assemble(load(file))
    assert codes(caught) == ["checkpoint-unusable", "plugin-failed"]
    assert "the configured weights" in caught.value.problems[0].fix
    assert "KeyError" in caught.value.problems[1].message


def test_an_absent_checkpoint_is_refused_by_the_check(project, file, make):
    one = make("one")
    decide(project, one)
    with project.checkpoints.held():
        project.checkpoints.remove(one)
    with pytest.raises(ContractError) as caught:
        assemble(load(file))
    assert codes(caught) == ["checkpoint-absent"]
    assert "rollback" in caught.value.problems[0].fix
    assert decide(load(file), None)["checkpoint"] is None


def test_a_fresh_run_begins_with_the_configured_weights(project, file, make):
    decide(project, make("bad", text="{}"))
    with assemble(load(file), fresh=True) as agent:
        assert {s.decision.checkpoint for s in agent.run(3)} == {"configured"}


def test_a_promotion_holds_for_its_profile_only(project, file, make):
    decide(project, make("one"))
    assert load(file, profile="plain").serving() is None
    with pytest.raises(ContractError) as caught:
        decide(load(file, profile="plain"), serving(project.run_folder, "fixed"))
    assert codes(caught) == ["checkpoint-engine"]


# Killed.

POINTS = {
    "verified": (promotion, "check_weights"),
    "built": (Weights, "_built"),
    "recorded": (Promotions, "promote"),
    "committed": (promotion, "put_in_charge"),
    "told": (promotion, "answer"),
    "swapped": (Loop, "serve"),
    "closed": (Weights, "_exchange"),
    "answered": (inboxes, "_put"),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_of_a_swap_leaves_the_old_or_the_new(file, project, make, point, when):
    """Three kills at each; the next run decides with what was recorded, and goes on."""
    old = make("old", 1)
    decide(project, old)
    for number in range(3):
        new = make(f"new-{number}", 2)
        before, newest = serving(project.run_folder, "fixed"), promotion.newest(project.run_folder)
        die_in_a_swap(file, Request("fixed", newest, new), POINTS[point], when)
        decides = serving(project.run_folder, "fixed")
        assert decides in (before, new)
        early = (point, when) in {
            ("verified", "before"), ("verified", "after"), ("built", "before"), ("built", "after"),
            ("recorded", "before"), ("recorded", "after"), ("committed", "before"),
        }  # fmt: skip
        assert (decides == before) == early
        with Ledger.open(project.run_folder, write=False) as ledger:
            assert ledger.verify() == []
        with assemble(load(file)) as agent:
            assert agent.summary()["checkpoint"] == decides
            list(agent.run(2))  # what lay in the inbox is applied now
        assert serving(project.run_folder, "fixed") == new
        assert list((project.run_folder / "inbox").glob("*.json")) == []


def die_in_a_swap(file, request, place, when):
    child = os.fork()
    if child == 0:
        try:
            owner, name = place
            real, armed = getattr(owner, name), []

            def call(*arguments, **options):
                if armed and when == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
                made = real(*arguments, **options)
                if armed:
                    os.kill(os.getpid(), signal.SIGKILL)
                return made

            setattr(owner, name, call)
            project = load(file)
            with assemble(project) as agent:
                folder = project.run_folder / "inbox"
                folder.mkdir(exist_ok=True)
                for step in agent.run(6):
                    if not armed:
                        armed.append(True)
                        (folder / "1.json").write_text(json.dumps(request.payload()))
                    assert step
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was not killed"


# With real processes.


@pytest.fixture
def run(file):
    """Start ``aegis run`` and wait for its first steps; ended and waited for at the end."""
    begun = []

    def start(*more):
        command = [sys.executable, "-m", "aegis.cli.main", "-C", str(file.parent), "run", *more]
        command[1:3] = ["-c", "from aegis.cli.main import main; main()"]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        begun.append(child)
        folder = file.parent / "data" / "run"
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if child.poll() is not None:
                pytest.fail(child.communicate()[0])
            if (folder / "ledger.sqlite").exists() and (folder / "lock.pid").exists():
                try:
                    with Ledger.open(folder, write=False) as ledger:
                        if ledger.last_step() > 3:
                            return child
                except StoreError:
                    pass
            time.sleep(0.05)
        pytest.fail("it did not begin")

    yield start
    for child in begun:
        child.kill()
        child.communicate()


def finish(child):
    child.send_signal(signal.SIGINT)
    return child.communicate(timeout=20)[0]


def test_a_running_process_is_promoted_to_and_back(project, file, make, run):
    one = make("one", 1)
    child = run("--steps", "1000000", "-q", "--json")
    told = decide(project, one)
    assert told["checkpoint"] == one and told["changed"]
    assert decide(project, one)["changed"] is False
    back = decide(project, None)
    assert back["checkpoint"] is None and back["step"] > told["step"]
    said = finish(child)
    summary = json.loads(said.splitlines()[-1])
    assert (summary["checkpoint"], summary["promoted"]) == ("configured", 1)
    with Ledger.open(project.run_folder, write=False) as ledger:
        for step in ledger.experiences(
            since=told["step"] - 3, limit=back["step"] - told["step"] + 5
        ):
            inside = told["step"] <= step.step < back["step"]
            assert step.decision.checkpoint == ("one" if inside else "configured")
        assert ledger.verify() == []


def test_a_process_with_another_engine_is_not_promoted_to(project, file, make, run):
    one = make("one")
    child = run("--profile", "plain", "--steps", "1000000", "-q")
    with pytest.raises(ContractError) as caught:
        decide(load(file, profile="plain"), one)
    assert codes(caught) == ["checkpoint-engine"]
    with pytest.raises(InputError) as caught:
        decide(project, one)  # for a profile that the running agent does not have
    assert codes(caught) == ["other-profile"]
    assert "plain" in caught.value.problems[0].message
    finish(child)
    assert history(project.run_folder) == []


def test_a_request_to_a_runner_that_ends_is_applied_without_it(project, make):
    """Who asks takes the request back and applies it: nothing waits for a runner that is gone."""
    one, told = make("one"), []
    with owning(project.run_folder):
        thread = threading.Thread(target=lambda: told.append(decide(project, one)))
        thread.start()
        folder = project.run_folder / "inbox"
        end = time.monotonic() + 10
        while time.monotonic() < end and not (folder.is_dir() and list(folder.glob("*.json"))):
            time.sleep(0.01)
        assert list(folder.glob("*.json"))
        assert told == []
    thread.join(10)
    assert told[0]["checkpoint"] == one
    assert serving(project.run_folder, "fixed") == one
    assert list(folder.iterdir()) == []
