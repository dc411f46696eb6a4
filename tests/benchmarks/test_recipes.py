"""The rows of docs/results.md: that each can be made at all."""

from __future__ import annotations

import pytest
from measuring.babyai_rows import about
from measuring.recipes import LADDER, TARGETS, baby_rows
from measuring.running import HERE

from aegis import project


@pytest.mark.parametrize("variants", sorted({row.variants for row in baby_rows()}))
def test_a_row_s_settings_are_legal(variants):
    found = project.load(HERE / "aegis.toml", sets=[f"learning.variants={variants}"])
    assert found.config.settings.learning.variants == variants


def test_every_target_has_a_row_of_three_trainings_and_the_ladder_is_whole():
    rows = {
        (row.level, row.track, row.demonstrations): row
        for row in baby_rows()
        if row.recipe == "gpt2"
    }
    for (level, track), wanted in TARGETS.items():
        row = rows[level, track, 1000]
        assert (row.target, row.seeds) == (wanted, (0, 1, 2))
    for track in ("marked", "unmarked"):
        assert {n for level, of, n in rows if (level, of) == ("GoToLocal", track)} == {*LADDER}


def test_rungs_have_as_many_examples_but_no_step_more_forms_than_words_can_be_learned_from():
    totals = {row.demonstrations * row.variants for row in baby_rows() if row.track == "marked"}
    assert totals == {120_000}
    for row in baby_rows():
        if row.track == "unmarked":
            assert row.variants == min(120, 120_000 // row.demonstrations)


def test_what_a_training_follows_from_is_known_before_it_is_made():
    row = next(row for row in baby_rows() if row.name == "babyai-PickupLoc-unmarked-gpt2-1000")
    found = about(row)
    assert found["rules"] == "3"
    assert found["forms"].startswith("120, others")
    assert found["settings"]["minutes"] == 26
    assert "--width 128" in found["settings"]["model"]
