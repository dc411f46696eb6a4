from __future__ import annotations

import json
import subprocess
import sys
import time

import psutil
import pytest

from aegis.cli.main import main


class Said:
    """What a command said: exit code, standard output, standard error."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        """The object on the last line of standard output."""
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture
def aegis(capsys):
    """Run a command in this process and return what it said."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Said(ended.value.code, out, err)

    return run


@pytest.fixture
def project(aegis, tmp_path):
    """A new project that decides by rules and stays off the network."""
    folder = tmp_path / "project"
    assert aegis("init", folder).code == 0
    file = folder / "aegis.toml"
    text = file.read_text()
    text = text.replace('profile = "gpt2-lora"', 'profile = "rules"')
    text = text.replace("offline = false", "offline = true")
    assert "offline = true" in text
    file.write_text(text)
    return folder


@pytest.fixture
def trained(aegis, corridor):
    """The corridor, and a checkpoint that learned to go right from 40 recorded episodes."""
    words = ("data", "collect", "--task", "corridor", "--teacher", "moody", "--episodes", 40)
    sets = ("--set", "engine.moody.lean=1.5", "--jobs", 1)
    assert aegis("-C", corridor, "-q", *words, *sets).code == 0
    words = ("train", "--task", "corridor", "--no-judge", "--set", "trainer.tally.rate=0.5")
    assert aegis("-C", corridor, "-q", *words).code == 0
    return corridor


@pytest.fixture
def begin():
    """Starts a command in a process of its own; it is ended with the test."""
    begun = []

    def run(*arguments):
        program = "import sys; from aegis.cli.main import main; main(sys.argv[1:])"
        words = [sys.executable, "-c", program, *map(str, arguments)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begun.append(process)
        return process

    yield run
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def kept():
    """Counts the episodes that are kept below a folder, and waits for some."""

    def count(folder, least=0):
        end = time.monotonic() + 30
        while True:
            lines = sum(
                file.read_bytes().count(b'{"seed"') for file in folder.rglob("episodes.txt")
            )
            if lines >= least:
                return lines
            assert time.monotonic() < end, f"{lines} of {least} episodes"
            time.sleep(0.02)

    return count


@pytest.fixture
def all_end():
    """Waits until processes have ended, however they do."""

    def wait(processes, seconds=10):
        assert not psutil.wait_procs(processes, timeout=seconds)[1], "orphans"

    return wait
