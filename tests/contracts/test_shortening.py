"""What a view loses when it is too long."""

from __future__ import annotations

from aegis.contracts.shortening import shorten
from aegis.contracts.view import Recent, Seen, View


def test_what_matters_least_gives_way_first():
    view = View(
        goal="g",
        missing=("m1", "m2"),
        facts=("f1", "f2"),
        knowledge=(Seen("1", "k"),),
        found=(Seen("2", "d"),),
        gaps=("g1", "g2"),
        recent=(Recent("old", "ok"), Recent("new", "ok")),
    )

    one, cut = shorten(view, lambda v: len(v.gaps) < 2)
    assert (one.gaps, one.facts, cut) == (("g1",), ("f1", "f2"), 1)
    six, cut = shorten(view, lambda v: len(v.recent) < 2)
    assert (six.gaps, six.facts, six.knowledge) == ((), (), ())
    assert [r.action for r in six.recent] == ["new"]
    assert (six.found, six.missing, cut) == (view.found, view.missing, 6)
    none, cut = shorten(view, lambda v: False)
    assert none == View(goal="g")
    assert cut == 10
