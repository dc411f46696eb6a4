"""How long a person waits: `aegis --help`, `aegis check`, and the first decision of `aegis run`.

    python benchmarks/startup.py [--rounds 7] [--json]

Each figure is the least wall time over the rounds of the whole process, beside a bare Python, click
alone, and (for the first decision) `import torch, transformers` alone, interleaved in one run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON: Final = sys.executable
AEGIS: Final = str(Path(sys.executable).with_name("aegis"))
TARGETS: Final = {"aegis --help": 0.2, "aegis check": 0.35, "first decision": 6.0}


def seconds(command: list[str]) -> float:
    """Return the wall time of a command that must succeed."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def first_decision(project: str) -> float:
    """Return the seconds until the first step's line is printed."""
    command = [
        AEGIS,
        "-C",
        project,
        "--set",
        "runtime.offline=true",
        "run",
        "--steps",
        "1",
        "--fresh",
    ]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip().startswith("1 "):
                break
        elapsed = time.perf_counter() - began
        process.stdout.read()
    return elapsed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = f"{folder}/project"
        seconds([AEGIS, "init", project])
        rows: dict[str, Callable[[], float]] = {
            "python -c pass": lambda: seconds([PYTHON, "-c", "pass"]),
            "import click": lambda: seconds([PYTHON, "-c", "import click"]),
            "aegis --help": lambda: seconds([AEGIS, "--help"]),
            "aegis check": lambda: seconds([AEGIS, "-C", project, "check"]),
            "import torch, transformers": lambda: seconds(
                [PYTHON, "-c", "import torch, transformers"]
            ),
            "first decision": lambda: first_decision(project),
        }
        times: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(options.rounds):
            for name, measure in rows.items():
                times[name].append(measure())
    best = {name: min(values) for name, values in times.items()}
    if options.json:
        print(json.dumps(best))
        return
    for name, value in best.items():
        target = TARGETS.get(name)
        verdict = (
            ""
            if target is None
            else f"  target {target:.2f}: {'met' if value <= target else 'MISSED'}"
        )
        print(f"{name:28} {value:6.3f} s{verdict}")


if __name__ == "__main__":
    main()
