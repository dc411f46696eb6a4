from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from aegis.contracts.remarks import MOST, remark_faults


@pytest.mark.parametrize(
    "remarks",
    [
        {},
        {"segments": 3, "cut": 2},
        {"a-b_0": -0.5, "0": 1e308, "x" * 64: -(2**70)},
        {"numpy": np.float32(0.25), "count": np.int64(7), "half": Fraction(1, 2)},
        {f"r{i}": i for i in range(MOST)},
    ],
)
def test_short_names_with_finite_numbers_are_remarks(remarks):
    assert list(remark_faults(remarks)) == []


@pytest.mark.parametrize(
    ("remarks", "said"),
    [
        (None, "None is no mapping"),
        ([("segments", 3)], "[('segments', 3)] is no mapping"),
        ("segments", "'segments' is no mapping"),
        ({f"r{i}": i for i in range(1000)}, "1000 of them, at most 16 are allowed"),
        ({f"r{i}": i for i in range(17)}, "17 of them, at most 16 are allowed"),
        ({"cut": math.nan}, "cut is nan, no finite number"),
        ({"cut": -math.inf}, "cut is -inf, no finite number"),
        ({"cut": np.float64("nan")}, "no finite number"),
        ({"cut": 10**400}, "no finite number"),
        ({"cut": "3"}, "cut is '3', no finite number"),
        ({"cut": True}, "cut is True, no finite number"),
        ({"cut": None}, "cut is None, no finite number"),
        ({"cut": 1j}, "cut is 1j, no finite number"),
        ({"cut": "x" * 1000}, "cut is 'xx"),
        ({"Cut": 1}, "'Cut' is no name: lower-case letters"),
        ({"two words": 1}, "'two words' is no name"),
        ({"": 1}, "'' is no name"),
        ({"\x1b[2j": 1}, "is no name"),
        ({"x" * 65: 1}, "is no name"),
        ({3: 1}, "3 is no name"),
    ],
)
def test_anything_else_is_named_in_a_few_words(remarks, said):
    (fault,) = remark_faults(remarks)
    assert said in fault
    assert len(fault) < 160
    assert fault.isprintable()


def test_every_wrong_remark_is_told():
    assert len(list(remark_faults({"a": math.nan, "B": 1, "c": 1, "d": "x"}))) == 3
