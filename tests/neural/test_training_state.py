"""What is kept of a training comes back as it was, or is refused."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from aegis.errors import ContractError, ModelError
from aegis.neural import Measured, Progress, load_state, save_state

FILE = "training.safetensors"


class Counting(torch.optim.Optimizer):
    """Keeps what some optimisers keep: whole numbers, and more exact tensors than the weights."""

    def __init__(self, parameters, lr=0.1):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state |= {"steps": 0, "factor": 1.0, "last": None}
                    state["sum"] = torch.zeros_like(weight, dtype=torch.float64)
                    state["signs"] = torch.zeros_like(weight, dtype=torch.int64)
                state["steps"] += 1
                state["factor"] *= 1.1
                state["sum"] += weight.grad.double() ** 2 + 1e-12
                state["signs"] += weight.grad.sign().long()
                push = weight.grad * state["factor"] / state["steps"] / state["sum"].sqrt()
                weight.sub_(group["lr"] * (push + 0.01 * state["signs"]))


OPTIMISERS = {
    "sgd": lambda ps: torch.optim.SGD(ps, lr=0.1, momentum=0.9),
    "sgd-plain": lambda ps: torch.optim.SGD(ps, lr=0.1),
    "adamw": lambda ps: torch.optim.AdamW(ps, lr=0.1, amsgrad=True),
    "nadam": lambda ps: torch.optim.NAdam(ps, lr=0.1),
    "rmsprop": lambda ps: torch.optim.RMSprop(ps, lr=0.1, centered=True, momentum=0.5),
    "groups": lambda ps: torch.optim.Adam(
        [{"params": [p], "rate_scale": i} for i, p in enumerate(ps)]
    ),
    "counting": Counting,
}


def weights():
    generator = torch.Generator().manual_seed(5)
    return [nn.Parameter(torch.randn(size, generator=generator)) for size in ((3, 2), (4,))]


def train(parameters, optimiser, steps, first=0):
    for step in range(first, first + steps):
        optimiser.zero_grad()
        sum(((w - step) ** 2).sin().sum() for w in parameters).backward()
        optimiser.step()


def plain(name="sgd"):
    """Return an optimiser that has taken steps."""
    parameters = weights()
    optimiser = OPTIMISERS[name](parameters)
    train(parameters, optimiser, 3)
    return optimiser


def save(folder, training="one", optimiser=None, progress=None, **tensors):
    now = tensors or {"layer.weight": torch.arange(6.0).reshape(2, 3)}
    best = {name: tensor + 1 for name, tensor in now.items()}
    save_state(
        folder, training, progress or Progress(), now=now, best=best, optimiser=optimiser or plain()
    )


def loaded_or_code(folder, training, optimiser):
    try:
        return load_state(folder, training, optimiser)
    except ModelError as error:
        return error.problems[0].code


@pytest.mark.parametrize("name", sorted(OPTIMISERS))
def test_an_optimiser_goes_on_bitwise_as_if_it_had_not_stopped(name, tmp_path):
    whole, first, second = weights(), weights(), weights()
    own = [OPTIMISERS[name](parameters) for parameters in (whole, first, second)]
    train(whole, own[0], 7)
    train(first, own[1], 4)
    now = {str(i): weight.detach().clone() for i, weight in enumerate(first)}
    save(tmp_path, optimiser=own[1], **now)
    kept = load_state(tmp_path, "one", own[2])
    with torch.no_grad():
        for i, weight in enumerate(second):
            weight.copy_(kept.now[str(i)])
    train(second, own[2], 3, first=4)

    assert all(torch.equal(a, b) for a, b in zip(whole, second, strict=True))
    for a, b in zip(whole, second, strict=True):
        ours, theirs = own[2].state[b], own[0].state[a]
        assert ours.keys() == theirs.keys()
        assert {n: type(v) for n, v in ours.items()} == {n: type(v) for n, v in theirs.items()}
        for n, value in theirs.items():
            if isinstance(value, torch.Tensor):
                assert value.dtype == ours[n].dtype


def test_its_groups_stay_as_they_are(tmp_path):
    save(tmp_path, optimiser=plain("groups"))
    optimiser = OPTIMISERS["groups"](weights())
    optimiser.param_groups[1]["lr"] = 7.0
    load_state(tmp_path, "one", optimiser)

    assert [group["rate_scale"] for group in optimiser.param_groups] == [0, 1]
    assert optimiser.param_groups[1]["lr"] == 7.0


def test_an_optimiser_that_has_taken_no_step_has_nothing_to_keep(tmp_path):
    save(tmp_path, optimiser=OPTIMISERS["adamw"](weights()))
    optimiser = OPTIMISERS["adamw"](weights())
    load_state(tmp_path, "one", optimiser)

    assert not optimiser.state


def test_an_optimiser_that_keeps_something_else_is_refused_by_name(tmp_path):
    parameters = weights()
    optimiser = torch.optim.LBFGS(parameters)
    optimiser.state[parameters[0]]["old_dirs"] = [torch.zeros(3)]
    with pytest.raises(ContractError, match="LBFGS keeps old_dirs as a list"):
        save(tmp_path, optimiser=optimiser)

    assert list(tmp_path.iterdir()) == []


def test_tensors_and_progress_come_back_as_they_were(tmp_path):
    now = {
        "layer.0.weight": torch.randn(3, 2),
        "half": torch.tensor([1.5, float("nan")], dtype=torch.bfloat16),
        "count": torch.tensor(3),
        "none": torch.zeros(0, 4),
    }
    progress = Progress(step=4, seconds=1.25)
    progress.add_loss(0.1)
    progress.curve += [Measured(0, 0.5, {"accuracy": 0.25}), Measured(4, 1 / 3)]
    save(tmp_path, progress=progress, **now)
    kept = load_state(tmp_path, "one", plain())

    assert kept.progress == progress
    assert kept.now.keys() == kept.best.keys() == now.keys()
    for name, tensor in now.items():
        assert kept.now[name].dtype == tensor.dtype
        assert torch.equal(kept.now[name].nan_to_num(), tensor.nan_to_num())
        assert torch.equal(kept.best[name].nan_to_num(), (tensor + 1).nan_to_num())


def test_nothing_kept_is_none(tmp_path):
    assert load_state(tmp_path, "one", plain()) is None


def test_the_state_of_another_training_is_refused_and_changes_nothing(tmp_path):
    save(tmp_path, optimiser=plain("adamw"))
    optimiser = OPTIMISERS["adamw"](weights())
    with pytest.raises(ModelError, match="training-state-other"):
        load_state(tmp_path, "two", optimiser)

    assert not optimiser.state


def test_damage_is_told_wherever_it_is(tmp_path):
    """A flipped bit of any byte, and a file that ends anywhere."""
    progress = Progress(step=3, curve=[Measured(0, 0.5, {"accuracy": 0.25})])
    save(tmp_path, training="1234", progress=progress)
    whole = (tmp_path / FILE).read_bytes()
    optimiser = plain()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        for content in (bytes(damaged), whole[:place]):
            (tmp_path / FILE).write_bytes(content)
            kept = loaded_or_code(tmp_path, "1234", optimiser)
            if kept != "training-state-damaged":  # white space of the header is nobody's content
                assert kept.progress == progress
                assert kept.now["layer.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
                assert len(content) == len(whole)


def test_a_tensor_or_a_figure_that_was_exchanged_is_damage(tmp_path):
    save(tmp_path)
    path = tmp_path / FILE
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["aegis"])

    def refused(tensors, told):
        save_file(tensors, path, {"aegis": json.dumps(told)})
        with pytest.raises(ModelError, match="training-state-damaged"):
            load_state(tmp_path, "one", plain())

    name = "now.layer.weight"
    refused({**tensors, name: tensors[name] + 1}, told)
    refused({**tensors, name: tensors[name].reshape(3, 2)}, told)
    refused({**tensors, name: tensors[name].view(torch.int32)}, told)
    refused({n: t for n, t in tensors.items() if n != name}, told)
    facts = told["facts"]
    refused(tensors, {**told, "facts": {**facts, "progress": {**facts["progress"], "step": 1}}})
    refused(tensors, {"facts": facts})
    refused(tensors, [])


def test_the_moving_average_begins_at_the_first_loss():
    progress = Progress()
    assert progress.loss is None
    losses = [3.0, 2.0, 4.0]
    for loss in losses:
        progress.add_loss(loss)

    shares = [0.95 ** (len(losses) - 1 - i) for i in range(len(losses))]
    expected = sum(s * x for s, x in zip(shares, losses, strict=True)) / sum(shares)
    assert progress.loss == pytest.approx(expected)
    assert progress.first_loss == 3.0


def test_the_best_measurement_is_the_earliest_of_the_lowest():
    progress = Progress(curve=[Measured(i, loss) for i, loss in enumerate((3.0, 1.0, 2.0, 1.0))])

    assert progress.best is progress.curve[1]
    assert progress.since_best == 2
    assert (Progress().best, Progress().since_best) == (None, 0)
    figures = Measured(1, 2.0, {"accuracy": 0.5}).figures()
    assert figures == {"held_out_loss": 2.0, "held_out_accuracy": 0.5}
