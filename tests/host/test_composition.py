from pathlib import Path

import pytest

import aegis
from aegis.config.config import load
from aegis.config.source import read
from aegis.errors import AegisError, ConfigError, ContractError, PluginError
from aegis.host.building import build, build_all, build_engine
from aegis.host.composition import compose
from aegis.host.manager import Host

PLUGIN = '''
from __future__ import annotations
import aegis
from attrs import frozen, field

log = []

@frozen
class HrmConfig:
    embedding_rows: int = aegis.setting(1000, help="Rows.")

class Thing:
    """Every role at once: what it was built with, and whether it was closed."""
    def __init__(self, kind, name, config, parts, runtime):
        self.kind, self.name, self.config, self.parts, self.runtime = kind, name, config, parts, runtime
        self.accepts = frozenset({"hrm"})
        self.spec = aegis.ToolSpec(name, "Do it.", {"type": "object", "properties": {}})
        if kind == "engine":
            self.capabilities = aegis.EngineCapabilities("hrm", embedding_rows=1000)
        else:
            self.capabilities = aegis.TokenizerCapabilities(LARGEST[name])
        log.append(("built", name))
    def score(self, view, candidates): ...
    def score_batch(self, items): ...
    def save(self, directory): ...
    def close(self): log.append(("closed", self.name))
    def encode(self, text): ...
    def decode(self, ids): ...
    def train(self, engine, data, context): ...
    def candidates(self, view): return []
    def call(self, arguments, context): ...
    def reset(self, seed): ...
    def step(self, action): ...

LARGEST = {"small": 999, "large": 1000, "shy": 1000}

def make(kind, name, **more):
    build = more.pop("build", lambda c, p, r: Thing(kind, name, c, p, r))
    return aegis.Component(kind=kind, name=name, summary="A thing.", build=build, **more)

def fail(*_):
    raise ValueError("no weights")

def absent(_):
    raise aegis.errors.ModelError.of("model-absent", "no such model", fix="fetch it")

@aegis.hookimpl
def aegis_engines():
    return [
        make("engine", "hrm", config=HrmConfig, parts={"tokenizer": aegis.Part("tokenizer", "small")},
             describe=lambda c: aegis.EngineCapabilities("hrm", embedding_rows=c.embedding_rows)),
        make("engine", "own", parts={"tokenizer": aegis.Part("tokenizer")}),
        make("engine", "meta", parts={"planner": aegis.Part("engine", "hrm"),
                                      "writer": aegis.Part("engine", "own")}),
        make("engine", "loop", parts={"inner": aegis.Part("engine", "loop")}),
        make("engine", "lost", parts={"planner": aegis.Part("engine", "nowhere")}),
        make("engine", "broken", build=fail, parts={"tokenizer": aegis.Part("tokenizer", "small")}),
        make("engine", "raises", describe=fail),
        make("engine", "absent", describe=absent),
        make("engine", "odd", describe=lambda c: {"kind": "x"}),
        make("engine", "hollow", build=lambda c, p, r: object()),
    ]

@aegis.hookimpl
def aegis_tokenizers():
    return [
        make("tokenizer", "small", describe=lambda c: aegis.TokenizerCapabilities(999)),
        make("tokenizer", "large", describe=lambda c: aegis.TokenizerCapabilities(1000)),
        make("tokenizer", "shy",
             describe=lambda c: aegis.TokenizerCapabilities(None, unverified=("max_token_id",))),
    ]

@aegis.hookimpl
def aegis_trainers():
    return [make("trainer", "teach", describe=lambda c: aegis.TrainerCapabilities(frozenset({"hrm"})))]

@aegis.hookimpl
def aegis_tools():
    return [make("tool", "hammer"), make("tool", "saw")]

@aegis.hookimpl
def aegis_environments():
    return [make("environment", "research"), make("environment", "yard")]
'''
PLUGIN = PLUGIN.replace("import aegis\n", "import aegis, aegis.errors\n", 1)


@pytest.fixture
def composed(project):
    """Compose a profile of a project with the plugin above and the given lines in its file."""
    project.write("things.py", PLUGIN)

    def make(lines, profile="p", sets=()):
        head = f'profile = "{profile}"\n[plugins]\nenabled = ["./things.py"]\n'
        file = project.write("aegis.toml", head + lines)
        source = read(file, sets)
        host = Host.load(source.enabled, source.project, builtins=())
        return compose(host, load(source, [one.component for one in host.components()]))

    return make


def runtime(**more):
    return aegis.Runtime(project=Path(), data=Path(), **more)


def test_a_profile_is_its_engine_with_parts_trainers_tools_and_environment(composed):
    composition = composed('[profiles.p]\nengine = "hrm"\nphases.imitate = "teach"\n')
    assert [chosen.path for chosen in composition.walk()] == [
        "engine.tokenizer", "engine", "environment", "tool.hammer", "tool.saw", "trainer.imitate",
    ]  # fmt: skip
    assert composition.engine.config.embedding_rows == 1000
    assert composition.engine.parts["tokenizer"].component.name == "small"
    assert composition.environment.component.name == "research"
    assert composition.trainers["imitate"].component.name == "teach"
    assert composition.profile == "p"


def test_every_choice_knows_its_line(composed):
    composition = composed(
        '[profiles.p]\nengine = "hrm"\ntokenizer = "large"\nphases.imitate = "teach"\n'
        'environment = "yard"\n[agent]\ntools = ["saw"]\n'
    )
    assert composition.engine.where == 'profile "p": engine = "hrm"   (aegis.toml:5)'
    assert composition.engine.parts["tokenizer"].where == (
        'profile "p": engine = "hrm", tokenizer = "large"   (aegis.toml:6)'
    )
    assert composition.trainers["imitate"].where == (
        'profile "p": phases.imitate = "teach"   (aegis.toml:7)'
    )
    assert composition.environment.where == 'profile "p": environment = "yard"   (aegis.toml:8)'
    (tool,) = composition.tools
    assert tool.where == '[agent].tools holds "saw"   (aegis.toml:10)'


def test_the_part_of_a_section_and_an_override_are_named_as_such(composed):
    lines = '[profiles.p]\nengine = "hrm"\n'
    written = composed(lines + '[engine.hrm]\ntokenizer = "large"\n')
    assert written.engine.parts["tokenizer"].where == (
        'profile "p": engine = "hrm", tokenizer = "large"   (aegis.toml:7)'
    )
    overridden = composed(lines, sets=["engine.hrm.tokenizer=large"])
    assert overridden.engine.parts["tokenizer"].where.endswith("(--set engine.hrm.tokenizer)")


def test_a_default_part_points_at_the_choice_that_brought_it(composed):
    composition = composed('[profiles.p]\nengine = "meta"\n')
    planner = composition.engine.parts["planner"]
    assert planner.parts["tokenizer"].path == "engine.planner.tokenizer"
    assert planner.parts["tokenizer"].where == (
        'profile "p": engine = "meta", planner = "hrm", tokenizer = "small"   (aegis.toml:5)'
    )


def test_a_part_without_default_and_choice_is_the_components_own(composed):
    composition = composed('[profiles.p]\nengine = "own"\n')
    assert composition.engine.parts == {}


def test_tools_are_those_that_the_list_names_in_its_order(composed):
    lines = '[profiles.p]\nengine = "hrm"\n[agent]\ntools = ["saw", "hammer"]\n'
    assert [tool.component.name for tool in composed(lines).tools] == ["saw", "hammer"]
    assert composed(lines.replace('["saw", "hammer"]', "[]")).tools == ()


def test_a_component_cannot_be_a_part_of_itself(composed):
    with pytest.raises(ContractError, match=r'part-cycle.: engine "loop" is a part of itself'):
        composed('[profiles.p]\nengine = "loop"\n')


def test_a_default_that_nobody_provides_is_told_with_its_chain(composed):
    with pytest.raises(ContractError) as caught:
        composed('[profiles.p]\nengine = "lost"\n')
    (problem,) = caught.value.problems
    assert problem.message == 'no enabled plugin provides engine "nowhere"'
    assert problem.where == 'profile "p": engine = "lost", planner = "nowhere"   (aegis.toml:5)'


def test_what_a_failed_plugin_would_have_provided_is_told_with_its_failure(project):
    project.write("broken.py", "raise ValueError('boom')")
    file = project.write(
        "aegis.toml",
        'profile = "p"\nplugins.enabled = ["broken.py"]\n[profiles.p]\nengine = "hrm"\n',
    )
    source = read(file)
    host = Host.load(source.enabled, source.project, tolerant=True)
    config = load(source, [one.component for one in host.components()], lenient=True)
    with pytest.raises(ContractError) as caught:
        compose(host, config)
    failure, absence = caught.value.problems
    assert failure.message.endswith("raised in import: ValueError: boom")
    assert absence.message == 'no enabled plugin provides engine "hrm"'
    assert absence.fix == "see why a plugin failed: aegis plugins list (broken.py)"


def test_another_profile_may_be_composed_than_the_files(composed):
    composition = composed('[profiles.p]\nengine = "hrm"\n[profiles.q]\nengine = "own"\n')
    other = compose(composition.host, composition.config, "q")
    assert (other.profile, other.engine.component.name) == ("q", "own")
    with pytest.raises(ConfigError, match='no profile "r"'):
        compose(composition.host, composition.config, "r")


def test_what_is_described_is_kept_by_path(composed):
    composition = composed('[profiles.p]\nengine = "hrm"\n[engine.hrm]\nembedding_rows = 7\n')
    described = composition.describe_all()
    assert described.capabilities["engine"].embedding_rows == 7
    assert described.capabilities["engine.tokenizer"].max_token_id == 999
    assert "tool.saw" not in described.capabilities
    assert described.problems == ()


def test_what_describing_raises_is_attributed(composed):
    described = composed('[profiles.p]\nengine = "raises"\n').describe_all()
    (problem,) = described.problems
    assert problem.message == (
        'plugin "./things.py" (local file) raised in describe of engine "raises": '
        "ValueError: no weights"
    )
    assert described.failed == {"engine"}


def test_an_error_on_purpose_keeps_its_code_and_fix_and_gets_the_line(composed):
    (problem,) = composed('[profiles.p]\nengine = "absent"\n').describe_all().problems
    assert (problem.code, problem.fix) == ("model-absent", "fetch it")
    assert problem.where == 'profile "p": engine = "absent"   (aegis.toml:5)'


def test_capabilities_of_another_kind_are_the_plugins_mistake(composed):
    (problem,) = composed('[profiles.p]\nengine = "odd"\n').describe_all().problems
    assert problem.code == "plugin-interface"


def test_parts_are_built_first_and_handed_over(composed):
    composition = composed('[profiles.p]\nengine = "meta"\n')
    built = build_all(composition.engine, runtime(seed=7))
    assert list(built) == [
        "engine.planner.tokenizer", "engine.planner", "engine.writer", "engine",
    ]  # fmt: skip
    engine = built["engine"]
    assert set(engine.parts) == {"planner", "writer"}
    assert engine.parts["planner"].parts["tokenizer"].name == "small"
    assert engine.parts["planner"].config.embedding_rows == 1000
    assert engine.runtime.seed == 7


def test_a_part_gets_its_own_folder_of_the_checkpoint(composed, tmp_path):
    (tmp_path / "planner" / "tokenizer").mkdir(parents=True)
    composition = composed('[profiles.p]\nengine = "meta"\n')
    engine = build(composition.engine, runtime(checkpoint=tmp_path))
    assert engine.runtime.checkpoint == tmp_path
    planner = engine.parts["planner"]
    assert planner.runtime.checkpoint == tmp_path / "planner"
    assert planner.parts["tokenizer"].runtime.checkpoint == tmp_path / "planner" / "tokenizer"
    assert engine.parts["writer"].runtime.checkpoint is None


def test_what_building_raises_is_attributed_and_what_was_built_is_closed(composed):
    composition = composed('[profiles.p]\nengine = "broken"\n')
    with pytest.raises(PluginError) as caught:
        build(composition.engine, runtime())
    assert caught.value.problems[0].message == (
        'plugin "./things.py" (local file) raised in build of engine "broken": '
        "ValueError: no weights"
    )
    module = composition.engine.component.build.__globals__
    assert module["log"] == [("built", "small"), ("closed", "small")]


def test_what_is_built_must_have_its_role(composed):
    with pytest.raises(PluginError, match="it has no method score"):
        build(composed('[profiles.p]\nengine = "hollow"\n').engine, runtime())


def test_an_engine_is_checked_again_once_it_is_built(composed):
    """A tokenizer that did not know its ids before turns out to be too large."""
    composition = composed('[profiles.p]\nengine = "hrm"\ntokenizer = "shy"\n')
    with pytest.raises(ContractError) as caught:
        build_engine(composition, runtime())
    (problem,) = caught.value.problems
    assert problem.message == (
        'tokenizer "shy" emits ids up to 1000, engine "hrm" has 1000 embedding rows'
    )
    log = composition.engine.component.build.__globals__["log"]
    assert log[-2:] == [("closed", "hrm"), ("closed", "shy")]


def test_an_engine_that_is_not_what_it_described_is_refused(composed):
    composition = composed('[profiles.p]\nengine = "hrm"\n[engine.hrm]\nembedding_rows = 2000\n')
    with pytest.raises(
        AegisError, match="described embedding_rows as 2000; what was built has 1000"
    ):
        build_engine(composition, runtime())


def test_a_sound_engine_is_returned(composed):
    engine = build_engine(composed('[profiles.p]\nengine = "hrm"\n'), runtime())
    assert engine.name == "hrm"
