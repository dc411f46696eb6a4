"""The text that the mini model is trained on: the sample library's notes and practice views.

No test topic of research-gym is in it (topics whose id's sha256 is 0 modulo 5): neither their
notes, nor any note, sentence or view that names one, were it by chance. The views come from
episodes of a uniformly random policy, so that what follows a view shows the form of a decision and
no policy.
"""

# ruff: noqa: INP001 - a script beside its neighbours, no package

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from aegis.contracts.action import Action
from aegis.evaluation.gym.corpus import read_corpus
from aegis.evaluation.gym.environment import ResearchGym, split_of
from aegis.evaluation.gym.index import build_index
from aegis_gpt2_lora.encoding import MARKER

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from aegis.contracts.view import View

_FRONT: Final = re.compile(r"\A---\n(.*?)\n---\n+", re.DOTALL)
_TITLE: Final = re.compile(r"^title: (.*)$", re.MULTILINE)
_LINK: Final = re.compile(r"\[\[([^\]]+)\]\]")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_CHARACTERS: Final = 4.4  # of a candidate in a token
_HELD_OUT: Final = 16  # of so many notes that may be used, one is held out


@frozen
class Note:
    """One note, cleaned of test topics: ``text`` is its title, an empty line, its paragraphs."""

    slug: str
    title: str
    text: str
    sha256: str  # of the file

    @property
    def body(self) -> str:
        """Its paragraphs."""
        return self.text.partition("\n\n")[2]


@frozen
class Decided:
    """One view with the candidate that a uniform policy took."""

    view: View
    action: Action

    @property
    def prompt(self) -> str:
        """The view as the engine encodes it."""
        return self.view.render() + MARKER

    @property
    def answer(self) -> str:
        """The candidate as the engine encodes it."""
        return f" {self.action.render()}\n"


def test_topics(library: Path) -> re.Pattern[str]:
    """Return what finds a test topic named in a text: the words of its slug or of its title."""
    files = [file for file in library.glob("*.md") if split_of(file.stem) == "test"]
    titles = [_title(file) for file in files]
    names = [*(file.stem for file in files), *titles, *(t.partition(" (")[0] for t in titles)]
    spelled = {r"[\s-]+".join(map(re.escape, re.split(r"[\s-]+", name))) for name in names}
    return re.compile(rf"(?<!\w)({'|'.join(sorted(spelled))})(?!\w)", re.IGNORECASE)


def read_notes(library: Path, named: re.Pattern[str]) -> list[Note]:
    """Return the notes of topics that are and name no test topic, in the order of their names."""
    files = [file for file in sorted(library.glob("*.md")) if split_of(file.stem) != "test"]
    return [_note(file, named) for file in files if not named.search(_title(file))]


def held_out(slug: str) -> bool:
    """Return whether a note is kept from training to measure the model on."""
    return int(hashlib.sha256(f"held out {slug}".encode()).hexdigest(), 16) % _HELD_OUT == 0


def practice(
    notes: Sequence[Note],
    seeds: range,
    rng: random.Random,
    named: re.Pattern[str],
    *,
    length_neutral: bool = False,
) -> Iterator[Decided]:
    """Yield the steps of uniformly random episodes over these notes, topics of practice only.

    Every second episode is told in the words of the agent's own tools. Steps whose words come to
    name a test topic, such as a query of two terms, are left out.

    What is shown behind a view is the candidate taken, or with `length_neutral` one drawn by
    `length_neutral_shares`; the episodes are the same kind either way.
    """
    with tempfile.TemporaryDirectory() as folder:
        for note in notes:
            front = f"---\ntitle: {note.title}\n---\n"
            (Path(folder) / f"{note.slug}.md").write_text(front + note.body)
        gym = ResearchGym(build_index(read_corpus(Path(folder))), split="practice")
    retelling = _Retelling(notes, rng)
    for seed in seeds:
        view, done = gym.reset(seed), False
        while not done:
            candidates = gym.candidates(view)
            action = rng.choice(candidates)
            shown = _drawn(candidates, rng) if length_neutral else action
            decided = Decided(view, shown)
            told = retelling.agent(decided) if seed % 2 else decided
            if not named.search(told.prompt + told.answer):
                yield told
            result = gym.step(action)
            view, done = result.view, result.done


def length_neutral_shares(lengths: Sequence[float]) -> list[float]:
    """Return probabilities with equal logarithm per token: exp(-k length), summing to one.

    A model that has learned a uniform draw gives each of n candidates log(1/n) in all, so by its
    mean per token a short candidate is less probable. Under this draw the mean is the same, -k.
    """
    low, high = 0.0, math.log(len(lengths)) + 1e-9  # every length is at least one token
    for _ in range(60):
        k = (low + high) / 2
        low, high = (k, high) if sum(math.exp(-k * x) for x in lengths) > 1 else (low, k)
    return [math.exp(-high * x) for x in lengths]


def _drawn(candidates: Sequence[Action], rng: random.Random) -> Action:
    lengths = [1 + len(action.render()) / _CHARACTERS for action in candidates]
    return rng.choices(candidates, length_neutral_shares(lengths))[0]


def _note(file: Path, named: re.Pattern[str]) -> Note:
    raw, title = file.read_text(encoding="utf-8"), _title(file)
    body = _FRONT.sub("", raw).strip()
    paragraphs = [_cleaned(paragraph, named) for paragraph in body.split("\n\n")]
    text = "\n\n".join([title, *(paragraph for paragraph in paragraphs if paragraph)])
    return Note(file.stem, title, text, hashlib.sha256(raw.encode("utf-8")).hexdigest())


def _cleaned(paragraph: str, named: re.Pattern[str]) -> str:
    sentences = _SENTENCE_END.split(" ".join(paragraph.split()))
    kept = " ".join(sentence for sentence in sentences if not named.search(sentence))
    return _LINK.sub(lambda link: link[1].replace("-", " "), kept)


def _title(file: Path) -> str:
    front = _FRONT.match(file.read_text(encoding="utf-8"))
    found = _TITLE.search(front[1]) if front else None
    return found[1] if found else file.stem.replace("-", " ")


class _Retelling:
    """Tells decisions of the gym in the words of the agent's own tools.

    Candidates carry other signals there; their values are drawn, since no policy is taught. The
    facts are sentences of the notes that were read.

    Args:
        notes: The notes of the gym.
        rng: What is drawn from.
    """

    def __init__(self, notes: Sequence[Note], rng: random.Random) -> None:
        self._sentences = {note.title: _SENTENCE_END.split(note.body) for note in notes}
        self._rng = rng

    def agent(self, decided: Decided) -> Decided:
        """Return the decision as the agent would have met it."""
        view, action = decided.view, decided.action
        facts = tuple(
            sentence for seen in view.knowledge[-3:] for sentence in self._sentences[seen.title][:1]
        )
        view = evolve(
            view,
            facts=facts,
            recent=tuple(evolve(r, action=self._recent(r.action)) for r in view.recent),
        )
        if action.tool == "search":
            action = self._search(str(action.arguments["query"]))
        elif action.tool == "read":
            signals = self._draw(rank=(1, 6), match=(0, 5), missing=(0, 4), new=(0, 5))
            action = evolve(action, signals=signals)
        elif action.tool == "write_note":
            action = self._note(view)
        return Decided(view, action)

    def _recent(self, action: str) -> str:
        tool, _, rest = action.partition(" ")
        if tool == "search":
            return self._search(rest).render()
        if tool == "read":
            signals = self._draw(rank=(1, 6), match=(0, 5), missing=(0, 4), new=(0, 5))
            return Action("read", about=rest, signals=signals).render()
        return action

    def _search(self, query: str) -> Action:
        signals = self._draw(terms=(0, 4), missing=(0, 4))
        if self._rng.random() < 0.2:
            signals["page"] = self._rng.randint(2, 4)
        tool = self._rng.choice(("search_library", "search_arxiv"))
        how = self._rng.random()
        if how < 0.1:
            return Action(tool, slot="query")
        if how < 0.4:  # as one that an engine wrote, which carries no signals
            return Action(tool, {"query": query})
        return Action(tool, about=query, signals=signals)

    def _note(self, view: View) -> Action:
        """Return the digest that the tool offers, an open note, or a note that was written."""
        known = [s for seen in view.knowledge for s in self._sentences[seen.title]] or [view.goal]
        about = f"what was read about: {view.goal}"
        return self._rng.choice(
            (
                Action("write_note", about=about, signals={"facts": len(view.facts)}),
                Action("write_note", slot="text"),
                Action("write_note", {"text": self._rng.choice(known)}),
            )
        )

    def _draw(self, **limits: tuple[int, int]) -> dict[str, int]:
        return {name: self._rng.randint(*ends) for name, ends in limits.items()}
