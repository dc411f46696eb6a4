"""The checked configuration: every mistake at once, and what a right file says."""

from __future__ import annotations

import pytest

from aegis.config.config import load
from aegis.config.settings import ExplorationSettings
from aegis.config.source import read
from aegis.errors import ConfigError

TEN_TYPOS = """\
profile = "gpt2-lroa"

[agent]
intrests = ["a"]
library = 3
candidates = "24"

[agent.exploration]
epsilon = 1.5

[plugins]
enabled = ["gpt2-lora"]

[profiles.gpt2-lora]
engin = "gpt2"

[engine.gpt2]
modle = "builtin:mini"
score = "maen"

[runtme]
device = "cpu"

[tool.search_arxvi]
"""


def problems_of(load_config, text, **more):
    with pytest.raises(ConfigError) as error:
        load_config(text, **more)
    return error.value.problems


def test_ten_typos_are_ten_messages_with_their_lines(load_config):
    problems = problems_of(load_config, TEN_TYPOS)
    assert [(p.where, p.code, p.message) for p in problems] == [
        (
            "aegis.toml:1",
            "unknown-profile",
            'profile: no profile "gpt2-lroa"; did you mean "gpt2-lora"?',
        ),
        ("aegis.toml:4", "unknown-key", '[agent].intrests: unknown key; did you mean "interests"?'),
        (
            "aegis.toml:5",
            "wrong-type",
            "[agent].library: expected a string, found the integer 3",
        ),
        (
            "aegis.toml:6",
            "wrong-type",
            '[agent].candidates: expected an integer, found the string "24"',
        ),
        (
            "aegis.toml:9",
            "out-of-range",
            "[agent.exploration].epsilon: expected a value of at least 0 and at most 1, found 1.5",
        ),
        (
            "aegis.toml:15",
            "unknown-key",
            '[profiles.gpt2-lora].engin: unknown key; did you mean "engine"?',
        ),
        ("aegis.toml:18", "unknown-key", '[engine.gpt2].modle: unknown key; did you mean "model"?'),
        (
            "aegis.toml:19",
            "not-a-choice",
            '[engine.gpt2].score: expected one of "mean", "labels", found the string "maen"; did you mean "mean"?',
        ),
        ("aegis.toml:21", "unknown-section", '[runtme]: unknown section; did you mean "runtime"?'),
        (
            "aegis.toml:24",
            "unknown-component",
            '[tool.search_arxvi]: no enabled plugin provides the tool "search_arxvi"; did you mean "search_arxiv"?',
        ),
    ]


def test_the_message_has_the_form_that_the_design_fixes(load_config):
    text = "\n" * 13 + 'engine.gpt2.modle = "x"\n'
    with pytest.raises(ConfigError) as error:
        load_config(text)
    assert (
        str(error.value) == "error[unknown-key]: aegis.toml:14: [engine.gpt2].modle: unknown key; "
        'did you mean "model"?'
    )


def test_a_wrong_type_comes_with_an_example_that_is_right(load_config):
    (problem,) = problems_of(load_config, "[agent]\nepisode_steps = 40.0\n")
    assert problem.message == "[agent].episode_steps: expected an integer, found the number 40.0"
    assert problem.fix == "write episode_steps = 40"
    assert load_config(f"[agent]\n{problem.fix.removeprefix('write ')}\n")


def test_an_unknown_kind_of_section_is_one_message(load_config):
    (problem,) = problems_of(load_config, '[engin.gpt2]\nmodel = "x"\n')
    assert problem.render() == (
        'error[unknown-section]: aegis.toml:1: [engin]: unknown section; did you mean "engine"?'
    )


def test_a_typo_inside_a_misnamed_section_is_told_too(load_config):
    problems = problems_of(load_config, '[runtme]\ndevice = "cup"\n')
    assert [p.where for p in problems] == ["aegis.toml:1", "aegis.toml:2"]
    assert 'did you mean "cpu"?' in problems[1].message


def test_items_of_an_array_are_named_by_position(load_config):
    (problem,) = problems_of(load_config, '[agent]\ninterests = ["a", 3]\n')
    assert problem.message == "[agent].interests[1]: expected a string, found the integer 3"


def test_nested_settings_of_a_plugin_are_checked_with_their_limits(load_config):
    problems = problems_of(
        load_config, '[engine.gpt2.adapter]\nrank = 0\ntargets = ["c_attn", "c_porj"]\n'
    )
    assert [p.message for p in problems] == [
        "[engine.gpt2.adapter].rank: expected a value of at least 1 and at most 64, found 0",
        (
            '[engine.gpt2.adapter].targets[1]: expected one of "c_attn", "c_proj", '
            'found the string "c_porj"; did you mean "c_proj"?'
        ),
    ]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_numbers_are_finite(load_config, value):
    (problem,) = problems_of(load_config, f"[agent.rewards]\nread = {value}\n")
    assert problem.code == "out-of-range"


def test_a_misspelt_required_key_is_one_message_and_an_absent_one_too(load_config):
    (misspelt,) = problems_of(load_config, '[engine.hrm]\nweigths = "w"\n')
    assert misspelt.code == "unknown-key"
    (absent,) = problems_of(load_config, "\n[engine.hrm]\n")
    assert (absent.code, absent.where) == ("missing-key", "aegis.toml:2")
    assert absent.fix == 'write weights = "folder"'


def test_sections_must_be_tables(load_config):
    problems = problems_of(
        load_config, "agent = 1\nengine = 2\nprofiles = 3\ntool.search_arxiv = 4\n"
    )
    assert [p.message for p in problems] == [
        "agent: expected a table, found the integer 1",
        "engine: expected a table, found the integer 2",
        "profiles: expected a table, found the integer 3",
        "[tool].search_arxiv: expected a table, found the integer 4",
    ]


def test_profiles_may_name_only_what_is_there(load_config):
    problems = problems_of(
        load_config,
        "[profiles.a]\n"
        'engine = "gtp2"\n'
        'environment = "research-gmy"\n'
        'phases.imitate = "gpt2-lroa"\n'
        "[profiles.b]\n"
        'engine = "gpt2"\n'
        'tokenizer = "byte"\n',
    )
    assert [(p.where, p.message.split("; ")[-1]) for p in problems] == [
        ("aegis.toml:2", 'did you mean "gpt2"?'),
        ("aegis.toml:3", 'did you mean "research-gym"?'),
        ("aegis.toml:4", 'did you mean "gpt2-lora"?'),
        ("aegis.toml:7", 'did you mean "bytes"?'),
    ]


def test_builtin_profiles_exist_and_cannot_be_redefined(load_config):
    config = load_config('profile = "random"\n')
    assert config.profile().engine == "random"
    assert config.profile("rules").engine == "rules"
    (problem,) = problems_of(load_config, '[profiles.rules]\nengine = "gpt2"\n')
    assert problem.code == "builtin-profile"


def test_the_tokenizer_shorthand_needs_an_engine_with_that_part(load_config):
    (problem,) = problems_of(
        load_config, '[profiles.meta]\nengine = "meta-planning"\ntokenizer = "bytes"\n'
    )
    assert problem.render() == (
        'error[no-such-part]: aegis.toml:3: [profiles.meta].tokenizer: the engine "meta-planning" '
        'has no part "tokenizer" (its parts: planner, writer)\n  fix:   remove this key'
    )


def test_shorthand_and_section_must_not_disagree(load_config):
    text = '[profiles.a]\nengine = "gpt2"\ntokenizer = "bytes"\n[engine.gpt2]\ntokenizer = "{}"\n'
    assert load_config(text.format("bytes")).profile("a").tokenizer == "bytes"
    (problem,) = problems_of(load_config, text.format("hrm-bpe"))
    assert problem.code == "part-set-twice"


def test_names_follow_the_rule_of_names(load_config):
    problems = problems_of(
        load_config, '[profiles.Big]\nengine = "gpt2"\n[engine."../x"]\n[tool."a b"]\n'
    )
    assert [(p.code, p.where) for p in problems] == [
        ("invalid-name", "aegis.toml:1"),
        ("invalid-name", "aegis.toml:3"),
        ("invalid-name", "aegis.toml:4"),
    ]


def test_parts_are_set_by_the_name_of_a_component(load_config):
    config = load_config(
        '[engine.gpt2]\ntokenizer = "bytes"\n[engine.meta-planning]\nwriter = "rules"\n'
    )
    assert config.part("engine", "gpt2", "tokenizer") == "bytes"
    assert config.part("engine", "meta-planning", "planner") == "hrm"
    assert config.part("engine", "meta-planning", "writer") == "rules"
    assert config.section("engine", "meta-planning") is None
    problems = problems_of(
        load_config,
        '[engine.gpt2]\ntokenizer = "btyes"\n[engine.meta-planning]\nplaner = "hrm"\nwriter = 1\n',
    )
    assert [p.message for p in problems] == [
        '[engine.gpt2].tokenizer: no enabled plugin provides the tokenizer "btyes"; did you mean "bytes"?',
        '[engine.meta-planning].planer: unknown key; did you mean "planner"?',
        "[engine.meta-planning].writer: expected a string, the name of the engine; found the integer 1",
    ]


def test_a_section_that_is_not_written_has_its_defaults(load_config):
    config = load_config("")
    assert config.section("engine", "gpt2").model == "builtin:mini"
    assert config.part("engine", "gpt2", "tokenizer") is None
    with pytest.raises(ConfigError, match=r"\[engine.hrm\].weights: missing"):
        config.section("engine", "hrm")
    with pytest.raises(ConfigError, match='did you mean "gpt2"'):
        config.section("engine", "gpt-2")
    with pytest.raises(ConfigError, match='no profile "ruels"; did you mean "rules"'):
        config.profile("ruels")


def test_paths_are_counted_from_the_project(load_config, tmp_path):
    text = '[agent]\nlibrary = "papers"\n[engine.gpt2]\nmodel = "{}"\n[engine.hrm]\nweights = "w"\n'
    config = load_config(text.format("./m"))
    assert config.settings.agent.library == str(tmp_path / "papers")
    assert config.section("engine", "gpt2").model == str(tmp_path / "m")
    assert config.section("engine", "hrm").weights == tmp_path / "w"
    for name in ("gpt2", "builtin:mini"):
        assert load_config(text.format(name)).section("engine", "gpt2").model == name
    assert load_config("").settings.agent.library == str(tmp_path / "data/library")


def test_tools_that_are_on_must_be_there(load_config):
    (problem,) = problems_of(load_config, '[agent]\ntools = ["search_library", "search_arxvi"]\n')
    assert problem.message.startswith("[agent].tools[1]: no enabled plugin provides the tool")


def test_plugin_entries_are_names_versions_or_files(load_config):
    good = '["hrm", "hrm-2>=0.1,<2", "./my tools/mine.py"]'
    assert len(load_config(f"[plugins]\nenabled = {good}\n").settings.plugins.enabled) == 3
    problems = problems_of(
        load_config, '[plugins]\nenabled = ["Hrm", "a b", "hrm", "hrm>=0.1", "a>=", "a>=1,"]\n'
    )
    assert [p.code for p in problems] == ["invalid-name"] * 2 + ["listed-twice"] + [
        "invalid-name"
    ] * 2


def test_a_mistake_in_the_allow_list_does_not_accuse_what_it_leaves_out(load_config):
    text = '[plugin]\nenabled = ["x"]\n[engine.absent]\n[profiles.a]\nengine = "absent"\n'
    (problem,) = problems_of(load_config, text)
    assert problem.code == "unknown-section"
    (problem,) = problems_of(
        load_config, text.replace("[plugin]", "[plugins]").replace("en", "ne", 1)
    )
    assert 'did you mean "enabled"?' in problem.message


def test_lenient_leaves_sections_of_absent_plugins_unread(load_config):
    text = '[engine.absent]\nkey = 1\n[profiles.a]\nengine = "absent"\n'
    assert len(problems_of(load_config, text)) == 2
    config = load_config(text, lenient=True, environ={"AEGIS_ENGINE__ABSENT__KEY": "2"})
    assert config.profile("a").engine == "absent"


def test_without_a_file_the_defaults_hold(components, tmp_path):
    config = load(read(None, environ={}, project=tmp_path), components)
    assert config.profile_name == "rules"
    assert config.settings.agent.exploration == ExplorationSettings(epsilon=0.05, temperature=1.0)
    rewards = config.settings.agent.rewards
    assert (rewards.new_item, rewards.failed_search) == (1.0, -0.5)


def test_shown_gives_every_value_with_its_origin(load_config):
    config = load_config(
        'profile = "a"\n[profiles.a]\nengine = "gpt2"\n[agent]\ncandidates = 12\n',
        sets=["engine.gpt2.batch=2"],
        environ={"AEGIS_AGENT__EXPLORATION__EPSILON": "0.1"},
    )
    rows = {(row.section, row.key): (row.value, row.where) for row in config.shown()}
    assert rows["", "profile"] == ("a", "aegis.toml:1")
    assert rows["agent", "candidates"] == (12, "aegis.toml:5")
    assert rows["agent.exploration", "epsilon"] == (0.1, "AEGIS_AGENT__EXPLORATION__EPSILON")
    assert rows["agent.exploration", "temperature"] == (1.0, "default")
    assert rows["engine.gpt2", "batch"] == (2, "--set engine.gpt2.batch")
    assert rows["engine.gpt2.adapter", "targets"] == (["c_attn"], "default")
    assert rows["engine.hrm", "weights"] == (None, "default")
    assert rows["engine.meta-planning", "writer"] == ("gpt2", "default")


def test_the_shipped_file_is_right_as_it_stands(root, components):
    config = load(read(root / "aegis.toml", environ={}), components)
    assert config.profile_name == "gpt2-lora"
    assert config.settings.plugins.enabled == ("gpt2-lora", "hrm", "arxiv")
    written = {row.section.split(".")[0] for row in config.shown() if row.where != "default"}
    assert written == {
        "", "agent", "plugins", "profiles", "engine", "learning", "runtime"
    }  # fmt: skip


SHARES = """\
[learning]
holdout = 0.9

[learning.origins]
own = 1.5
improt = 0.2
import = "half"
"""


def test_shares_of_origins_are_refused_by_line_where_the_name_or_the_number_is_wrong(load_config):
    problems = problems_of(load_config, SHARES)
    assert [(p.where, p.code, p.message) for p in problems] == [
        (
            "aegis.toml:2",
            "out-of-range",
            "[learning].holdout: expected a value of at least 0.01 and at most 0.5, found 0.9",
        ),
        (
            "aegis.toml:6",
            "unknown-key",
            '[learning.origins].improt: unknown key; did you mean "import"?',
        ),
        (
            "aegis.toml:7",
            "wrong-type",
            '[learning.origins].import: expected a number, found the string "half"',
        ),
    ]
    (problem,) = problems_of(load_config, "[learning.origins]\nteacher = 1\nown = 1.5")
    assert (problem.where, problem.code, problem.message) == (
        "aegis.toml:3",
        "out-of-range",
        "[learning.origins].own: expected a value of at least 0 and at most 1, found 1.5",
    )


def test_shares_of_origins_are_set_by_file_variable_and_flag(load_config):
    assert load_config("").settings.learning.origins == {"import": 0.5}
    file = "[learning.origins]\nteacher = 0.5"
    assert load_config(file).settings.learning.origins == {"teacher": 0.5}
    environ = {"AEGIS_LEARNING__ORIGINS__IMPORT": "0.25"}
    found = load_config(file, environ=environ, sets=["learning.origins.own=1"])
    assert found.settings.learning.origins == {"teacher": 0.5, "import": 0.25, "own": 1.0}
