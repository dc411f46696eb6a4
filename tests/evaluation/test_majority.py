from __future__ import annotations

import numpy as np
import pytest

from aegis.contracts.action import Action
from aegis.contracts.view import View
from aegis.errors import InputError
from aegis.evaluation.majority import MajorityEngine

VIEW = View(goal="g")


def test_it_takes_its_tool_and_is_even_among_several_of_it():
    actions = [Action("a"), Action("b", {"n": 1}), Action("b", {"n": 2})]
    chances = np.exp(MajorityEngine("b").score(VIEW, actions))
    assert chances == pytest.approx([0, 0.5, 0.5], abs=1e-9)


def test_where_its_tool_is_not_offered_it_is_even_among_all():
    chances = np.exp(MajorityEngine("c").score(VIEW, [Action("a"), Action("b")]))
    assert chances == pytest.approx([0.5, 0.5])


def test_a_batch_is_the_single_ones_and_it_does_not_write():
    engine = MajorityEngine("a")
    items = [(VIEW, [Action("a")]), (VIEW, [Action("b"), Action("a")])]
    for one, item in zip(engine.score_batch(items), items, strict=True):
        assert np.array_equal(one, engine.score(*item))
    with pytest.raises(InputError):
        engine.write(VIEW, Action("a", slot="x"), "x")
