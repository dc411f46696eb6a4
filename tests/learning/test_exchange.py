"""Export and import of Aegis' own JSON lines."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.errors import InputError, StoreError
from aegis.learning.exchange import export_jsonl, import_file
from aegis.store.ledger import Ledger


@pytest.fixture
def exported(open_ledger, recorder, tmp_path):
    """A ledger of 18 steps and its export."""
    ledger = open_ledger("first")
    recorder.write(ledger)
    path = tmp_path / "all.jsonl"
    assert export_jsonl(ledger, path) == 18
    return path


def test_an_export_imports_again_to_identical_rows(exported, open_ledger, recorder, tmp_path):
    """Every column of every table, the chained digests included; and the exports byte by byte."""
    first, second = open_ledger("first"), open_ledger("second")
    report = import_file(second, exported)
    assert (report.format, report.records, report.imported, report.episodes) == (
        "aegis-jsonl",
        18,
        18,
        3,
    )
    assert recorder.rows(second) == recorder.rows(first)
    assert list(second.experiences()) == list(first.experiences())
    assert second.verify() == []
    export_jsonl(second, tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == exported.read_bytes()


def test_an_export_is_pure_ascii_strict_json_one_experience_a_line(exported):
    def no_constant(name):
        raise AssertionError(name)

    lines = exported.read_bytes().decode("ascii").splitlines()
    header, *rows = [json.loads(line, parse_constant=no_constant) for line in lines]
    assert header == {"aegis": "experience", "version": 1, "count": 18}
    assert [row["step"] for row in rows] == list(range(1, 19))
    assert rows[0]["engine_log_probabilities"][1] == "-inf"
    assert [row["step"] for row in rows if "begins_episode" in row] == [1, 2, 3]
    assert [row["step"] for row in rows if "begins_run" in row] == [1]
    assert rows[3]["reward"] == 3 / 7


def test_remarks_go_out_and_come_back(exported, open_ledger):
    lines = [json.loads(line) for line in exported.read_text().splitlines()[1:]]
    expected = [{"segments": n, "cut": 1 / 3} if n % 2 else None for n in range(18)]
    assert [line.get("remarks") for line in lines] == expected
    import_file(open_ledger("second"), exported)
    read = [step.decision.remarks for step in open_ledger("second").experiences()]
    assert read == [remarks or {} for remarks in expected]


def test_a_file_without_remarks_has_none(exported, open_ledger):
    for line in range(2, 20):
        edited(exported, line, lambda values: values.pop("remarks", None))
    import_file(open_ledger("second"), exported)
    read = [step.decision.remarks for step in open_ledger("second").experiences()]
    assert read == [{}] * 18


def test_a_whole_number_as_a_remark_is_a_float_in_the_ledger(exported, open_ledger, recorder):
    edited(exported, 3, put(remarks={"segments": 1, "cut": 1 / 3}))
    import_file(open_ledger("second"), exported)
    assert recorder.rows(open_ledger("second")) == recorder.rows(open_ledger("first"))


def test_origins_and_counts_are_kept(exported, open_ledger):
    second = open_ledger("second")
    report = import_file(second, exported)
    assert {name: share.experiences for name, share in second.counts().by_origin.items()} == {
        "own": 6, "practice": 6, "teacher": 6,
    }  # fmt: skip
    assert report.actions == {"search_library": 9, "read": 9}
    assert report.reward_mean == pytest.approx(sum(n / 7 for n in range(18)) / 18)


def test_a_second_import_adds_nothing(exported, open_ledger, recorder):
    second = open_ledger("second")
    import_file(second, exported)
    before = recorder.rows(second)
    report = import_file(second, exported)
    assert (report.imported, report.duplicates, report.records) == (0, 18, 18)
    assert recorder.rows(second) == before


def test_a_later_export_goes_on_in_the_same_episodes(open_ledger, recorder, tmp_path):
    first, second = open_ledger("first"), open_ledger("second")
    recorder.write(first)
    export_jsonl(first, tmp_path / "early.jsonl", since=0, episode=1)
    export_jsonl(first, tmp_path / "late.jsonl", origin="own")
    early = (tmp_path / "early.jsonl").read_text().splitlines()
    (tmp_path / "early.jsonl").write_text(
        "\n".join(['{"aegis": "experience", "version": 1, "count": 2}', *early[1:3]]) + "\n"
    )
    import_file(second, tmp_path / "early.jsonl")
    report = import_file(second, tmp_path / "late.jsonl")
    assert (report.duplicates, report.imported, report.episodes) == (2, 4, 0)
    assert [(e.episode, e.index) for e in second.experiences()] == [(1, n) for n in range(1, 7)]
    assert [e.view for e in second.experiences()] == [
        e.view for e in first.experiences(origin="own")
    ]
    assert second.verify() == []


def test_an_import_into_a_ledger_with_steps_comes_after_them(exported, open_ledger, recorder):
    third = open_ledger("third")
    recorder.write(third, count=6, run="run-a", key="other", start=2)
    report = import_file(third, exported)
    assert report.imported == 18
    made = list(third.experiences(since=6))
    assert [e.step for e in made] == list(range(7, 25))
    assert {e.run for e in made} == {"run-a-2"}  # another run has that name here
    assert {e.episode for e in made} == {4, 5, 6}
    assert third.episode(4).started_step == 7
    assert third.next_episode() == 7
    assert third.open_episode() is None
    assert third.verify() == []


def test_a_selection_is_exported_and_imported(open_ledger, recorder, tmp_path):
    first, second = open_ledger("first"), open_ledger("second")
    recorder.write(first)
    assert export_jsonl(first, tmp_path / "s.jsonl", origin="practice", since=4) == 5
    import_file(second, tmp_path / "s.jsonl")
    wanted = list(first.experiences(origin="practice", since=4))
    assert [(e.view, e.decision, e.outcome) for e in second.experiences()] == [
        (e.view, e.decision, e.outcome) for e in wanted
    ]
    assert [e.step for e in second.experiences()] == [1, 2, 3, 4, 5]
    assert export_jsonl(first, tmp_path / "e.jsonl", environment="research", episode=1) == 6


def test_an_open_decision_is_not_exported(open_ledger, recorder, tmp_path, later):
    ledger = open_ledger()
    recorder.write(ledger, count=3)
    last = ledger.experience(3)
    ledger.intend(later(last, step=4, index=2, key="open"))
    ledger.commit()
    assert export_jsonl(ledger, tmp_path / "x.jsonl") == 3
    with pytest.raises(StoreError) as caught:
        import_file(ledger, tmp_path / "x.jsonl")
    assert caught.value.problems[0].code == "step-open"
    assert "aegis run" in caught.value.problems[0].fix


def test_an_empty_ledger_is_exported_and_imported(open_ledger, tmp_path):
    assert export_jsonl(open_ledger("a"), tmp_path / "x.jsonl") == 0
    assert import_file(open_ledger("b"), tmp_path / "x.jsonl").imported == 0


def test_progress_is_told(open_ledger, recorder, tmp_path):
    first, told = open_ledger("first"), []
    recorder.write(first, count=240)
    export_jsonl(
        first, tmp_path / "x.jsonl", progress=lambda done, total: told.append((done, total))
    )
    assert told == [(100, 240), (200, 240), (240, 240)]
    told.clear()
    import_file(
        open_ledger("b"),
        tmp_path / "x.jsonl",
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(100, 240), (200, 240), (240, 240)]


def test_an_export_that_cannot_be_written_leaves_the_old_file(exported, open_ledger, tmp_path):
    with pytest.raises(InputError) as caught:
        export_jsonl(open_ledger("first"), tmp_path / "no" / "such" / "folder.jsonl")
    assert caught.value.problems[0].code == "unwritable"
    assert [file.name for file in exported.parent.glob("*.jsonl*")] == ["all.jsonl"]


def edited(path, line, change):
    """Return the file with one line's values changed."""
    lines = path.read_text().splitlines()
    values = json.loads(lines[line - 1])
    change(values)
    lines[line - 1] = json.dumps(values)
    path.write_text("\n".join(lines) + "\n")
    return path


def put(**changes):
    return lambda values: values.update(changes)


BAD_LINES = {
    "unknown key": (put(rewrad=1.0), 'rewrad: unknown key; did you mean "reward"?'),
    "missing key": (lambda v: v.pop("reward"), "reward: missing"),
    "wrong type": (put(step="3"), 'step: expected a whole number of 64 bits, found "3"'),
    "a flag is no number": (put(seed=True), "seed: expected a whole number of 64 bits"),
    "unknown origin": (put(origin="rumour"), "origin: expected one of own"),
    "reward too large": (put(reward=10**400), "reward: expected a finite number"),
    "view that is none": (put(view="hello"), "not the rendering of a view"),
    "score that is none": (put(engine_log_probabilities=[-1.0, None]), "engine_log_probabilities: expected a number"),
    "too few scores": (put(engine_log_probabilities=[-1.0]), "1 values for 2 candidates"),
    "score as a word": (put(text_log_probability="low"), "text_log_probability: expected a number"),
    "no such candidate": (put(chosen=2), "candidate 2 of 2"),
    "candidate without tool": (put(candidates=[{"arguments": {}}, {}]), "candidates.tool: missing"),
    "candidate with an unknown key": (put(action={"tool": "x", "args": {}}), "action.args: unknown key"),
    "candidate that is a text": (put(candidates=["x", "y"]), "candidates: expected an object"),
    "signals that are no numbers": (put(action={"tool": "x", "signals": {"a": 1.5}}), "action.signals"),
    "unknown status": (put(outcome={"status": "great", "message": "", "gained": 0, "seconds": 0, "items": []}), "outcome.status: expected one of ok"),
    "items that are no texts": (put(outcome={"status": "ok", "message": "", "gained": 0, "seconds": 0, "items": [1]}), "outcome.items"),
    "run that is described wrongly": (put(begins_run={"id": "run-a"}), "begins_run.profile: missing"),
    "episode of another number": (lambda v: v["begins_episode"].update(id=77), "episode 1 is described nowhere"),
    "run of another name": (lambda v: v["begins_run"].update(id="b"), "run 'run-a' is described nowhere"),
    "key that is no text": (put(key=None), "key: expected a text"),
    "half a surrogate pair": (put(plan="\ud800"), "plan: expected a text of whole characters"),
    "an argument beyond what is JSON": (put(action={"tool": "x", "arguments": [1]}), "action.arguments"),
    "remarks that are none": (put(remarks=[1]), "remarks: [1] is no mapping of names to numbers"),
    "a remark that is a text": (put(remarks={"cut": "2"}), "remarks: cut is '2', no finite number"),
    "a remark beyond any float": (put(remarks={"cut": 10**400}), "no finite number"),
    "a remark with a long name": (put(remarks={"Cut off": 2}), "remarks: 'Cut off' is no name"),
    "too many remarks": (put(remarks={f"r{i}": i for i in range(1000)}), "remarks: 1000 of them"),
    "a number of 65 bits": (put(seed=2**64), "seed: expected a whole number of 64 bits"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_line_that_is_wrong_is_named_and_nothing_is_imported(
    exported, open_ledger, change, message
):
    second = open_ledger("second")
    edited(exported, 2, change)
    with pytest.raises(InputError) as caught:
        import_file(second, exported)
    problem = caught.value.problems[0]
    assert problem.code == "exchange-malformed"
    assert message in problem.message
    assert problem.where == f"{exported}:2"
    assert second.last_step() == 0
    assert second.next_episode() == 1
    assert second.last_run() is None
    assert second.verify() == []


def test_all_wrong_lines_are_told_at_once(exported, open_ledger):
    for line in (4, 9, 15):
        edited(exported, line, put(reward="much", done="yes"))
    with pytest.raises(InputError) as caught:
        import_file(open_ledger("second"), exported)
    assert [p.where.rpartition(":")[2] for p in caught.value.problems] == [
        "4",
        "4",
        "9",
        "9",
        "15",
        "15",
    ]


def test_an_error_in_the_last_line_undoes_the_lines_before(exported, open_ledger):
    second = open_ledger("second")
    edited(exported, 19, put(index=1))  # the episode has a step of this index
    with pytest.raises(InputError, match="already"):
        import_file(second, exported)
    assert second.last_step() == 0


def test_a_cut_file_is_noticed(exported, open_ledger):
    content = exported.read_bytes()
    lines = content.splitlines(keepends=True)
    exported.write_bytes(b"".join(lines[:12]))
    with pytest.raises(InputError, match="promises 18 experiences, the file has 11"):
        import_file(open_ledger("second"), exported)
    exported.write_bytes(content[:-100])
    with pytest.raises(InputError, match=r"not JSON: .* at column") as caught:
        import_file(open_ledger("second"), exported)
    assert caught.value.problems[0].where.endswith(":19")


@pytest.mark.parametrize("version", [2, "1", None])
def test_a_file_of_another_version_is_refused(exported, open_ledger, version):
    edited(exported, 1, put(version=version))
    with pytest.raises(InputError) as caught:
        import_file(open_ledger("second"), exported)
    assert caught.value.problems[0].code == "exchange-version"


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"step": NaN}', b"[" * 5000, b"1" * 5000])
def test_a_line_that_cannot_be_read_is_named(exported, open_ledger, content):
    lines = exported.read_bytes().splitlines()
    exported.write_bytes(b"\n".join([*lines[:4], content, *lines[5:]]))
    with pytest.raises(InputError) as caught:
        import_file(open_ledger("second"), exported)
    assert caught.value.problems[0].where == f"{exported}:5"


def test_a_file_that_is_not_there_is_named(open_ledger, tmp_path):
    with pytest.raises(InputError) as caught:
        import_file(open_ledger(), tmp_path / "none.jsonl")
    assert caught.value.problems[0].code == "unreadable"


ANY_JSON = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        10**400,
        1.5,
        "",
        "x",
        "\ud800",
        "-inf",
        [],
        [None],
        {},
        {"id": 1},
        [{"tool": "a"}],
        math.pi,
    ]
)


@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(changes=st.dictionaries(st.integers(0, 28), ANY_JSON, min_size=1, max_size=2))
def test_whatever_a_line_holds_the_import_works_or_says_why(exported, tmp_path_factory, changes):
    """Any values in any keys: an InputError with a place, or rows that verify."""
    lines = exported.read_text().splitlines()[:2]
    values = json.loads(lines[1])
    names = sorted(values)
    values |= {names[number % len(names)]: value for number, value in changes.items()}
    folder = tmp_path_factory.mktemp("any")
    path = folder / "x.jsonl"
    path.write_text('{"aegis": "experience", "version": 1, "count": 1}\n' + json.dumps(values))
    with Ledger.open(folder) as ledger:
        places = []
        try:
            import_file(ledger, path)
        except InputError as error:
            places = [problem.where for problem in error.problems]
        assert set(places) <= {f"{path}:2"}
        assert ledger.last_step() == (0 if places else 1)
        assert ledger.verify() == []
        assert ledger.pending() is None
