from __future__ import annotations

import hashlib
import json

import pytest
from attrs import asdict, evolve

from aegis.evaluation.episode import Episode, EpisodeFile

FIRST = Episode(
    seed=1, total=-0.1 - 0.2, steps=3, completed=True, denied=1, seconds=1 / 3, rss_mb=40.5,
    parameters=None, actions={"left": 2, "right": 1}, facts={"topic": "a"},
)  # fmt: skip
SECOND = evolve(FIRST, seed=2, total=1e-17, completed=False, parameters=7, facts={})


@pytest.fixture
def file(tmp_path):
    return EpisodeFile(tmp_path / "place" / "episodes.txt")


@pytest.fixture
def whole(file, tmp_path):
    """The bytes of a file with two episodes, which lies at `lies(tmp_path)`."""
    file.add(FIRST)
    file.add(SECOND)
    return lies(tmp_path).read_bytes()


def lies(folder):
    return folder / "place" / "episodes.txt"


def line(values):
    """A line whose digest is right, whatever it says."""
    body = json.dumps(values).encode()
    return b"\n" + hashlib.sha256(body).hexdigest()[:16].encode() + b" " + body + b"\n"


def test_episodes_come_back_as_they_were_by_seed(file):
    assert file.read() == {}
    file.add(SECOND)
    file.add(FIRST)
    assert file.read() == {1: FIRST, 2: SECOND}


def test_whatever_byte_is_changed_no_figure_is_wrong(file, whole, tmp_path):
    lost = set()
    for place in range(len(whole)):
        changed = bytes([whole[place] ^ (1 << place % 8)])
        lies(tmp_path).write_bytes(whole[:place] + changed + whole[place + 1 :])
        found = file.read()
        assert found.items() <= {1: FIRST, 2: SECOND}.items()
        lost |= {1, 2} - found.keys()
    assert lost == {1, 2}, "a change is noticed in either"


def test_wherever_it_is_cut_no_figure_is_wrong_and_what_follows_is_whole(file, whole, tmp_path):
    third = evolve(FIRST, seed=3)
    for length in range(0, len(whole), 3):
        lies(tmp_path).write_bytes(whole[:length])
        file.add(third)
        found = file.read()
        assert found.pop(3) == third
        assert found.items() <= {1: FIRST, 2: SECOND}.items()


def test_the_first_of_two_episodes_of_one_seed_counts(file):
    file.add(FIRST)
    file.add(evolve(FIRST, total=9.0, seconds=5.0))
    assert file.read() == {1: FIRST}


@pytest.mark.parametrize(
    "values",
    [
        {**asdict(FIRST), "colour": "red"},
        {key: value for key, value in asdict(FIRST).items() if key != "total"},
        {**asdict(FIRST), "total": "much"},
        {**asdict(FIRST), "completed": 1},
        ["no", "episode"],
        float("nan"),
    ],
)
def test_what_another_version_wrote_is_not_read(file, whole, tmp_path, values):
    lies(tmp_path).write_bytes(line(values) + whole)
    assert file.read() == {1: FIRST, 2: SECOND}
    lies(tmp_path).write_bytes(line(asdict(FIRST)))
    assert file.read() == {1: FIRST}, "a line of this version is"


def test_what_is_put_aside_is_kept_under_another_name(file, whole, tmp_path):
    file.put_aside()
    assert file.read() == {}
    file.put_aside()  # nothing there: nothing is lost
    aside = lies(tmp_path).with_name("episodes.txt.old")
    assert aside.read_bytes() == whole


def test_a_number_that_is_none_is_never_kept(file):
    with pytest.raises(ValueError, match="JSON"):
        file.add(evolve(FIRST, total=float("nan")))
    assert file.read() == {}
