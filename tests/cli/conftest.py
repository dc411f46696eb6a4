from __future__ import annotations

import json

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
