"""What the tests of this plugin share."""

import contextlib
import io
import json
import re
import shutil
import time
from pathlib import Path

import pytest
from attrs import evolve, frozen

import aegis
from aegis.cli.main import main
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome
from aegis.contracts.roles import TrainingContext
from aegis.contracts.view import Recent, Seen, View
from aegis_hrm.settings import EngineSettings
from aegis_hrm.tokenizer import open_tokenizer
from aegis_hrm.tokenizer_settings import SHIPPED
from aegis_hrm.trainer_settings import TrainerSettings

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
SMALL = {
    "hidden": 16,
    "heads": 2,
    "layers": 1,
    "h_cycles": 1,
    "l_cycles": 1,
    "expansion": 4.0,
    "hierarchy": "hrm",
    "gradient": "last_cycle",
    "positions": "rope",
    "q_continue": False,
    "segments": 3,
}
"""Every setting that a preset decides, so that these may change."""


def _folder(name):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    return folder


@pytest.fixture
def reference():
    """Folder of tensors recorded from the official implementations."""
    return _folder("hrm-reference")


@pytest.fixture
def puzzles():
    """Folder of 9x9 sudokus and of Maze-Hard."""
    return _folder("puzzles")


@pytest.fixture
def real_vocabulary():
    """The tokenizer.json of GPT-2."""
    return _folder("gpt2-tokenizer") / "tokenizer.json"


@pytest.fixture(scope="session")
def tokenizer():
    return open_tokenizer(SHIPPED)


@pytest.fixture(scope="session")
def small():
    """Settings of the smallest engine that does everything, as a dictionary."""
    return dict(SMALL)


@pytest.fixture(scope="session")
def engine_of(tokenizer):
    """Return the function that builds a small engine, as the host does."""
    from aegis_hrm.building import build_engine

    def build(*, seed=0, checkpoint=None, parts=None, **settings):
        runtime = aegis.Runtime(
            Path(), Path(), device="cpu", threads=1, seed=seed, checkpoint=checkpoint
        )
        chosen = EngineSettings(**{**SMALL, **settings})
        return build_engine(chosen, parts or {"tokenizer": tokenizer}, runtime)

    return build


@pytest.fixture(scope="session")
def view():
    return View(
        goal="Understand quantized low-rank adaptation",
        step=4,
        limit=40,
        missing=("rank", "adaptation"),
        facts=("Adapters are small trainable matrices.",),
        knowledge=(Seen("17", "Low-rank adaptation"),),
        found=(Seen("30", "Prefix tuning"), Seen("31", "Quantization")),
        gaps=("singular value decomposition",),
        recent=(Recent("search low-rank adaptation", "ok", 3),),
    )


@pytest.fixture(scope="session")
def candidates():
    return (
        aegis.Action("search", {"query": "rank adapter"}, signals={"goal": 2}),
        aegis.Action("read", {"ref": "30"}, about="Prefix tuning", signals={"rank": 1, "text": 3}),
        aegis.Action("read", {"ref": "31"}, about="Quantization", signals={"rank": 2, "text": 1}),
        aegis.Action("write_note", slot="text"),
        aegis.Action("finish"),
    )


@pytest.fixture(scope="session")
def practised():
    """Choices of practice over the sample library: one episode at random, one by rules."""
    from aegis import commands
    from aegis_hrm.tokenizer_texts import practice

    return tuple(practice(commands.sample_library(), range(2)))


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

    def make(view, candidates, chosen, *, origin="teacher", scores=None, engine="rules", number=1):
        said = tuple((-1.0,) * len(candidates) if scores is None else map(float, scores))
        taken = None if chosen is None else candidates[chosen]
        decision = Decision(tuple(candidates), chosen, said, said, taken, engine=engine)
        return Experience(
            step=number, run="run", episode=number, index=1, environment="research", origin=origin,
            seed=0, generator="1", key=f"k{number}", started="", view=view, decision=decision,
            outcome=Outcome("ok", "", 0), reward=1.0, done=True,
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def twelve(rows, step, candidates):
    """Twelve decisions that nothing but the goal's one word explains."""
    goals = (
        "ablation calibration dropout entropy fine-tuning hallucination "
        "k-means momentum planning rmsnorm sparsity tokens"
    )
    return rows(
        step(View(goal=goal, limit=40), candidates, (3 * i) % 5, number=i)
        for i, goal in enumerate(goals.split(), start=1)
    )


@pytest.fixture
def context(tmp_path, rows):
    """Return the function that makes what a trainer is told."""

    def make(*, name="first", validation=None, deadline=None, should_stop=lambda: False,
             report=lambda _: None, resume_from=None, seed=0):  # fmt: skip
        folders = [tmp_path / name / kind for kind in ("result", "state")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        return TrainingContext(
            seed=seed, directory=folders[0], state=folders[1], resume_from=resume_from,
            deadline=deadline or time.monotonic() + 600, should_stop=should_stop, report=report,
            validation=validation or rows(),
        )  # fmt: skip

    return make


@pytest.fixture
def train(context):
    """Return the function that trains an engine and returns its result."""
    from aegis_hrm.trainer import HrmTrainer

    told = ("name", "validation", "deadline", "should_stop", "report", "resume_from", "seed")

    def run(engine, data, **settings):
        said = context(**{key: settings.pop(key) for key in told if key in settings})
        chosen = evolve(TrainerSettings(), segments=2, batch_size=6, warmup=0.0, learning_rate=5e-3)
        return HrmTrainer(evolve(chosen, **settings)).train(engine, data, said)

    return run


# The command line


class Said:
    """What a command said: exit code, standard output, standard error."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        """The object on the last line of standard output."""
        return json.loads(self.out.splitlines()[-1])


def _said(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            return Said(ended.code, out.getvalue(), err.getvalue())
    raise AssertionError("a command ends by exiting")


@pytest.fixture(scope="session")
def call():
    """Return the function that runs a command in this process and returns what it said."""
    return _said


PROFILES = """\
[plugins]
enabled = []

[profiles.hrm]
engine = "hrm"
environment = "research-gym"
phases.imitate = "hrm-imitation"

[profiles.teach]
engine = "rules"
environment = "research-gym"

[trainer.hrm-imitation]
segments = 1

[environment.research-gym]
steps = 8

[engine.hrm]
""" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in SMALL.items())


@pytest.fixture(scope="session")
def _trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hrm") / "project"
    assert _said("init", folder).code == 0
    file = folder / "aegis.toml"
    text = file.read_text("utf-8")
    start, end = text.index("[plugins]"), text.index("[learning]")
    text = text[:start] + PROFILES + "\n" + text[end:]
    for key, value in (
        ("profile", '"hrm"'),
        ("device", '"cpu"'),
        ("threads", "1"),
        ("offline", "true"),
    ):
        text, count = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", text)
        assert count == 1, key
    file.write_text(text, "utf-8")
    answers = [
        _said("-C", folder, *words.split(), "--json")
        for words in (
            "plugins enable hrm",
            "run --profile teach --steps 40",
            "train --profile hrm --epochs 1 --episodes 2",
        )
    ]
    return folder, answers


@pytest.fixture
def trained(_trained, tmp_path):
    """A project whose profile hrm was trained once on what the rules did, and nothing promoted."""
    return Path(shutil.copytree(_trained[0], tmp_path / "project"))


@pytest.fixture
def answers(_trained):
    """What the commands said that made the project: enable, run, train."""
    return _trained[1]
