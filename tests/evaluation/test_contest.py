from __future__ import annotations

import json

import pytest
from attrs import evolve

from aegis.errors import AegisError, EvaluationError, InputError
from aegis.evaluation.baselines import expert_names, most_taken, single_experts
from aegis.evaluation.contender import component, expert, majority, profiled, unique
from aegis.evaluation.contest import Contest
from aegis.evaluation.task import task_of
from aegis.project import load


@pytest.fixture
def arena(corridor, tmp_path):
    """Makes contests of a random and a guided policy."""

    class Arena:
        folder = tmp_path / "kept"
        project = load(corridor / "aegis.toml")
        task = task_of(project, "corridor")

        def configured(self, *sets):
            self.project = load(corridor / "aegis.toml", sets=sets)
            self.task = task_of(self.project, "corridor")
            return self

        def contenders(self):
            return [
                component(self.project, self.task, "random"),
                expert(self.project, self.task, "guide"),
            ]

        def contest(self, seeds, jobs=1, contenders=None, **options):
            who = self.contenders() if contenders is None else contenders
            return Contest(
                self.folder, self.project.folder, self.task, who, seeds, jobs=jobs, **options
            )

        def results(self, seeds, jobs=1, contenders=None, **options):
            with self.contest(seeds, jobs, contenders, **options) as contest:
                contest.run(lambda _: None)
            assert contest.complete
            return [standing.result() for standing in contest.standings]

    return Arena()


def same(first, second):
    def steady(episode):
        return evolve(episode, seconds=0.0, rss_mb=0.0)

    return [[steady(e) for e in one] for one in first] == [[steady(e) for e in o] for o in second]


def test_episodes_do_not_depend_on_how_many_processes_play_them(arena, tmp_path):
    alone = arena.results(range(12))
    arena.folder = tmp_path / "other"
    assert same(arena.results(range(12), jobs=3), alone)
    random, guide = alone
    assert [episode.seed for episode in random] == list(range(12))
    assert all(e.completed and e.steps == 3 and e.total == pytest.approx(0.7) for e in guide)
    assert all(e.actions in ({"left": 3}, {"right": 3}) for e in guide)
    assert 0 < sum(e.completed for e in random) < 12


def test_what_was_played_is_not_played_again_and_what_is_missing_is(arena):
    first = arena.results(range(6))
    with arena.contest(range(10)) as contest:
        assert [standing.known for standing in contest.standings] == [6, 6]
        contest.run(lambda _: None)
    assert [s.result()[:6] for s in contest.standings] == first  # seconds and memory too
    with arena.contest(range(6), fresh=True) as contest:
        assert [standing.known for standing in contest.standings] == [0, 0]


def test_a_contest_that_is_stopped_keeps_what_it_has_and_goes_on(arena):
    seen = []

    def stop_soon(contest):
        seen.append(contest.standings[0].done)
        if contest.standings[0].done >= 5:
            contest.stop()

    with arena.contest(range(3000)) as contest:
        contest.run(stop_soon)
    assert not contest.complete
    assert contest.stopping
    kept = contest.standings[0].done
    assert kept >= 5
    again = arena.contest(range(3000))
    assert again.standings[0].known >= kept


def test_a_damaged_line_is_played_again(arena):
    first = arena.results(range(5))
    (file,) = [f for f in arena.folder.rglob("episodes.txt") if b'"right":' in f.read_bytes()][:1]
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"total":', b'"totel":', 1))
    with arena.contest(range(5)) as contest:
        assert sum(standing.known for standing in contest.standings) == 9
        contest.run(lambda _: None)
    assert same([s.result() for s in contest.standings], first)


def test_other_settings_rules_contents_and_ways_are_other_figures(arena):
    random = arena.contenders()[0]
    task = arena.task
    marks = {
        random.fingerprint(task),
        evolve(random, greedy=True).fingerprint(task),
        random.fingerprint(evolve(task, version="2")),
        random.fingerprint(evolve(task, content="abc")),
        random.fingerprint(task.of_split("validation")),
        arena.configured("environment.corridor.cells=2").contenders()[0].fingerprint(arena.task),
        evolve(random, identity={"checkpoint": "1"}).fingerprint(task),
        majority(arena.project, task, "left", "x").fingerprint(task),
        majority(arena.project, task, "right", "x").fingerprint(task),
    }
    assert len(marks) == 9


def test_what_a_world_is_made_by_is_part_of_what_its_episodes_follow_from(arena, monkeypatch):
    """minigrid and gymnasium are upgraded without a word of the plugin that plays them."""
    random, before = arena.contenders()[0], arena.contenders()[0].fingerprint(arena.task)
    needed = [("minigrid", "3.2.0")]
    monkeypatch.setattr("aegis.evaluation.contender.requirements", lambda _: needed)
    old = random.fingerprint(arena.task)
    needed[0] = ("minigrid", "3.3.0")
    assert len({before, old, random.fingerprint(arena.task)}) == 3


def test_a_plugin_that_only_imports_something_is_loaded_where_episodes_are_played(arena):
    """It may register what an environment looks up, as Gymnasium's own packages do."""
    folder = arena.project.folder
    more = folder / "more.py"
    more.write_text(
        "import os\nfrom pathlib import Path\nplugin_api = 1\n"
        'with Path(__file__).with_name("loaded").open("a") as stream:\n'
        '    stream.write(f"{os.getpid()}\\n")\n'
    )
    file = folder / "aegis.toml"
    file.write_text(file.read_text().replace("enabled = [", 'enabled = ["./more.py", ', 1))
    arena.project = load(file)
    arena.task = task_of(arena.project, "corridor")
    own = {*(folder / "loaded").read_text().split()}
    arena.results(range(4))
    assert {*(folder / "loaded").read_text().split()} > own
    before = [one.fingerprint(arena.task) for one in arena.contenders()]
    more.write_text(more.read_text() + "# other rules\n")
    after = [one.fingerprint(arena.task) for one in arena.contenders()]
    assert not {*before} & {*after}


def test_of_several_engines_of_an_expert_the_best_counts_in_each_episode(arena):
    best, random = (
        arena.results(range(8), contenders=[one])[0]
        for one in (expert(arena.project, arena.task, "best"), arena.contenders()[0])
    )
    assert all(episode.completed for episode in best)
    assert not all(episode.completed for episode in random)
    assert expert_names(arena.project, arena.task) == ["guide", "best"]
    assert single_experts(arena.project, arena.task) == ["guide"]


def test_the_tool_that_is_taken_most_is_the_first_by_name_of_equals(arena):
    (guide,) = arena.results(range(10), contenders=[expert(arena.project, arena.task, "guide")])
    rights = sum(episode.actions.get("right", 0) for episode in guide)
    assert most_taken(guide) == ("right" if rights > 15 else "left")
    assert most_taken([evolve(guide[0], actions={"b": 2, "a": 2})]) == "a"


def test_a_profile_plays_with_its_weights_or_those_of_its_settings(arena):
    project = load(arena.project.source.project / "aegis.toml", profile="tally")
    (own,) = profiled(project, arena.task, "tally", "sampled")
    both = profiled(project, arena.task, "tally@configured", "both")
    assert (own.name, own.checkpoint, own.kind) == ("tally", None, "profile")
    assert [one.name for one in both] == ["tally sampled", "tally greedy"]
    (played,) = arena.results(range(2), contenders=[own])
    assert played[0].parameters == 3
    with pytest.raises(AegisError, match="no checkpoint 'abc'"):
        profiled(project, arena.task, "tally@abc", "sampled")
    assert [one.name for one in unique([own, *both, own])] == ["tally", *(b.name for b in both)]


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("raise", EvaluationError, 'plugin "corridor.py".*the fifth corridor'),
        ("die", EvaluationError, "the play of random"),
        ("no-number", EvaluationError, "no finite reward"),
    ],
)
def test_what_goes_wrong_in_a_process_is_said_and_the_rest_is_kept(arena, fault, error, said):
    arena.configured(f"environment.corridor.fault={fault}")
    random = arena.contenders()[:1]
    with pytest.raises(error, match=said), arena.contest(range(8), contenders=random) as contest:
        contest.run(lambda _: None)
    assert contest.standings[0].done == (0 if fault == "no-number" else 5)


def test_a_contest_in_pieces_is_the_contest_at_once(arena, tmp_path):
    """Stopped twice, then played to its end by more processes."""
    arena.configured("engine.moody.lean=1", "engine.moody.pause=0.01")
    project = load(arena.project.source.path, sets=["engine.moody.lean=1", "engine.moody.pause=0.01"],
                   profile="moody")  # fmt: skip
    moody = profiled(project, arena.task, "moody", "sampled")
    at_once = arena.results(range(40), jobs=3, contenders=moody)
    arena.folder, known = tmp_path / "pieces", 0
    for jobs in (1, 2):
        with arena.contest(range(40), jobs, moody) as contest:
            assert contest.standings[0].known >= known
            known = contest.standings[0].known
            enough = known + 4
            contest.run(lambda now, e=enough: now.stop() if now.standings[0].done >= e else None)
        assert enough <= contest.standings[0].done < 40
    assert same(arena.results(range(40), jobs=3, contenders=moody), at_once)
    (file,) = arena.folder.rglob("episodes.txt")
    assert file.read_bytes().count(b'{"seed"') == 40, "none was played twice"


def test_two_names_of_one_policy_play_once(arena):
    random, guide = arena.contenders()
    names = [random, evolve(random, name="alea"), guide]
    first, second, _ = arena.results(range(4), contenders=names)
    assert first == second
    assert len(list(arena.folder.rglob("episodes.txt"))) == 2
    assert sum(f.read_bytes().count(b'{"seed"') for f in arena.folder.rglob("episodes.txt")) == 8


def test_what_others_played_is_kept_when_one_fails(arena):
    sets = ["engine.moody.fault=die", "engine.moody.after=25"]
    project = load(arena.project.source.path, sets=sets, profile="moody")
    entrants = [*arena.contenders(), *profiled(project, arena.task, "moody", "sampled")]
    with (
        pytest.raises(EvaluationError, match="the play of moody: its process exited"),
        arena.contest(range(6), contenders=entrants) as contest,
    ):
        contest.run(lambda _: None)
    assert [standing.done == 6 for standing in contest.standings] == [True, True, False]
    assert [standing.known for standing in arena.contest(range(6)).standings] == [6, 6]


def test_figures_follow_from_the_code_the_seed_of_drawn_weights_and_the_device(arena):
    def marks(name, *sets):
        project = load(arena.project.source.path, sets=sets, profile=name)
        (own,) = profiled(project, arena.task, name, "sampled")
        return own.fingerprint(arena.task)

    plain = marks("moody")
    assert marks("moody") == plain
    others = [
        marks("moody", "runtime.seed=7"),
        marks("moody", "runtime.device=cuda"),
        marks("moody", "engine.moody.lean=1"),
        marks("tally"),
    ]
    code = arena.project.folder / "moody.py"
    code.write_text(code.read_text() + "\n# other code\n")
    others.append(marks("moody"))
    stage = arena.project.folder / "corridor.py"
    stage.write_text(stage.read_text() + "\n# other rules\n")
    others.append(marks("moody"))
    assert len({plain, *others}) == 7


def test_a_place_that_cannot_be_read_or_written_is_one_clear_error(arena, tmp_path):
    arena.folder = tmp_path / "file"
    arena.folder.write_text("no folder")
    with pytest.raises(InputError, match=r"unreadable.*Not a directory"):
        arena.contest(range(2))
    arena.folder = tmp_path / "loop" / "kept"
    arena.folder.parent.symlink_to(arena.folder.parent)
    with pytest.raises(InputError, match=r"unreadable|unwritable"):
        arena.contest(range(2))


def test_the_folder_says_for_people_what_is_in_it(arena):
    arena.results(range(2))
    told = [json.loads(file.read_text()) for file in arena.folder.rglob("about.json")]
    assert {(one["contender"], one["task"], one["split"]) for one in told} == {
        ("random", "corridor:plain", "test"),
        ("guide", "corridor:plain", "test"),
    }


def test_a_process_that_ends_early_is_no_whole_play(arena, tmp_path, monkeypatch):
    (tmp_path / "idle_child.py").write_text(
        "from aegis.jobs.child_job import carry_out\n"
        "from aegis.evaluation.playing_job import PlayingJob\n"
        "carry_out(PlayingJob, lambda job, link: {'played': 0})\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("aegis.evaluation.contest.PLAYER", "idle_child")
    with (
        pytest.raises(EvaluationError, match=r"evaluation-incomplete.*random.*4 episodes unplayed"),
        arena.contest(range(4)) as contest,
    ):
        contest.run(lambda _: None)
