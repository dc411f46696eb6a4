from __future__ import annotations

import json

import pytest

from aegis.errors import InputError
from aegis.jobs.job_file import Workplace, parse_job, read_json, write_job
from aegis.learning.job import JudgingJob, Play, TrainingJob

SEAT = {"kind": "engine", "name": "gpt2", "config": {"model": "mini"}, "parts": {}}


@pytest.fixture
def workplace():
    return Workplace(
        path=("/a", "/b"), plugins={"builtins": [], "plugins": ["hrm"]}, runtime={"seed": 3}
    )


@pytest.fixture
def training(workplace, tmp_path):
    return TrainingJob(
        profile="p", fingerprint="f" * 64, workplace=workplace, engine=SEAT, trainer=SEAT, seed=3,
        train=tmp_path / "t", validation=tmp_path / "v", state=tmp_path / "s", result=tmp_path / "r",
        seconds=60.0, grace=1.0, resume=False,
    )  # fmt: skip


def test_jobs_come_back_as_they_were_written(training, workplace, tmp_path):
    file = tmp_path / "job.json"
    write_job(training, file)
    assert parse_job(TrainingJob, read_json(file)) == training
    play = Play(environment=SEAT, version="1", seeds=(0, 1, 2), beside={"random": SEAT})
    for played in (play, None):
        judging = JudgingJob(
            workplace=workplace, engine=SEAT, candidate=tmp_path, validation=tmp_path / "v",
            play=played, seed=3, seconds=1.0, grace=1.0,
        )  # fmt: skip
        write_job(judging, file)
        assert parse_job(JudgingJob, read_json(file)) == judging


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": "3"}, "seed"),
        ({"kind": "judge"}, "kind"),
        ({"sead": 3}, "sead"),
        ({"seconds": None}, "seconds"),
        ({"workplace": []}, "workplace"),
    ],
)
def test_a_job_is_read_strictly(training, tmp_path, change, said):
    file = tmp_path / "job.json"
    write_job(training, file)
    with pytest.raises(InputError) as refused:
        parse_job(TrainingJob, json.loads(file.read_text()) | change)
    assert said in str(refused.value)


def test_a_missing_key_is_named(training, tmp_path):
    file = tmp_path / "job.json"
    write_job(training, file)
    raw = json.loads(file.read_text())
    del raw["trainer"]
    with pytest.raises(InputError, match="trainer"):
        parse_job(TrainingJob, raw)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_one_clear_error(tmp_path, content):
    file = tmp_path / "job.json"
    file.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_json(file)
    assert refused.value.problems[0].code == "job-damaged"
