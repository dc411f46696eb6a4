"""Which device computes, and with how many threads."""

from __future__ import annotations

import torch

from aegis.errors import ModelError


def select_device(name: str) -> torch.device:
    """Return the device for ``[runtime].device``.

    Args:
        name: ``auto`` (CUDA, then MPS, then the CPU), ``cpu``, ``cuda`` or ``mps``.

    Raises:
        ModelError: If the device that is asked for is not there.
    """
    there = _available()
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if kind in there))
    if name not in there:
        raise ModelError.of(
            "device-absent",
            f"device {name!r} is not available; here there is {', '.join(there)}",
            where="[runtime].device",
            fix='set device = "auto"',
        )
    return torch.device(name)


def use_threads(count: int) -> int:
    """Let torch compute with `count` threads (0: as many as it finds) and return how many.

    Numbers below 1.2e-38, which a float32 holds with fewer digits, count as 0 from then on where
    the processor can do that. With them a step of a small model that has learned much, whose
    probabilities and gradients are tiny, took one and a half times as long.
    """
    torch.set_flush_denormal(True)
    if count > 0:
        torch.set_num_threads(count)
    return torch.get_num_threads()


def _available() -> list[str]:
    there = ["cpu"]
    if torch.cuda.is_available():
        there.append("cuda")
    if torch.backends.mps.is_available():
        there.append("mps")
    return there
