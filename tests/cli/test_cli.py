from __future__ import annotations

import os
import shutil

import pytest

from aegis.store.lock import RunLock

RUN_KEYS = {
    "run",
    "profile",
    "steps",
    "experiences",
    "knowledge",
    "goals_completed",
    "reward_mean",
    "checkpoint",
    "trained",
    "promoted",
}


def test_a_new_project_has_the_configuration_and_the_library(aegis, tmp_path):
    said = aegis("init", tmp_path / "new", "--json")
    assert said.code == 0
    assert said.json == {"path": str((tmp_path / "new").resolve())}
    assert (tmp_path / "new" / "aegis.toml").is_file()
    assert len(list((tmp_path / "new" / "data" / "library").glob("*.md"))) >= 150


def test_init_overwrites_nothing(aegis, tmp_path):
    (tmp_path / "aegis.toml").write_text("mine")
    said = aegis("init", tmp_path)
    assert said.code == 2
    assert "error[exists]" in said.err
    assert (tmp_path / "aegis.toml").read_text() == "mine"
    assert not (tmp_path / "data").exists()


def test_a_run_learns_and_goes_on_where_it_stopped(aegis, project):
    first = aegis("-C", project, "run", "--steps", 12, "--json")
    assert first.code == 0, first.err
    assert set(first.json) >= RUN_KEYS
    assert (first.json["steps"], first.json["experiences"]) == (12, 12)
    assert first.json["knowledge"] > 0
    second = aegis("-C", project, "run", "--steps", 5, "--json")
    assert second.json["run"] == first.json["run"]
    assert second.json["experiences"] == 17
    assert aegis("-C", project, "doctor").code == 0


def test_fresh_begins_anew_and_keeps_the_old_run_aside(aegis, project):
    old = aegis("-C", project, "run", "--steps", 3, "--json").json["run"]
    new = aegis("-C", project, "run", "--steps", 2, "--fresh", "--json").json
    assert new["run"] != old
    assert new["experiences"] == 2
    assert len(list((project / "data").glob("run-*"))) == 1


def test_the_same_seed_makes_the_same_decisions(aegis, project, tmp_path):
    def actions(*more):
        aegis("-C", project, *more, "run", "--steps", 8, "--fresh")
        return [row["action"] for row in aegis("-C", project, "log", "--json").json["steps"]]

    assert actions("--seed", 5) == actions("--seed", 5)
    assert actions("--seed", 5) != actions("--seed", 6)


def test_plain_output_has_a_line_a_step_and_says_how_to_go_on(aegis, project):
    said = aegis("-C", project, "run", "--steps", 4)
    assert "goal: Understand hierarchical reasoning" in said.out
    assert sum(line.lstrip()[:1].isdigit() for line in said.out.splitlines()) >= 4
    assert "go on: aegis -C" in said.out


def test_looking_commands_say_that_nothing_is_there_yet(aegis, project):
    for verb in ("status", "goals", "knowledge", "log"):
        said = aegis("-C", project, verb)
        assert said.code == 2
        assert "error[no-run]" in said.err
        assert "aegis run" in said.err
    assert not (project / "data" / "run").exists(), "looking writes nothing"


def test_status_goals_and_knowledge_show_what_was_learned(aegis, project):
    aegis("-C", project, "run", "--steps", 15)
    status = aegis("-C", project, "status", "--json").json
    assert set(status) >= {"experiences", "knowledge", "goals", "phase", "checkpoint", "pending"}
    goals = aegis("-C", project, "goals", "--json").json["goals"]
    assert goals[0]["goal"] == "Understand hierarchical reasoning"
    found = aegis("-C", project, "knowledge", "hierarchical", "reasoning", "--json").json
    assert found["items"][0]["source"] == "library"
    assert len(found["items"][0]["digest"]) == 64
    assert status["knowledge"] == found["count"]
    assert "hierarchical" in aegis("-C", project, "knowledge", "hierarchical").out.lower()


def test_log_shows_the_view_and_every_candidate_with_its_probability(aegis, project):
    aegis("-C", project, "run", "--steps", 3)
    step = aegis("-C", project, "log", "--step", 2, "--json").json
    assert step["view"].startswith("goal: ")
    assert len(step["candidates"]) > 1
    assert step["candidates"][step["chosen"]]["tool"]
    text = aegis("-C", project, "log", "--step", 2).out
    assert step["candidates"][0]["action"] in text
    assert "%" in text
    assert aegis("-C", project, "log", "--step", 99).code == 2


def test_a_person_can_tell_facts_and_goals(aegis, project):
    assert aegis("-C", project, "tell", "Rank eight is our house rule.").code == 0
    assert "known already" in aegis("-C", project, "tell", "Rank eight is our house rule.").out
    assert aegis("-C", project, "tell", "--goal", "bayesian inference").code == 0
    said = aegis("-C", project, "run", "--steps", 2)
    assert "goal: Understand bayesian inference" in said.out
    assert "Rank eight" in aegis("-C", project, "knowledge", "rank", "eight").out


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001])
def test_what_cannot_be_told_is_refused(aegis, project, text):
    said = aegis("-C", project, "tell", text)
    assert said.code == 2
    assert "error[text-unusable]" in said.err


def test_a_mistyped_verb_or_option_is_one_clear_line(aegis):
    said = aegis("chek")
    assert said.code == 2
    assert 'did you mean "check"?' in said.err
    assert "Traceback" not in said.err
    assert aegis("run", "--stepz", 3).code == 2
    assert aegis("run", "--steps", "many").code == 2
    assert aegis("-C", "/nonexistent", "status").code == 2


def test_a_folder_without_a_project_says_how_to_make_one(aegis, tmp_path):
    said = aegis("-C", tmp_path, "run")
    assert said.code == 2
    assert "aegis init" in said.err


def test_ten_typos_give_ten_messages_at_once(aegis, project):
    file = project / "aegis.toml"
    text = file.read_text()
    for right, wrong in [
        ("interests =", "interest ="),
        ("practice_when_idle =", "practise_when_idle ="),
        ("episode_steps =", "episode_step ="),
        ("stale_days = 30", 'stale_days = "30"'),
        ("epsilon =", "epsilom ="),
        ("new_item =", "new_items ="),
        ("goal_completed =", "goals_completed ="),
        ("characters =", "charakters ="),
        ("threads = 0", "threads = true"),
        ("model =", "modle ="),
    ]:
        assert right in text
        text = text.replace(right, wrong, 1)
    file.write_text(text)
    said = aegis("-C", project, "check")
    assert said.code == 2
    assert said.err.count("error[") == 10
    assert said.err.count("aegis.toml:") >= 10
    assert 'did you mean "model"?' in said.err
    answer = aegis("-C", project, "check", "--json").json
    assert not answer["ok"]
    assert len(answer["errors"]) == 10
    assert set(answer["errors"][0]) == {"code", "where", "message", "fix"}


def test_check_says_what_the_composition_is(aegis, project):
    said = aegis("-C", project, "check", "--json")
    assert said.code == 0
    assert said.json == {"ok": True, "errors": [], "unverified": []}
    assert 'engine "rules"' in aegis("-C", project, "check").out


def test_options_may_stand_before_or_after_the_verb(aegis, project):
    before = aegis("--json", "-C", project, "check")
    after = aegis("check", "-C", project, "--json")
    assert before.json == after.json


def test_config_shows_each_value_with_its_origin(aegis, project):
    said = aegis("-C", project, "--set", "agent.episode_steps=7", "config", "show")
    assert said.code == 0
    line = next(line for line in said.out.splitlines() if line.startswith("episode_steps"))
    assert "= 7" in line
    assert "--set" in line
    assert '"$schema"' in aegis("-C", project, "config", "schema").out


def test_plugins_are_listed_enabled_and_disabled_without_losing_a_comment(aegis, project):
    rows = aegis("-C", project, "plugins", "list", "--json").json["plugins"]
    keys = {"name", "distribution", "version", "enabled", "components", "error", "warnings"}
    assert keys == set(rows[0])
    before = (project / "aegis.toml").read_text()
    assert aegis("-C", project, "plugins", "disable", "arxiv").code == 0
    rows = aegis("-C", project, "plugins", "list", "--json").json["plugins"]
    assert [row["enabled"] for row in rows if row["name"] == "arxiv"] == [False]
    assert aegis("-C", project, "plugins", "enable", "arxiv").code == 0
    assert (project / "aegis.toml").read_text() == before
    said = aegis("-C", project, "plugins", "enable", "arxif")
    assert said.code == 2
    assert 'did you mean "arxiv"?' in said.err
    assert (project / "aegis.toml").read_text() == before


def test_experience_goes_out_and_comes_back_the_same(aegis, project, tmp_path):
    aegis("-C", project, "run", "--steps", 6)
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    assert aegis("-C", project, "data", "export", one, "--json").json["examples"] == 6
    other = tmp_path / "other"
    aegis("init", other)
    assert aegis("-C", other, "data", "import", one).code == 0
    assert aegis("-C", other, "data", "export", two).code == 0
    assert two.read_bytes() == one.read_bytes()
    stats = aegis("-C", other, "data", "stats", "--json").json
    assert set(stats) >= {"examples", "actions", "reward_mean"}
    assert stats["examples"] == 6


def test_safe_starts_with_builtins_whatever_is_enabled(aegis, project):
    file = project / "aegis.toml"
    file.write_text(file.read_text().replace('"arxiv"]', '"arxiv", "./broken.py"]'))
    (project / "broken.py").write_text("raise RuntimeError('no')")
    said = aegis("-C", project, "run", "--steps", 1)
    assert said.code == 2
    assert "broken.py" in said.err
    assert "Traceback" not in said.err
    assert aegis("-C", project, "run", "--safe", "--steps", 2).code == 0


def test_a_second_agent_on_the_same_folder_is_refused_with_the_pid(aegis, project):
    with RunLock(project / "data" / "run"):
        said = aegis("-C", project, "run", "--steps", 1)
    assert said.code == 1
    assert "error[locked]" in said.err
    assert str(os.getpid()) in said.err


def test_an_agent_with_nothing_left_says_so_and_practises(aegis, project):
    idle = ("-C", project, "--set", "agent.interests=[]", "run", "--steps")
    said = aegis(*idle, 5)
    assert "nothing is left to learn here" in said.out
    assert aegis(*idle, 4, "--json").json["experiences"] == 9
    rows = aegis("-C", project, "log", "--json").json["steps"]
    assert {(row["origin"], row["environment"]) for row in rows} == {("practice", "research-gym")}
    assert aegis("-C", project, "doctor").code == 0


def test_an_agent_whose_library_is_too_small_to_practise_over_says_so_and_is_idle(aegis, project):
    """Ten notes of a newcomer are no corpus; his agent lives on."""
    notes = project / "ten"
    notes.mkdir()
    for note in sorted((project / "data" / "library").glob("*.md"))[:10]:
        shutil.copy(note, notes)
    words = ("-C", project, "--set", "agent.interests=[]", "--set", "agent.library=ten", "run")
    said = aegis(*words, "--steps", 5)
    assert (said.code, said.err) == (0, "")
    assert "there is nothing to practise: no document of the corpus (10) can be a topic" in said.out
    (notes / "caf.md").write_bytes(b"caf\xe9")
    assert "nothing to practise: not UTF-8" in aegis(*words, "--steps", 5).out


def test_an_episode_that_can_be_practised_no_more_is_given_up(aegis, project):
    idle = ("-C", project, "--set", "agent.interests=[]")
    assert aegis(*idle, "run", "--steps", 3).code == 0
    (project / "few").mkdir()
    said = aegis(*idle, "--set", "agent.library=few", "run", "--steps", 3)
    assert (said.code, said.err) == (0, "")
    assert "an episode of research-gym could not be resumed: no documents at" in said.out
    assert aegis("-C", project, "doctor").code == 0
    assert aegis(*idle, "run", "--steps", 3, "--json").json["experiences"] == 6


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_agent_never_lives_through_what_it_is_measured_by(aegis, project, split):
    file = project / "aegis.toml"
    lines = f'\n[environment.research-gym]\nsplit = "{split}"\n'
    file.write_text(f'{file.read_text()}\n[profiles.own]\nengine = "rules"\n'
                    f'environment = "research-gym"\n{lines}')  # fmt: skip
    said = aegis("-C", project, "run", "--profile", "own", "--steps", 3)
    assert said.code == 2
    assert "error[not-practice]" in said.err
    assert f"aegis eval --task research-gym --split {split}" in said.err
    assert aegis("-C", project, "eval", "--profile", "own", "--task", "research-gym", "--episodes",
                 2, "--split", split, "--jobs", 1).code == 0  # fmt: skip
    idle = ("-C", project, "--set", "agent.interests=[]", "run", "--steps", 3)
    assert aegis(*idle).code == 0, "practice plays what is practised"


def test_an_agent_that_does_not_practise_ends_when_nothing_is_left(aegis, project):
    off = ("--set", "agent.interests=[]", "--set", "agent.practice_when_idle=false")
    said = aegis("-C", project, *off, "run")
    assert said.code == 0
    assert "nothing is left" in said.out
    assert aegis("-C", project, *off, "run", "--json").json["steps"] == 0


def test_a_plugin_that_fails_keeps_no_other_from_being_enabled(aegis, project):
    (project / "mine.py").write_text(
        "import aegis\n\n@aegis.tool\ndef lookup(word: str) -> str:\n    'Look.'\n    return word\n"
    )
    (project / "broken.py").write_text("raise ValueError('no')\n")
    text = (project / "aegis.toml").read_text()
    (project / "aegis.toml").write_text(text.replace("enabled = [", 'enabled = ["./broken.py", '))
    said = aegis("-C", project, "plugins", "enable", "./mine.py")

    assert said.code == 0, said.err
    refused = aegis("-C", project, "plugins", "enable", "./broken.py")
    assert refused.code == 2
    assert "ValueError: no" in refused.err
