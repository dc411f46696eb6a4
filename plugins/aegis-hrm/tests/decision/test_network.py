"""Scores follow from the decision alone: in any order, beside anything, for its own ids only."""

import pytest
import torch

from aegis.errors import ContractError
from aegis.neural import FileTokenizer
from aegis_hrm.decision.layout import Row
from aegis_hrm.decision.packing import pack

KINDS = ("hrm", "trm", "plain")
PLACES = ("rope", "learned", "none")


def judged(network, rows, segments=1):
    with torch.no_grad():
        prepared = network.prepare(pack(rows))
        state = network.begin(prepared)
        for _ in range(segments):
            said = network(state, prepared)
            state = said.state
    return said


@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize("positions", PLACES)
@pytest.mark.parametrize("hierarchy", KINDS)
def test_the_order_of_the_candidates_does_not_matter(
    layout, network_of, practised, hierarchy, positions, segments
):
    network = network_of(hierarchy=hierarchy, positions=positions)
    generator = torch.Generator().manual_seed(segments)
    choice = max(practised, key=lambda choice: len(choice.candidates))
    straight = judged(network, [layout.row(choice.view, choice.candidates)], segments)
    orders = [torch.randperm(len(choice.candidates), generator=generator) for _ in range(4)]
    rows = [
        layout.row(choice.view, [choice.candidates[i] for i in order.tolist()]) for order in orders
    ]
    shuffled = judged(network, rows, segments)

    assert straight.scores.std() > 0.02  # else any order would do
    for number, order in enumerate(orders):
        expected = straight.scores[0, order]
        torch.testing.assert_close(shuffled.scores[number], expected, atol=1e-5, rtol=0)
    for name in ("q_halt", "q_continue"):
        expected = getattr(straight, name).expand(len(orders))
        torch.testing.assert_close(getattr(shuffled, name), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize("positions", PLACES)
@pytest.mark.parametrize("hierarchy", KINDS)
def test_neither_padding_nor_other_decisions_matter(
    rows_of, network_of, hierarchy, positions, segments
):
    network = network_of(hierarchy=hierarchy, positions=positions)
    together = judged(network, rows_of, segments)

    assert len({row.tokens for row in rows_of}) > 2
    for number, row in enumerate(rows_of):
        alone = judged(network, [row], segments)
        count = len(row.markers)
        found = together.scores[number]
        torch.testing.assert_close(found[:count], alone.scores[0], atol=1e-5, rtol=0)
        assert torch.isneginf(found[count:]).all()
        # Values up to 10: in single precision that is 1e-6 for every rounding.
        torch.testing.assert_close(together.q_halt[number], alone.q_halt[0], atol=1e-5, rtol=1e-5)


def test_scores_are_normalised(rows_of, network_of):
    for segments in (1, 2):
        scores = judged(network_of(), rows_of, segments).scores
        torch.testing.assert_close(scores.logsumexp(-1), torch.zeros(5), atol=1e-6, rtol=0)


def test_candidates_are_compared(layout, network_of, view, candidates):
    """What one is worth depends on the others too, not only on how much probability they take."""
    network = network_of()
    few = judged(network, [layout.row(view, candidates[:2])]).scores[0]
    more = judged(network, [layout.row(view, candidates)]).scores[0]

    assert abs((few[0] - few[1]) - (more[0] - more[1])) > 1e-3


def test_a_segment_reaches_further_than_the_one_before(rows_of, network_of):
    network = network_of()
    one, two = (judged(network, rows_of, segments).scores[:, 0] for segments in (1, 2))

    assert (one - two).abs().max() > 1e-3


def test_the_state_is_handed_on_without_its_history(rows_of, network_of):
    network = network_of()
    prepared = network.prepare(pack(rows_of))
    said = network(network.begin(prepared), prepared)

    assert said.scores.requires_grad
    assert not said.state.high.requires_grad
    assert not said.state.low.requires_grad


@pytest.mark.parametrize("hierarchy", KINDS)
def test_every_weight_but_that_of_thinking_on_gets_a_gradient(rows_of, network_of, hierarchy):
    network = network_of(hierarchy=hierarchy, positions="learned", gradient="one_step")
    prepared = network.prepare(pack(rows_of))
    said = network(network.begin(prepared), prepared)
    (said.scores[:, 0].sum() + said.q_halt.sum() + said.q_continue.sum()).backward()

    without = {name for name, w in network.named_parameters() if w.grad is None or not w.grad.any()}
    assert without == set()
    assert network.H_init.grad is None
    assert dict(network.named_buffers()).keys() == {"H_init", "L_init"}


# Ids of another tokenizer


def test_ids_of_another_tokenizer_are_refused(rows_of, network_of, layout):
    network = network_of(fingerprint="0123456789abcdef" * 4)

    with pytest.raises(ContractError) as caught:
        network.prepare(pack(rows_of))
    (problem,) = caught.value.problems
    assert problem.code == "ids-foreign"
    assert problem.message == (
        f"ids of a tokenizer of fingerprint {layout.fingerprint[:12]} reached a model that was "
        "made for 0123456789ab"
    )
    assert problem.where == "[engine.hrm].tokenizer"
    assert problem.fix == (
        "use the tokenizer that the weights were trained with, or train from scratch"
    )


def test_ids_of_gpt2_that_all_have_a_row_are_refused_all_the_same(real_vocabulary, network_of):
    """The founding trap: a check of the range passes, and every word means something else."""
    gpt2 = FileTokenizer(real_vocabulary)
    network = network_of()
    text = gpt2.encode(" the first and the last of all that are in this")
    row = Row(
        ids=(*text, *gpt2.encode(" or"), *gpt2.encode(" not")),
        positions=(*range(len(text)), len(text), len(text)),
        segments=(*[0] * len(text), 1, 2),
        markers=(len(text), len(text) + 1),
        cut=0,
        fingerprint=gpt2.capabilities.fingerprint,
    )
    assert max(row.ids) < 1000 == network.shape.vocabulary
    assert gpt2.decode(row.ids) == " the first and the last of all that are in this or not"

    with pytest.raises(ContractError, match="ids-foreign"):
        network.prepare(pack([row]))

    careless = network_of(fingerprint=row.fingerprint)  # nothing else would have told
    assert judged(careless, [row]).scores.isfinite().all()
