"""A corpus: the documents that a gym practises over, from a folder or a file."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from aegis.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTES: Final = (".md", ".txt")
ROWS: Final = (".jsonl", ".jsonl.gz")

_FRONT: Final = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n?", re.DOTALL)
_TITLE: Final = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_HEADING: Final = re.compile(r"\A\s*#+[ \t]+(.+)")
_LINK: Final = re.compile(r"\[\[([^\[\]]*)\]\]")


@frozen
class Text:
    """One document: its name within the corpus, its title and its text (an abstract, a note)."""

    id: str
    title: str
    text: str


@frozen
class Corpus:
    """Documents in a fixed order, and the digest of the files that they came from."""

    documents: tuple[Text, ...]
    digest: str


def corpus_files(path: Path) -> list[Path]:
    """Return the files of the corpus at `path`, in order.

    Raises:
        InputError: If there is none.
    """
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and _readable(p))
    else:
        found = [path] if path.is_file() and _readable(path) else []
    if not found:
        kinds = ", ".join(f"*{suffix}" for suffix in NOTES + ROWS)
        raise InputError.of(
            "corpus-absent",
            f"no documents at {path}",
            where=str(path),
            fix=f"name a folder or file with {kinds}",
        )
    return found


def _readable(path: Path) -> bool:
    return path.name.endswith(NOTES + ROWS) and not path.name.startswith(".")


def corpus_digest(path: Path) -> str:
    """Return the sha256 of the corpus' files, names and bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for file in corpus_files(path):
        name = _name(file, path)
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(json.dumps([name, content]).encode("ascii"))
    return digest.hexdigest()


def read_corpus(path: Path) -> Corpus:
    """Return the documents at `path`: notes (Markdown or text) and rows of JSON Lines.

    A row has ``id``, ``title`` and ``abstract`` (or ``text``); a note's id is its path without
    the ending, its title the front matter's ``title:``, else its first heading, else its name.

    Raises:
        InputError: If nothing is there, or some document cannot be used (all are named).
    """
    documents: list[Text] = []
    problems: list[Problem] = []
    for file in corpus_files(path):
        rows = _rows(file, problems) if file.name.endswith(ROWS) else _note(file, path, problems)
        documents.extend(rows)
    problems += _duplicates(documents, path)
    if problems:
        raise InputError(problems)
    return Corpus(tuple(documents), corpus_digest(path))


def _duplicates(documents: list[Text], path: Path) -> list[Problem]:
    times = Counter(document.id for document in documents)
    return [
        Problem("corpus-duplicate", f"{n} documents have the id {name!r}", str(path), "rename them")
        for name, n in times.items()
        if n > 1
    ]


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if root.is_dir() else file.name


def _note(file: Path, root: Path, problems: list[Problem]) -> Iterator[Text]:
    try:
        raw = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problems.append(
            Problem("corpus-unreadable", f"not UTF-8: {error}", str(file), "save it as UTF-8")
        )
        return
    name = _name(file, root).removesuffix(file.suffix)
    yield parse_note(name, raw)


def parse_note(name: str, raw: str) -> Text:
    """Return the document of a note's raw text; link brackets go, the words in them stay."""
    front = _FRONT.match(raw)
    body = raw[front.end() :] if front else raw
    named = _TITLE.search(front[1]) if front else None
    title = named[1].strip("\"'") if named else ""
    heading = _HEADING.match(body)
    if not title:
        title = heading[1] if heading else name.rsplit("/", 1)[-1].replace("-", " ")
    return Text(name, _line(title), _LINK.sub(_words_of_link, body).strip())


def _words_of_link(link: re.Match[str]) -> str:
    return link[1].replace("-", " ").replace("|", " ")


def _line(text: str) -> str:
    return " ".join(text.split())


def _rows(file: Path, problems: list[Problem]) -> Iterator[Text]:
    raw = file.read_bytes()
    try:
        content = gzip.decompress(raw) if file.name.endswith(".gz") else raw
        lines = content.decode("utf-8").split("\n")  # splitlines would also cut at U+2028
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        problems.append(Problem("corpus-unreadable", str(error), str(file), "check the file"))
        return
    for number, line in enumerate(lines, 1):
        row = _row(line) if line.strip() else None
        if row is not None:
            yield row
        elif line.strip():
            problems.append(
                Problem(
                    "corpus-row",
                    "a row needs the texts id, title and abstract (or text)",
                    f"{file}:{number}",
                    "correct or remove the row",
                )
            )


def _row(line: str) -> Text | None:
    try:
        raw: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(raw, dict):
        return None
    identifier, title, text = raw.get("id"), raw.get("title"), raw.get("abstract", raw.get("text"))
    if not (isinstance(identifier, str) and isinstance(title, str) and isinstance(text, str)):
        return None
    return Text(identifier, _line(title), text) if identifier and title.strip() else None
