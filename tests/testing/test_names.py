"""What the kit offers is this; importing it imports neither torch nor pytest."""

from __future__ import annotations

import subprocess
import sys

import aegis.testing


def test_the_public_names_are_these():
    assert aegis.testing.__all__ == [
        "Answering",
        "Check",
        "Finding",
        "HOSTILE_TEXTS",
        "Loopback",
        "ManualClock",
        "PLAIN_TEXTS",
        "Reply",
        "Report",
        "Request",
        "ToyProject",
        "all_checks",
        "check_plugin",
        "conformance",
        "serve_http",
        "tiny_component",
        "toy_candidates",
        "toy_experience",
        "toy_views",
    ]
    assert all(getattr(aegis.testing, name) is not None for name in aegis.testing.__all__)


def test_what_needs_neither_torch_nor_pytest_is_imported_without_them():
    code = (
        "import sys\n"
        "from aegis.testing import ToyProject, Loopback, toy_views, tiny_component, conformance\n"
        "print([name for name in ('torch', 'pytest') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_check_says_its_law_and_asks_for_checks_before_it():
    seen = []
    for one in aegis.testing.all_checks():
        assert one.title.endswith(".")
        assert set(one.needs) <= set(seen), one.name
        seen.append(one.name)
    assert len(set(seen)) == len(seen)
