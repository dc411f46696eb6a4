"""The tool ``write_note``: keeps what was learned as a Markdown file."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any, Final

from aegis.builtin._library.notes import front_matter
from aegis.contracts.action import Action
from aegis.contracts.outcome import Document, ToolResult
from aegis.contracts.roles import ToolSpec
from aegis.contracts.text import one_line
from aegis.knowledge.text import references, sentences, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from aegis.contracts.roles import ToolContext
    from aegis.contracts.view import View

NAME: Final = "write_note"
SOURCE: Final = "note"

_TEXT: Final = 4000
_NUMBERED: Final = re.compile(r"(\d{4,9})-.*\.md")


class WriteNote:
    """Writes notes.

    Args:
        folder: Where notes are kept; made when the first one is written.
    """

    spec = ToolSpec(
        name=NAME,
        description="Write a note of what was learned.",
        arguments={
            "type": "object",
            "properties": {"text": {"type": "string", "minLength": 1, "maxLength": _TEXT}},
            "required": ["text"],
            "additionalProperties": False,
        },
        effects="local",
        timeout=10.0,
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def candidates(self, view: View) -> Iterator[Action]:
        """Yield a digest of the facts, and an open note for engines that write.

        There is nothing to note, and no candidate, before something was read.
        """
        if not view.facts:
            return
        text = one_line(": ".join([view.goal, " ".join(view.facts)]), _TEXT)
        about = one_line(f"what was read about: {view.goal}", 120)
        yield Action(NAME, {"text": text}, about=about, signals={"facts": len(view.facts)})
        yield Action(NAME, slot="text")

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Write the note and return it as a document; the same key gives the same file."""
        text = str(arguments["text"]).strip()
        if not text:
            return ToolResult("empty", "a note without text is not written")
        digest = hashlib.sha256(context.key.encode("utf-8", "replace")).hexdigest()[:12]
        self._folder.mkdir(parents=True, exist_ok=True)
        file = next(self._folder.glob(f"*-{digest}.md"), None)
        if file is None:
            file = self._folder / self._name(text, digest)
            _write(file, _markdown(text))
        return ToolResult("ok", f"noted in {file.name}", documents=(_document(file),))

    def _name(self, text: str, digest: str) -> str:
        matches = (_NUMBERED.fullmatch(entry.name) for entry in self._folder.iterdir())
        number = max((int(match[1]) for match in matches if match), default=0) + 1
        slug = "-".join(re.sub(r"[^a-z0-9]", "", word) for word in words(_title(text))[:6])
        slug = re.sub("-+", "-", slug).strip("-")[:40].strip("-") or "note"
        return f"{number:04}-{slug}-{digest}.md"


def _title(text: str) -> str:
    """Return the first clause of a note."""
    first = next(iter(sentences(text)), text)
    return one_line(first.partition(": ")[0], 100)


def _markdown(text: str) -> str:
    title = _title(text).replace('"', "'").strip("[]")
    return f"---\ntitle: {title}\ntags: [note]\n---\n\n{text}\n"


def _write(file: Path, text: str) -> None:
    """Write a file as a whole: after a crash it is there or it is not."""
    part = file.with_name(f".{file.name}.part")
    with part.open("w", encoding="utf-8", errors="replace") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)


def _document(file: Path) -> Document:
    facts, body = front_matter(file.read_text(encoding="utf-8"))
    return Document(
        source=SOURCE,
        identifier=file.stem,
        title=" ".join(facts.get("title", ())) or file.stem,
        text=body.strip(),
        url=f"{file.parent.name}/{file.name}",
        tags=tuple(facts.get("tags", ())),
        references=references(body),
    )
