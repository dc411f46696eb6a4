from __future__ import annotations

import json

import pytest

from aegis.errors import StoreError
from aegis.learning.job_folder import KEPT, Jobs


@pytest.fixture
def jobs(tmp_path):
    return Jobs(tmp_path / "run")


def begin(jobs, fingerprint="f", profile="p"):
    job = jobs.new()
    job.prepare()
    job.job.write_text(json.dumps({"fingerprint": fingerprint, "profile": profile}))
    (job.state / "state.json").write_text("{}")
    job.train.write_text("rows")
    return job


def test_jobs_are_numbered_in_the_order_of_their_making(jobs):
    assert [jobs.new().name for _ in range(3)] == ["0001", "0002", "0003"]
    (jobs.path / "10000").mkdir()
    assert [job.name for job in jobs.all()] == ["0001", "0002", "0003", "10000"]
    assert jobs.new().name == "10001"


def test_a_job_without_a_result_was_cut_off_and_can_be_gone_on_with(jobs):
    job = begin(jobs)
    assert job.open
    assert jobs.resumable("f") == job
    assert jobs.resumable("g") is None
    job.end({"status": "failed"}, resumable=True)
    assert jobs.resumable("f") == job
    assert job.state.exists()


def test_a_finished_job_keeps_its_job_and_its_result_only(jobs):
    job = begin(jobs)
    job.keep_curve([{"examples": 1.0}])
    job.end({"status": "finished"}, resumable=False)
    assert {path.name for path in job.path.iterdir()} == {"job.json", "result.json"}
    assert not job.open
    assert jobs.resumable("f") is None


def test_preparing_again_empties_the_result_and_keeps_the_state(jobs):
    job = begin(jobs)
    (job.result / "half").write_text("")
    job.end({"status": "failed"}, resumable=True)
    job.prepare()
    assert list(job.result.iterdir()) == []
    assert (job.state / "state.json").exists()
    assert not (job.path / "result.json").exists()


def test_jobs_of_other_profiles_are_not_given_up(jobs):
    mine, other, next_one = begin(jobs), begin(jobs, profile="q"), begin(jobs, "g")
    assert jobs.give_up("p", but=next_one) == 1
    assert [job.open for job in (mine, other, next_one)] == [False, True, True]
    assert not mine.state.exists()


def test_only_the_last_finished_jobs_are_kept(jobs):
    cut_off = begin(jobs)
    for _ in range(KEPT + 5):
        begin(jobs).end({}, resumable=False)
    jobs.tidy()
    names = [job.name for job in jobs.all()]
    assert len(names) == KEPT + 1
    assert names[0] == cut_off.name
    assert names[-1] == f"{KEPT + 6:04d}"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"resumable": false}', "3"])
def test_a_damaged_or_closed_result_is_not_gone_on_with(jobs, content):
    job = begin(jobs)
    (job.path / "result.json").write_text(content)
    assert not job.open


def test_a_folder_that_was_cut_off_before_its_job_was_written_is_tidied_away(jobs):
    for _ in range(KEPT + 2):
        jobs.new()
    jobs.tidy()
    assert len(jobs.all()) == KEPT


def test_the_lock_is_held_once(jobs):
    lock = jobs.lock()
    with pytest.raises(StoreError, match="trains in this folder"):
        jobs.lock()
    lock.release()
    jobs.lock().release()
