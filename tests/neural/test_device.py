"""Devices and threads."""

from __future__ import annotations

import pytest
import torch

from aegis.errors import ModelError
from aegis.neural import select_device, use_threads


def test_the_cpu_is_always_there():
    assert select_device("cpu").type == "cpu"
    assert select_device("auto").type in {"cuda", "mps", "cpu"}


def test_a_device_that_is_absent_is_refused_with_what_there_is():
    absent = "cuda" if not torch.cuda.is_available() else "mps"

    with pytest.raises(ModelError, match="here there is cpu"):
        select_device(absent)


def test_zero_threads_leave_the_number_as_it_is():
    before = torch.get_num_threads()
    try:
        assert use_threads(0) == before
        assert use_threads(1) == 1
    finally:
        torch.set_num_threads(before)


def test_numbers_too_small_for_all_their_digits_count_as_0():
    supported = torch.set_flush_denormal(False)
    tiny = torch.full((64,), 1e-30)
    try:
        assert (tiny * 1e-10).all()
        use_threads(0)
        assert supported == (not (tiny * 1e-10).any())
        assert (tiny * 1e-7).all()
    finally:
        torch.set_flush_denormal(False)
