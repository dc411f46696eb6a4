"""Tokenizers of which each breaks one law; ``sound`` breaks none."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import aegis

plugin_api = 1


class Sound:
    """Bytes, shifted by a number that is saved, and one special token."""

    broken = ""

    def __init__(self, shift: int = 3) -> None:
        self.shift = shift
        self.capabilities = aegis.TokenizerCapabilities(
            max_token_id=256, fingerprint="shifted", vocab_size=257, special_tokens={"<s>": 256}
        )

    def encode(self, text: str) -> list[Any]:
        ids: list[Any] = [(b + self.shift) % 256 for b in text.encode("utf-8", "replace")]
        if self.broken == "tokenizer-ids":
            ids = [n + 300 if n == ord("z") + self.shift else n for n in ids]
        if self.broken == "tokenizer-repeats" and ids:
            ids.append(random.randrange(256))
        if self.broken == "tokenizer-inert" and "<s>" in text:
            ids.append(256)
        if self.broken == "tokenizer-hostile" and "\x00" in text:
            raise KeyError("\x00")
        return ids

    def decode(self, ids: Any) -> str:
        if self.broken == "tokenizer-ids":
            ids = [n - 300 if n > 256 else n for n in ids]
        text = bytes((n - self.shift) % 256 for n in ids if n < 256).decode("utf-8", "replace")
        return text.lower() if self.broken == "tokenizer-round-trip" else text

    def save(self, directory: Any) -> None:
        shift = self.shift + (self.broken == "tokenizer-saved")
        (directory / "shift.json").write_text(json.dumps(shift))


def _component(name: str) -> aegis.Component:
    made = type("Made", (Sound,), {"broken": name})
    rows = 300 if name == "tokenizer-described" else 257

    def build(config: Any, parts: Any, runtime: aegis.Runtime) -> Any:
        if runtime.checkpoint is None:
            return made()
        return made(json.loads((runtime.checkpoint / "shift.json").read_text()))

    return aegis.Component(
        kind="tokenizer",
        name=name,
        summary="Bytes.",
        build=build,
        describe=lambda _: aegis.TokenizerCapabilities(
            max_token_id=256, fingerprint="shifted", vocab_size=rows, special_tokens={"<s>": 256}
        ),
    )


@aegis.hookimpl
def aegis_tokenizers() -> Any:
    return [_component(name) for name in os.environ["AEGIS_BROKEN"].split()]
