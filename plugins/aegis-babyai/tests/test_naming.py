"""Colour and type as one word, and back."""

from __future__ import annotations

import pytest

from aegis_babyai.levels import COLOURS
from aegis_babyai.naming import KINDS, apart, colour_and_kind, joined


def test_every_name_goes_back_into_its_two_words():
    names = {joined(f"{colour} {kind}") for colour in COLOURS for kind in KINDS}
    assert len(names) == len(COLOURS) * len(KINDS)
    for colour in COLOURS:
        for kind in KINDS:
            assert colour_and_kind(joined(f"{colour} {kind}")) == (colour, kind)
            assert apart(joined(f"a {colour} {kind} behind you")) == f"a {colour} {kind} behind you"


@pytest.mark.parametrize(
    "mission", ["pick up a ball", "go to the grey object", "open a door", "a redder ball", ""]
)
def test_what_names_no_colour_and_type_together_stays(mission):
    assert joined(mission) == mission


@pytest.mark.parametrize("word", ["ball", "red", "redballs", "pinkball", ""])
def test_other_words_name_nothing(word):
    with pytest.raises(ValueError, match="not a thing"):
        colour_and_kind(word)
