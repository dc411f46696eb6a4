"""The founding failure: 1,000 embedding rows and ids to 50256, refused before torch is imported."""

import json
import shutil
import subprocess
import sys

import pytest

import aegis
from aegis.config.config import load
from aegis.config.source import read
from aegis.contracts.check import check
from aegis.host.building import build_engine
from aegis.host.composition import compose
from aegis.host.manager import Host

MESSAGE = """\
error[tokenizer-too-large]: tokenizer "gpt2" emits ids up to 50256, engine "hrm" has 1000 embedding rows
  where: profile "hrm": engine = "hrm", tokenizer = "gpt2"   (aegis.toml:24)
  fix:   use tokenizer "hrm-bpe" (1000 ids), or set [engine.hrm].embedding_rows = 50257 and train from scratch"""

GPT2 = """
import hashlib, json
from pathlib import Path
import aegis

FILE = Path({file!r})

def describe(config):
    data = FILE.read_bytes()
    read = json.loads(data)
    whole = FILE.name == "tokenizer.json"
    vocabulary = read["model"]["vocab"] if whole else read
    added = [token["id"] for token in read["added_tokens"]] if whole else []
    largest = max(*vocabulary.values(), *added, 0)
    return aegis.TokenizerCapabilities(largest, fingerprint=hashlib.sha256(data).hexdigest(),
                                       vocab_size=len(vocabulary))

@aegis.hookimpl
def aegis_tokenizers():
    return [aegis.Component(kind="tokenizer", name="gpt2", summary="The real vocabulary.",
                            describe=describe, build=lambda config, parts, runtime: None)]
"""

HEAVY = (
    "torch",
    "transformers",
    "tokenizers",
    "sqlalchemy",
    "numpy",
    "rich",
    "tomlkit",
    "packaging",
)


@pytest.fixture
def example(root):
    return root / "examples" / "founding-failure"


@pytest.fixture(params=["tokenizer.json", "vocab.json"])
def founding(request, shared, example, tmp_path):
    """The example, its tokenizer "gpt2" read from the real vocabulary."""
    folder = tmp_path / "founding"
    shutil.copytree(example, folder)
    vocabulary = shared / "gpt2-tokenizer" / request.param
    (folder / "gpt2.py").write_text(GPT2.format(file=str(vocabulary)), "utf-8")
    file = folder / "aegis.toml"
    file.write_text(file.read_text("utf-8").replace('"gpt2-lora"', '"./gpt2.py"'), "utf-8")
    return file


def composed(file, *sets):
    source = read(file, sets, environ={})
    host = Host.load(source.enabled, source.project)
    return compose(host, load(source, [one.component for one in host.components()]))


def test_the_real_vocabulary_has_the_ids_that_the_message_says(shared):
    vocabulary = json.loads((shared / "gpt2-tokenizer" / "vocab.json").read_text("utf-8"))
    assert max(vocabulary.values()) == 50256
    assert len(vocabulary) == 50257


def test_the_composition_is_refused_with_the_message(founding):
    report = check(composed(founding))
    assert [problem.render() for problem in report.problems] == [MESSAGE]


@pytest.mark.parametrize(
    "change", ["profiles.hrm.tokenizer=hrm-bpe", "engine.hrm.embedding_rows=50257"]
)
def test_either_half_of_the_fix_makes_it_sound(founding, change):
    report = check(composed(founding, change))
    assert report.ok
    assert report.unverified == ()


def test_one_row_less_is_still_refused(founding):
    (problem,) = check(composed(founding, "engine.hrm.embedding_rows=50256")).problems
    assert problem.code == "tokenizer-too-large"


def test_the_check_imports_nothing_heavy(founding, root):
    program = f"""
import sys
from pathlib import Path
from aegis.config.config import load
from aegis.config.source import read
from aegis.contracts.check import check
from aegis.host.composition import compose
from aegis.host.manager import Host
source = read(Path({str(founding)!r}), environ={{}})
host = Host.load(source.enabled, source.project)
report = check(compose(host, load(source, [one.component for one in host.components()])))
print(report.problems[0].render())
print(*sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"{MESSAGE}\n\n"


def test_the_example_as_it_stands_is_refused_with_the_message(example):
    pytest.importorskip("aegis_gpt2_lora", reason="the plugin gpt2-lora is not installed")
    report = check(composed(example / "aegis.toml"))
    assert [problem.render() for problem in report.problems] == [MESSAGE]


def test_the_command_refuses_the_example_with_the_message(example):
    pytest.importorskip("aegis_gpt2_lora", reason="the plugin gpt2-lora is not installed")
    program = "import sys; from aegis.cli.main import main; sys.exit(main())"
    ran = subprocess.run(
        [sys.executable, "-c", program, "-C", str(example), "check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"{MESSAGE}\n")


def test_the_examples_own_tokenizer_has_a_thousand_ids_and_serves_its_engine(example, tmp_path):
    composition = composed(example / "aegis.toml", "profiles.hrm.tokenizer=hrm-bpe",
                           'plugins.enabled=["./old_hrm.py"]')  # fmt: skip
    engine = build_engine(composition, aegis.Runtime(project=tmp_path, data=tmp_path))
    text = "goal: Understand hierarchical reasoning — naïve, ½"
    ids = engine.tokenizer.encode(text)
    assert engine.tokenizer.decode(ids) == text
    assert len(ids) < len(text) / 1.5
    assert max(ids) <= engine.tokenizer.capabilities.max_token_id == 999
    candidates = [aegis.Action("read", {"ref": str(number)}) for number in range(4)]
    scores = engine.score(aegis.View(goal=text), candidates)
    assert scores.shape == (4,)
    assert sum(2.718281828459045**score for score in scores) == pytest.approx(1)


def test_without_the_check_the_first_large_id_ends_it(example, tmp_path):
    """What happened then: an id is an index, and the table has 1,000 rows."""
    composition = composed(example / "aegis.toml", "profiles.hrm.tokenizer=hrm-bpe",
                           'plugins.enabled=["./old_hrm.py"]')  # fmt: skip
    engine = build_engine(composition, aegis.Runtime(project=tmp_path, data=tmp_path))
    with pytest.raises(IndexError, match="50256"):
        engine.table[[15496, 995, 50256][-1:]]
