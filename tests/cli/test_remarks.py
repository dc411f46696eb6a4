from __future__ import annotations

import pytest

from aegis.cli.remarks import brief, whole


@pytest.mark.parametrize(
    ("remarks", "all_of_them", "first"),
    [
        ({}, "", ""),
        ({"segments": 3.0}, "segments 3", "segments 3"),
        ({"segments": 3.0, "cut": 2.0}, "segments 3, cut 2", "segments 3, cut 2"),
        ({"a": 0.5, "b": -1 / 3, "c": 123456.0}, "a 0.5, b -0.333333, c 123456", "a 0.5, b -0.333333, …"),
        ({"many": 1e300}, "many 1e+300", "many 1e+300"),
    ],
)  # fmt: skip
def test_remarks_in_words(remarks, all_of_them, first):
    assert whole(remarks) == all_of_them
    assert brief(remarks) == first
