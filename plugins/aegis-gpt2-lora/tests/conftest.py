"""Models and views that the tests share."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from attrs import evolve, frozen

import aegis
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome
from aegis.contracts.roles import TrainingContext
from aegis.contracts.view import Recent, Seen, View
from aegis_gpt2_lora.building import build_engine
from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.gpt2_model import Gpt2Model
from aegis_gpt2_lora.settings import EngineSettings
from aegis_gpt2_lora.trainer_settings import TrainerSettings

REPOSITORY = Path(__file__).resolve().parents[3]
MINI = Path(__file__).parents[1] / "src" / "aegis_gpt2_lora" / "mini"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data that is no part of the repository."""
    folder = Path(os.environ.get("AEGIS_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}: set AEGIS_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(autouse=True)
def _own_homes(tmp_path, monkeypatch):
    """Keep the models and caches of the person who runs the tests out of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for name in ("AEGIS_MODELS", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def engine_of():
    """Return the function that builds an engine from a model, as the host does."""

    def build(model="builtin:mini", *, seed=0, checkpoint=None, parts=None, **settings):
        runtime = aegis.Runtime(
            Path(), Path(), device="cpu", threads=1, seed=seed, checkpoint=checkpoint
        )
        return build_engine(EngineSettings(model=str(model), **settings), parts or {}, runtime)

    return build


@pytest.fixture(scope="session")
def mini(engine_of):
    return engine_of()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A GPT-2 of 51,000 random weights with the mini's tokenizer."""
    folder = tmp_path_factory.mktemp("tiny")
    shape = Shape(vocab_size=4096, n_positions=256, n_embd=12, n_layer=2, n_head=2)
    module = Gpt2(shape).initialise(torch.Generator().manual_seed(7))
    with torch.no_grad():  # large enough for every part of the arithmetic to show
        for weight in module.parameters():
            weight.mul_(5).add_(0.1)
    Gpt2Model(module).save(folder)
    shutil.copy(MINI / "tokenizer.json", folder)
    return folder


@pytest.fixture(scope="session")
def view():
    return View(
        goal="Understand quantized low-rank adaptation",
        step=4,
        limit=40,
        missing=("rank", "adapter"),
        facts=("Adapters are small trainable matrices.",),
        knowledge=(Seen("17", "Low-rank adaptation"),),
        found=(Seen("30", "Prefix tuning"), Seen("31", "Quantization")),
        gaps=("singular value decomposition",),
        recent=(Recent("search low-rank adaptation", "ok", 3),),
    )


@pytest.fixture(scope="session")
def candidates():
    return (
        aegis.Action("search_library", {"query": "rank adapter"}, signals={"terms": 2}),
        aegis.Action("read", {"ref": "30"}, about="Prefix tuning", signals={"rank": 1, "match": 3}),
        aegis.Action("read", {"ref": "31"}, about="Quantization", signals={"rank": 2, "match": 1}),
        aegis.Action("write_note", slot="text"),
        aegis.Action("finish"),
    )


# Training


@frozen
class Rows:
    """Steps as a trainer gets them."""

    steps: tuple[Experience, ...] = ()
    advantages: tuple[float, ...] = ()

    @property
    def returns(self):
        return tuple(float(step.reward) for step in self.steps)

    def __len__(self):
        return len(self.steps)

    def __getitem__(self, index):
        return self.steps[index]

    def __iter__(self):
        return iter(self.steps)


@pytest.fixture(scope="session")
def rows():
    """Return the function that makes a data set of steps."""

    def make(steps=(), advantages=None):
        steps = tuple(steps)
        return Rows(steps, tuple(advantages or [0.0] * len(steps)))

    return make


@pytest.fixture(scope="session")
def step():
    """Return the function that records one decision."""

    def make(view, candidates, chosen, *, origin="teacher", text=None, action=None, number=1):
        even = (-1.0,) * len(candidates)
        taken = action if chosen is None else candidates[chosen]
        decision = Decision(tuple(candidates), chosen, even, even, taken, text=text)
        return Experience(
            step=number, run="run", episode=number, index=1, environment="research", origin=origin,
            seed=0, generator="1", key=f"k{number}", started="", view=view, decision=decision,
            outcome=Outcome("ok", "", 0), reward=1.0, done=True,
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def ten(rows, step, candidates):
    """Ten decisions that nothing but the goal's one word explains."""
    goals = "ablation calibration dropout entropy fine-tuning hallucination k-means momentum planning rmsnorm"
    return rows(
        step(
            View(goal=goal, limit=40),
            candidates,
            (3 * i) % 5,
            number=i,
            text="rank of it" if (3 * i) % 5 == 3 else None,
        )
        for i, goal in enumerate(goals.split())
    )


@pytest.fixture
def train(tmp_path, rows):
    """Return the function that trains an engine and returns its result."""

    def run(engine, data, *, name="first", validation=None, deadline=None, should_stop=lambda: False,
            report=lambda _: None, resume_from=None, seed=0, **settings):  # fmt: skip
        from aegis_gpt2_lora.trainer import LoraTrainer

        folders = [tmp_path / name / kind for kind in ("result", "state")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        context = TrainingContext(
            seed=seed, directory=folders[0], state=folders[1], resume_from=resume_from,
            deadline=deadline or time.monotonic() + 600, should_stop=should_stop, report=report,
            validation=validation or rows(),
        )  # fmt: skip
        chosen = evolve(TrainerSettings(), dropout=0.0, batch_size=5, warmup=0.0)
        return LoraTrainer(evolve(chosen, **settings)).train(engine, data, context)

    return run


@pytest.fixture(scope="session")
def hugging_face(tmp_path_factory):
    """Return the function that makes a folder with a small random model of an architecture."""

    def make(kind, **config):
        import transformers

        folder = tmp_path_factory.mktemp(kind)
        torch.manual_seed(3)
        sizes = {"vocab_size": 4096, "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2,
                 "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256}  # fmt: skip
        settings = getattr(transformers, f"{kind}Config")(**{**sizes, **config})
        module = getattr(transformers, f"{kind}ForCausalLM")(settings)
        with torch.no_grad():
            for weight in module.parameters():
                if weight.dim() == 2:
                    weight.mul_(8)
        module.save_pretrained(folder)
        shutil.copy(MINI / "tokenizer.json", folder)
        return folder

    return make


@pytest.fixture(scope="session")
def llama_folder(hugging_face):
    """A model built like SmolLM2."""
    return hugging_face("Llama", tie_word_embeddings=True)


@pytest.fixture(scope="session")
def qwen_folder(hugging_face):
    return hugging_face("Qwen3", head_dim=6)
