"""What sees what in a batch, against a plain definition."""

import pytest
import torch

import aegis
from aegis.contracts.view import View
from aegis_hrm.decision.layout import Row
from aegis_hrm.decision.packing import pack


def sees(row, query, key):
    """Return whether a token of a row sees another one, as the paper of `pack` says it."""
    if max(query, key) >= row.tokens:
        return None if query >= row.tokens else False
    if row.segments[key] == 0:
        return True
    if row.segments[query] == row.segments[key]:
        return True
    return key in row.markers and (query in row.markers or query == 0)


@pytest.fixture
def rows(layout, view, candidates):
    return [
        layout.row(view, candidates),
        layout.row(View(goal="x"), [aegis.Action("finish")]),
        layout.row(View(goal="two words"), candidates[1:3]),
    ]


def test_every_token_sees_what_it_may_and_nothing_else(rows):
    packed = pack(rows)
    (count, one, length, width) = packed.mask.shape

    assert (count, one, length, width) == (3, 1, rows[0].tokens, rows[0].tokens)
    seen = 0
    for number, row in enumerate(rows):
        for query in range(length):
            for key in range(length):
                expected = sees(row, query, key)
                if expected is not None:  # what padding sees counts for nobody
                    assert bool(packed.mask[number, 0, query, key]) == expected, (query, key)
                    seen += expected
    assert seen > 1000


def test_every_row_of_the_mask_sees_something(rows):
    """A softmax over nothing is no number, in padding too."""
    assert pack(rows).mask.any(-1).all()


def test_rows_are_padded_behind_their_end(rows):
    packed = pack(rows)

    for number, row in enumerate(rows):
        for tensor, values in ((packed.ids, row.ids), (packed.positions, row.positions)):
            assert tuple(tensor[number, : row.tokens].tolist()) == values
            assert not tensor[number, row.tokens :].any()
        assert tuple(packed.markers[number][packed.present[number]].tolist()) == row.markers
    assert packed.present.sum(-1).tolist() == [5, 1, 2]
    assert packed.present[1].tolist() == [True] + [False] * 4


@pytest.mark.parametrize("kept", [[2, 0], [False, True, True]])
def test_some_of_the_decisions_are_those_decisions(rows, kept):
    packed = pack(rows)
    some = packed.rows(torch.tensor(kept))
    left = kept if isinstance(kept[0], int) and not isinstance(kept[0], bool) else [1, 2]

    for name in ("ids", "positions", "mask", "markers", "present"):
        assert torch.equal(getattr(some, name), getattr(packed, name)[left])
    assert some.fingerprint == packed.fingerprint


def test_rows_of_two_tokenizers_make_no_batch(rows):
    other = Row((1,), (0,), (0,), (0,), 0, "another")
    with pytest.raises(ValueError, match="unpack"):
        pack([rows[0], other])
