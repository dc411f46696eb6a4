from __future__ import annotations

import json
import subprocess
import sys
import time

import psutil
import pytest

from aegis.host.child import answer

CHATTY = """
import os, sys
from aegis.host.child import answer, private_pipes
said, answers = private_pipes()
print("to people")
os.write(1, b"and this\\n")
answer(answers, {"heard": said.readline().decode()})
"""

STUBBORN = """
import os, subprocess, sys, threading, time
from aegis.host.child import answer, private_pipes, watch
said, answers = private_pipes()
other = subprocess.Popen(["sleep", "60"])
threading.Thread(target=watch, args=(said.fileno(), 0.2), daemon=True).start()
answer(answers, {"other": other.pid})
time.sleep(60)
"""


def started(program):
    return subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def test_what_is_printed_goes_to_people_and_answers_to_the_parent():
    out, err = started(CHATTY).communicate(b"hello\n", timeout=30)
    assert json.loads(out) == {"heard": "hello\n"}
    assert err == b"to people\nand this\n"


def test_a_child_ends_with_what_it_started_once_its_parent_is_gone():
    child = started(STUBBORN)
    other = psutil.Process(json.loads(child.stdout.readline())["other"])
    began = time.monotonic()
    child.stdin.close()
    child.wait(timeout=10)
    assert time.monotonic() - began < 5
    assert not other.is_running() or other.status() == "zombie"
    child.stdout.close()
    child.stderr.close()


def test_an_answer_is_one_line_and_no_nan(tmp_path):
    with (tmp_path / "out").open("wb") as file:
        answer(file.fileno(), {"text": "a\nb é"})
        with pytest.raises(ValueError, match="JSON"):
            answer(file.fileno(), {"loss": float("nan")})
    assert (tmp_path / "out").read_bytes() == '{"text":"a\\nb é"}\n'.encode()
