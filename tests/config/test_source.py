"""Reading: the file, variables, flags, their precedence and origins."""

from __future__ import annotations

import pytest

from aegis.config.config import load
from aegis.config.source import read
from aegis.errors import ConfigError


def problem_of(call, *args, **more):
    with pytest.raises(ConfigError) as error:
        call(*args, **more)
    (problem,) = error.value.problems
    return problem


FILE = """\
profile = "a"

[agent]
candidates = 1

[profiles.a]
engine = "gpt2"

[engine.gpt2]
batch = 3
"""


def test_a_flag_beats_a_variable_and_a_variable_the_file(load_config):
    environ = {"AEGIS_AGENT__CANDIDATES": "2", "AEGIS_ENGINE__GPT2__BATCH": "4"}
    read_file = load_config(FILE)
    assert read_file.settings.agent.candidates == 1
    with_variable = load_config(FILE, environ=environ)
    assert with_variable.settings.agent.candidates == 2
    assert with_variable.section("engine", "gpt2").batch == 4
    with_flag = load_config(FILE, ["agent.candidates=5", "agent.candidates=6"], environ)
    assert with_flag.settings.agent.candidates == 6
    assert with_flag.source.where("agent", "candidates") == "--set agent.candidates"
    assert with_flag.source.where("engine", "gpt2", "batch") == "AEGIS_ENGINE__GPT2__BATCH"


def test_variables_know_hyphens_nested_sections_and_the_profile(load_config):
    config = load_config(
        '[profiles.my-own]\nengine = "rules"\n',
        environ={
            "AEGIS_PROFILE": "my-own",
            "AEGIS_AGENT__EXPLORATION__EPSILON": "0.1",
            "AEGIS_PROFILES__MY_OWN__ENGINE": "random",
            "AEGIS_ENGINE__META_PLANNING__WRITER": "rules",
            "AEGIS_ENGINE__GPT2__ADAPTER__RANK": "4",
            "AEGIS_AGENT__INTERESTS": '["a", "b"]',
            "AEGIS_SHARED": "/somewhere",
            "OTHER__THING": "1",
        },
    )
    assert config.profile_name == "my-own"
    assert config.profile().engine == "random"
    assert config.settings.agent.exploration.epsilon == 0.1
    assert config.settings.agent.interests == ("a", "b")
    assert config.part("engine", "meta-planning", "writer") == "rules"
    assert config.section("engine", "gpt2").adapter.rank == 4


def test_an_unknown_variable_is_an_error_with_the_nearest_name(load_config):
    problem = problem_of(load_config, FILE, environ={"AEGIS_AGENT__CANDIDATE": "2"})
    assert problem.render() == (
        "error[unknown-variable]: AEGIS_AGENT__CANDIDATE: no such setting; "
        'did you mean "AEGIS_AGENT__CANDIDATES"?\n'
        "  fix:   unset AEGIS_AGENT__CANDIDATE, or see the keys that there are: aegis config schema"
    )


def test_a_variable_that_two_names_fit_is_refused(load_config):
    text = '[profiles.a-b]\nengine = "rules"\n[profiles.a_b]\nengine = "random"\n'
    problem = problem_of(load_config, text, environ={"AEGIS_PROFILES__A_B__ENGINE": "gpt2"})
    assert problem.message == "may mean profiles.a-b.engine and profiles.a_b.engine"


def test_mistakes_in_overrides_name_the_override(load_config):
    with pytest.raises(ConfigError) as error:
        load_config(
            FILE,
            ["engine.gpt2.modle=x", "agent.candidates=many", "profile.x=1"],
            {"AEGIS_RUNTIME__SEED": "-1"},
        )
    rendered = [problem.render().split("\n")[0] for problem in error.value.problems]
    assert sorted(rendered) == [
        (
            "error[out-of-range]: AEGIS_RUNTIME__SEED: [runtime].seed: expected a value of at least 0 "
            "and at most 9223372036854775807, found -1"
        ),
        'error[unknown-key]: --set engine.gpt2.modle: [engine.gpt2].modle: unknown key; did you mean "model"?',
        'error[wrong-type]: --set agent.candidates: [agent].candidates: expected an integer, found the string "many"',
        "error[wrong-type]: --set profile.x: [profile]: expected a string, found a table",
    ]


def test_an_override_is_a_toml_value_or_else_the_string_itself(load_config):
    config = load_config(
        "",
        [
            'agent.interests=["a"]',
            "agent.library=my papers",
            "agent.stale_days=2",
            "runtime.offline=true",
            "agent.exploration={ epsilon = 0.5 }",
            'engine.gpt2.model="12"',
        ],
    )
    agent = config.settings.agent
    assert agent.interests == ("a",)
    assert agent.library.endswith("/my papers")
    assert (agent.stale_days, agent.exploration.epsilon) == (2.0, 0.5)
    assert config.settings.runtime.offline is True
    assert config.section("engine", "gpt2").model == "12"
    assert config.source.where("agent", "exploration", "epsilon") == "--set agent.exploration"


@pytest.mark.parametrize("flag", ["agent", "=1", "agent..candidates=1", ".a=1", "a.=1"])
def test_a_malformed_flag_says_how_it_is_written(write_config, flag):
    problem = problem_of(read, write_config(FILE), [flag], {})
    assert problem.code == "bad-override"
    assert "--set section.key=value" in problem.fix


def test_a_flag_is_no_way_around_the_caps(write_config):
    for flag in (".".join(["a"] * 40) + "=1", "agent.interests=" + "[" * 40, "a.b=" + "x" * 70_000):
        assert problem_of(read, write_config(FILE), [flag], {}).code == "config-too-large"


def test_where_of_a_missing_key_is_its_section(load_config, components, tmp_path):
    source = load_config(FILE).source
    assert source.where("agent", "candidates") == "aegis.toml:4"
    assert source.where("agent", "interests") == "aegis.toml:3"
    assert source.where("agent", "exploration", "epsilon") == "aegis.toml:3"
    assert source.where("runtime", "seed") == "aegis.toml"
    assert source.where("engine") == "aegis.toml:9"
    assert source.origin("agent", "interests") is None
    assert read(None, environ={}, project=tmp_path).where("profile") == "defaults"


def test_the_process_environment_is_the_default(write_config, monkeypatch):
    monkeypatch.setenv("AEGIS_PROFILE", "random")
    monkeypatch.setenv("AEGIS_PLUGINS__ENABLED", '["x"]')
    source = read(write_config(FILE))
    assert source.raw["profile"] == "random"
    assert source.enabled == ("x",)


def test_enabled_is_known_before_the_file_is_checked(write_config):
    assert read(write_config('[plugins]\nenabled = ["a", 1]\n'), environ={}).enabled == ("a",)
    assert read(write_config("plugins = 1\n"), environ={}).enabled == ()


def test_a_syntax_error_has_line_and_column(write_config):
    problem = problem_of(read, write_config("a = 1\nb = = 2\n"), environ={})
    assert problem.render() == "error[toml-syntax]: aegis.toml:2:5: Invalid value"
    assert problem_of(read, write_config(f"a = {'9' * 5000}\n"), environ={}).code == "toml-syntax"


def test_an_absent_file_says_how_a_project_is_made(tmp_path):
    problem = problem_of(read, tmp_path / "aegis.toml", environ={})
    assert problem.code == "config-absent"
    assert problem.fix == f"aegis init {tmp_path}"


def test_what_is_no_file_or_no_text_is_refused(tmp_path):
    assert problem_of(read, tmp_path, environ={}).code == "config-unreadable"
    path = tmp_path / "aegis.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    problem = problem_of(read, path, environ={})
    assert problem.render().startswith("error[config-encoding]: aegis.toml:2: not UTF-8: byte 0xff")


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path, components):
    path = tmp_path / "aegis.toml"
    path.write_bytes(b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode())
    config = load(read(path, environ={}), components)
    assert config.section("engine", "gpt2").batch == 3
    assert config.source.where("engine", "gpt2", "batch") == "aegis.toml:10"


def test_a_file_elsewhere_is_named_by_its_path(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    other = tmp_path / "other.toml"
    other.write_text("profil = 1\n")
    source = read(other, environ={}, project=folder)
    assert source.where("profil") == f"{other}:1"
    assert source.project == folder


def test_mistakes_of_flags_and_of_the_file_come_together(tmp_path):
    with pytest.raises(ConfigError) as error:
        read(tmp_path / "aegis.toml", ["nonsense"], {})
    assert [problem.code for problem in error.value.problems] == ["bad-override", "config-absent"]
