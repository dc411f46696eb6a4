"""A corpus: the documents that a gym practises over, from a folder or a file."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from aegis.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOTES: Final = (".md", ".markdown", ".txt")
ROWS: Final = (".jsonl", ".jsonl.gz")

_FRONT: Final = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n?", re.DOTALL)
_TITLE: Final = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_HEADING: Final = re.compile(r"\A\s*#+[ \t]+(.+)")
_LINK: Final = re.compile(r"\[\[([^\[\]]*)\]\]")
_TOLD: Final = 20
"""Problems that are told of one corpus."""


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

    Hidden files and folders are none of it, nor are links that lead out of the folder or to a
    folder.

    Raises:
        InputError: If there is none.
    """
    if path.is_dir():
        found = sorted(file for file in _below(path) if _readable(file))
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


def _below(folder: Path) -> Iterator[Path]:
    root = folder.resolve()
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(place, name)
            if file.is_file() and (not file.is_symlink() or file.resolve().is_relative_to(root)):
                yield file


def _readable(path: Path) -> bool:
    return path.name.endswith(NOTES + ROWS) and not path.name.startswith(".")


def corpus_digest(path: Path) -> str:
    """Return the sha256 of the corpus' files, names and bytes, in hexadecimal."""
    return _digest((_name(file, path), file.read_bytes()) for file in corpus_files(path))


def read_corpus(path: Path) -> Corpus:
    """Return the documents at `path`: notes (Markdown or text) and rows of JSON Lines.

    A row has a ``title``, an ``abstract`` (or ``text``) and mostly an ``id``, else its file and
    line are it; a note's id is its path without the ending (with it, where another note has that
    id), its title the front matter's ``title:``, else its first heading, else its name.

    Raises:
        InputError: If nothing is there, or some document cannot be used: the first twenty
            problems.
    """
    files = [(_name(file, path), file.read_bytes()) for file in corpus_files(path)]
    documents: dict[str, Text] = {}
    problems: list[Problem] = []
    for name, raw in files:
        where = str(path / name if path.is_dir() else path)
        is_rows = name.endswith(ROWS)
        found = _rows(name, raw, where, problems) if is_rows else _note(name, raw, where, problems)
        for document in found:
            free = document.id if is_rows or document.id not in documents else name
            if free in documents:
                message = f"two documents have the id {free!r}"
                problems.append(Problem("corpus-duplicate", message, where, "rename one"))
            documents[free] = evolve(document, id=free)
    if problems:
        more = len(problems) - _TOLD
        rest = [Problem("corpus-unreadable", f"and {more} more problems", str(path))]
        raise InputError(problems[:_TOLD] + (rest if more > 0 else []))
    return Corpus(tuple(documents.values()), _digest(files))


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, raw in files:
        facts = [name, hashlib.sha256(raw).hexdigest()]
        digest.update(json.dumps(facts).encode("ascii"))
    return digest.hexdigest()


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if root.is_dir() else file.name


def _note(name: str, raw: bytes, where: str, problems: list[Problem]) -> Iterator[Text]:
    if not _storable(name):
        shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
        message = f"the name of the file is not UTF-8: {shown}"
        problems.append(Problem("corpus-unreadable", message, shown, "rename it"))
        return
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"not UTF-8: {error}"
        problems.append(Problem("corpus-unreadable", message, where, "save it as UTF-8"))
        return
    yield parse_note(name.rpartition(".")[0], text.replace("\r\n", "\n").replace("\r", "\n"))


def _storable(text: str) -> bool:
    """Return whether a text has no lone surrogates, which are no characters."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


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


def _rows(name: str, raw: bytes, where: str, problems: list[Problem]) -> Iterator[Text]:
    try:
        content = gzip.decompress(raw) if name.endswith(".gz") else raw
        lines = content.decode("utf-8-sig").split("\n")  # splitlines would also cut at U+2028
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        problems.append(Problem("corpus-unreadable", str(error), where, "check the file"))
        return
    for number, line in enumerate(lines, 1):
        row = _row(line, f"{name}#{number}") if line.strip() else None
        if row is not None:
            yield row
        elif line.strip():
            problems.append(
                Problem(
                    "corpus-row",
                    "a row needs the texts title and abstract (or text), and an id that is a text "
                    "or a whole number, if any",
                    f"{where}:{number}",
                    "correct or remove the row",
                )
            )


def _row(line: str, otherwise: str) -> Text | None:
    """Return the document of a row, or None; `otherwise` is its id where it has none."""
    try:
        raw: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    identifier, title, text = raw.get("id"), raw.get("title"), raw.get("abstract", raw.get("text"))
    if identifier is None:
        identifier = otherwise
    elif type(identifier) is int:
        identifier = str(identifier)
    if not (isinstance(identifier, str) and isinstance(title, str) and isinstance(text, str)):
        return None
    if not (identifier and title.strip() and all(map(_storable, (identifier, title, text)))):
        return None
    return Text(identifier, _line(title), text)
