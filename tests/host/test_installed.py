from __future__ import annotations

from importlib import metadata

import pytest

from aegis.host.installed import requirements


@pytest.fixture
def distributions(monkeypatch):
    """Distributions by name: what each says that it requires."""
    known = {
        "aegis-agents": ["attrs>=24.2", "numpy>=2.1", 'tomli; python_version < "3.11"'],
        "aegis-babyai": [
            "aegis-agents<0.2,>=0.1", "numpy>=2.1", "minigrid<4,>=3.1", "Gymnasium>=1.0",
            'ale_py>=0.10; extra == "atari"', "absent_one",
        ],
        "minigrid": [],
        "gymnasium": [],
    }  # fmt: skip

    def requires(name):
        if name not in known:
            raise metadata.PackageNotFoundError(name)
        return known[name] or None

    def version(name):
        requires(name)
        return f"{len(name)}.0"

    monkeypatch.setattr(metadata, "requires", requires)
    monkeypatch.setattr(metadata, "version", version)
    return known


def test_what_a_plugin_needs_beside_aegis_has_its_installed_version(distributions):
    assert requirements("aegis-babyai") == [("gymnasium", "9.0"), ("minigrid", "8.0")]


def test_a_distribution_that_needs_nothing_or_is_a_file_needs_nothing(distributions):
    assert requirements("minigrid") == requirements("local file") == []
    assert requirements("aegis-agents") == []
