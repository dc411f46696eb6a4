"""The JSON Schema says what the loader says."""

from __future__ import annotations

import jsonschema
import pytest
import tomli

from aegis.config.schema import schema
from aegis.config.settings import Settings
from aegis.errors import ConfigError


@pytest.fixture
def validator(components):
    whole = schema(components)
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole)


def test_the_shipped_file_validates(root, validator):
    data = tomli.loads((root / "aegis.toml").read_text(encoding="utf-8"))
    assert not list(validator.iter_errors(data))


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", True),
        ('profile = "rules"', True),
        ("profile = 1", False),
        ("profil = 'x'", False),
        ("agent.candidates = 0", False),
        ("agent.candidates = 1.5", False),
        ("agent.stale_days = 3", True),
        ("agent.interests = ['a']", True),
        ("agent.interests = 'a'", False),
        ("agent.tools = ['search_arxiv']", True),
        ("agent.exploration.temperature = 0", False),
        ("agent.exploration.temperature = 0.1", True),
        ("approvals.promote = 'ask'", True),
        ("approvals.promote = 'aks'", False),
        ("learning.origins = {import = 0.5, own = 1}", True),
        ("learning.origins = {import = 1.5}", False),
        ("learning.origins = {imprt = 0.5}", False),
        ("learning.holdout = 0", False),
        ("runtime.device = 'cpu'", True),
        ("runtime.device = 'gpu'", False),
        ("engine.gpt2 = {model = 'gpt2', batch = 4, tokenizer = 'bytes', score = 'labels'}", True),
        ("engine.gpt2.batch = 65", False),
        ("engine.gpt2.adapter = {rank = 4, targets = ['c_proj']}", True),
        ("engine.gpt2.adapter.targets = ['c_porj']", False),
        ("engine.gpt2.tokenizer = 'btyes'", False),
        ("engine.gpt2.score = 'sum'", False),
        ("engine.hrm = {}", False),
        ("engine.hrm.weights = 'w'", True),
        ("engine.absent = {}", False),
        ("tool.search_arxiv = {}", True),
        ("tool.search_arxiv.x = 1", False),
        ("profiles.a = {engine = 'gpt2', phases.imitate = 'gpt2-lora'}", True),
        ("profiles.a = {}", False),
        ("profiles.A.engine = 'gpt2'", False),
        ("profiles.rules.engine = 'gpt2'", False),
    ],
)
def test_schema_and_loader_agree(load_config, validator, text, right):
    assert validator.is_valid(tomli.loads(text)) is right
    if right:
        load_config(text)
    else:
        with pytest.raises(ConfigError):
            load_config(text)


def test_every_key_says_what_it_is_for(components):
    def undescribed(table, path):
        for name, inner in table.get("properties", {}).items():
            if "description" not in inner:
                yield (*path, name)
            yield from undescribed(inner, (*path, name))

    assert not list(undescribed(schema(components), ()))


def test_defaults_and_limits_are_shown(components):
    properties = schema(components)["properties"]
    assert properties["agent"]["properties"]["rewards"]["properties"]["failed_search"] == {
        "type": "number",
        "description": "For a search that failed or found nothing.",
        "default": -0.5,
    }
    assert properties["engine"]["properties"]["gpt2"]["properties"]["batch"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 64,
        "description": "Candidates scored at once.",
        "default": 8,
    }
    assert "required" not in schema(())
    assert Settings()
