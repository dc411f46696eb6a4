"""Components as plugins would bring them, and projects with a given aegis.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from attrs import frozen

from aegis.config.config import load
from aegis.config.source import read
from aegis.contracts.component import Component, Part, setting

if TYPE_CHECKING:
    from pathlib import Path


@frozen(kw_only=True)
class AdapterConfig:
    rank: int = setting(8, ge=1, le=64, help="Rank of the adapter.")
    targets: tuple[str, ...] = setting(
        ("c_attn",), choices=("c_attn", "c_proj"), help="Modules adapted."
    )


@frozen(kw_only=True)
class Gpt2Config:
    model: str = setting("builtin:mini", path="if-pathlike", help="Name or folder of the model.")
    batch: int = setting(8, ge=1, le=64, help="Candidates scored at once.")
    score: Literal["mean", "labels"] = setting("mean", help="How a candidate is scored.")
    temperature: float = setting(1.0, gt=0, help="Divides the scores.")
    adapter: AdapterConfig = setting(factory=AdapterConfig, help="The adapter.")


@frozen(kw_only=True)
class HrmConfig:
    weights: Path = setting(path="always", help="Folder of the weights.")


def _build(*_):
    return object()


def _component(kind, name, **more):
    return Component(kind=kind, name=name, summary=f"The {kind} {name}.", build=_build, **more)


@pytest.fixture(scope="session")
def components():
    return (
        _component("engine", "rules"),
        _component("engine", "random"),
        _component("engine", "gpt2", config=Gpt2Config, parts={"tokenizer": Part("tokenizer")}),
        _component(
            "engine", "hrm", config=HrmConfig, parts={"tokenizer": Part("tokenizer", "hrm-bpe")}
        ),
        _component(
            "engine",
            "meta-planning",
            parts={"planner": Part("engine", "hrm"), "writer": Part("engine", "gpt2")},
        ),
        _component("tokenizer", "hrm-bpe"),
        _component("tokenizer", "bytes"),
        _component("trainer", "gpt2-lora"),
        _component("trainer", "hrm-imitation"),
        _component("tool", "search_library"),
        _component("tool", "search_arxiv"),
        _component("environment", "research-gym"),
    )


@pytest.fixture
def write_config(tmp_path):
    def write(text):
        path = tmp_path / "aegis.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def load_config(write_config, components):
    """Load a text as a project's aegis.toml, with no environment but the one given."""

    def load_text(text, sets=(), environ=None, **more):
        source = read(write_config(text), sets, environ or {})
        return load(source, components, **more)

    return load_text
