"""A server of the OpenAI API on 127.0.0.1 for tests: both endpoints, and what can go wrong.

A prompt's tokens are its words; a word has log-probability -len(word). A choice is the option with
the shortest line.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """What it is asked, and how it answers.

    Attributes:
        fault: What goes wrong: a status, ``hang``, ``garbage``, ``no-echo``, ``no-logprobs``,
            ``no-top``, ``no-format``, or empty.
        asked: Path, headers and body of each request.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault, self.asked, self.ended = "", [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        fault, chat = self.server.fault, self.path == "/v1/chat/completions"
        if fault == "hang":
            self.server.ended.wait(10)
        elif fault.isdigit():
            said = {"error": {"message": f"no: {self.headers.get('Authorization')}"}}
            self.say(int(fault), said, {"Retry-After": "7"} if fault == "429" else {})
        elif fault == "garbage":
            self.say(200, "<html>")
        elif not chat and fault == "no-echo":
            self.say(400, {"error": {"message": "echo is not supported"}})
        elif chat and fault == "no-format" and "response_format" in body:
            self.say(400, {"error": {"message": "no response_format"}})
        else:
            self.say(200, self.choice(body) if chat else self.completions(body))

    def completions(self, body):
        choices = []
        for index, prompt in enumerate(body["prompt"]):
            words = [*re.finditer(r"\s*\S+", prompt), re.match("", "")]
            values = [None, *(-float(len(word[0])) for word in words[1:-1]), -99.0]
            offsets = [*(word.start() for word in words[:-1]), len(prompt)]
            told = {"text_offset": offsets, "token_logprobs": values, "tokens": []}
            if self.server.fault == "no-logprobs":
                told = None
            choices.insert(0, {"index": index, "text": prompt, "logprobs": told})
        return {"choices": choices}

    def choice(self, body):
        lines = dict(re.findall(r"^(\w+)\. (.*)$", body["messages"][-1]["content"], re.MULTILINE))
        best, *others = sorted(lines, key=lambda label: len(lines[label]))
        content = json.dumps({"choice": best})
        odds = [
            {"token": best, "logprob": -0.5},
            *({"token": f' {o}"', "logprob": -2.0} for o in others[:1]),
        ]
        tokens = [{"token": '{"choice": "', "logprob": 0.0, "top_logprobs": []}]
        tokens.append({"token": f"{best}", "logprob": -0.5, "top_logprobs": odds})
        told = None if self.server.fault == "no-top" else {"content": tokens}
        if self.server.fault == "no-choice":
            content = "I would rather not."
        return {"choices": [{"message": {"content": content}, "logprobs": told}]}

    def say(self, status, value, headers=()):
        data = value if isinstance(value, str) else json.dumps(value)
        self.send_response(status)
        for name, text in {"Content-Length": str(len(data)), **dict(headers)}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data.encode())

    def log_message(self, *_):
        """Say nothing: a test reads ``asked``."""


@contextmanager
def running():
    """Run a server."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
