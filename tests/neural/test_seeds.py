"""Every use of randomness has a seed of its own."""

from __future__ import annotations

import hashlib

import torch

from aegis.neural import derived_seed


def test_a_seed_is_half_of_the_first_eight_bytes_of_a_sha256():
    first = hashlib.sha256(b"7:dropout:12").hexdigest()[:16]

    assert derived_seed(7, "dropout", 12) == int(first, 16) // 2
    assert derived_seed(7, "dropout") == derived_seed(7, "dropout", 0)


def test_seeds_differ_and_every_one_of_them_is_a_generator_s():
    uses = [(s, p, n) for s in (0, 1, 11) for p in ("batches", "dropout") for n in range(100)]
    found = {derived_seed(*use) for use in uses}

    assert len(found) == len(uses)
    assert all(0 <= seed < 2**63 for seed in found)
    torch.Generator().manual_seed(max(found))
