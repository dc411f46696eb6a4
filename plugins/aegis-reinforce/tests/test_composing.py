from __future__ import annotations

import random
from collections import Counter

import aegis
from aegis_reinforce.composing import composed

FINISH = aegis.Action("finish")


def _read(number, **signals):
    return aegis.Action("read", {"ref": str(number)}, about=f"Paper {number}", signals=signals)


def _steps(world):
    return [
        world.step_of(
            world.crowded_view(step=number + 1),
            (*(_read(n, rank=n) for n in range(number, number + 4)), FINISH),
            0,
            0.0,
            index=number + 1,
        )
        for number in range(8)
    ]


def test_decisions_are_put_together_from_what_was_offered(world):
    steps = _steps(world)
    found = composed(steps, 50, random.Random(0))
    assert len(found) == 8 * 50
    offered = {action.render(): action for step in steps for action in step.decision.candidates}
    exchanged, sizes, finishes = 0, Counter(), 0
    for number, (view, candidates) in enumerate(found):
        step = steps[number // 50]
        assert aegis.View.parse(view.render()) == view
        assert view.goal == step.view.goal
        assert view.limit == 40
        assert 2 <= len(candidates) <= len(step.decision.candidates)
        assert len({action.key for action in candidates}) == len(candidates)
        assert all(offered[action.render()] == action for action in candidates)
        tools = [action.tool for action in candidates]
        assert tools == sorted(tools, key=("read", "finish").index) or len(candidates) == 2
        exchanged += any(action not in step.decision.candidates for action in candidates)
        sizes[len(candidates)] += 1
        finishes += FINISH in candidates
    times = {(number // 50, view.step) for number, (view, _) in enumerate(found)}
    assert len(times) > 50  # of 64: each view at nearly every time
    assert exchanged > 150
    assert set(sizes) == {2, 3, 4, 5}
    assert 150 < finishes < 350  # its share is drawn evenly from 0 to 1, and two always stay


def test_the_same_seed_gives_the_same(world):
    steps = _steps(world)
    one, again, other = (composed(steps, 2, random.Random(seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert composed(steps, 0, random.Random(1)) == []
    assert composed([], 3, random.Random(1)) == []
