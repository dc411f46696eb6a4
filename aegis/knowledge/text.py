"""Text as the agent reads it: words, terms, key sentences, references.

Pure Python, deterministic, and total: any string has an answer. Whatever is returned for display
is one line.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from aegis.contracts.text import one_line
from aegis.knowledge.stemming import stem
from aegis.knowledge.vocabulary import STOP_WORDS, WEAK_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "STOP_WORDS",
    "content_words",
    "folded",
    "key_sentences",
    "plain",
    "references",
    "sentences",
    "stem",
    "terms",
    "words",
]

# ------------------------------------------------------------------ words

_WORD: Final = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['\u2019][^\W_]+)*")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+")


def words(text: str) -> list[str]:
    """Return the words of `text` in order, lower case and without accents.

    Hyphenated words are split. A decimal, a version or an arXiv number is one word (``0.5``,
    ``2106.09685``); commas between thousands go; a possessive 's goes, other apostrophes close up.
    """
    return [_plain_word(match) for match in _WORD.findall(folded(text))]


def folded(text: str) -> str:
    """Return `text` in lower case without accents, ligatures resolved."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in parts if not unicodedata.combining(c)).casefold()
    # Casefolding may leave a character that has a decomposition of its own.
    return unicodedata.normalize("NFKC", bare)


def _plain_word(word: str) -> str:
    if word[0].isdigit() and "," in word:
        return word.replace(",", "") if _THOUSANDS.fullmatch(word) else word
    if "'" in word or "\u2019" in word:
        word = word.replace("\u2019", "'").removesuffix("'s").replace("'", "")
    return word


def content_words(text: str) -> list[str]:
    """Return the words of `text` that may name a subject: no stop words, no bare digit."""
    return [word for word in words(text) if word not in STOP_WORDS and not _bare(word)]


def _bare(word: str) -> bool:
    return len(word) == 1 and (word.isdigit() or word.isascii())


# ------------------------------------------------------------------ sentences

_FENCED: Final = re.compile(r"^(```|~~~).*?(?:^\1|\Z)", re.MULTILINE | re.DOTALL)
_WIKI_LINK: Final = re.compile(r"\[\[([^\[\]|\n]{1,200})(?:\|([^\[\]\n]{1,200}))?\]\]")
_MARKDOWN_LINK: Final = re.compile(r"!?\[([^\[\]\n]{0,200})\]\([^()\s]{1,2000}\)")
_MARKS: Final = re.compile(r"\*\*|`")
_BLOCK: Final = re.compile(r"\n[ \t\r\f\v]*\n|\n(?=[ \t]{0,8}(?:[-*+•]|\d{1,3}[.)])[ \t])")
_BULLET: Final = re.compile(r"\A\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_HEADING: Final = re.compile(r"\s*#{1,6}\s")
_END: Final = re.compile(r"""([.!?])["'\u2019\u201d)\]]*\s(?=["'\u2018\u201c(\[]*[^\Wa-z_])""")
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\[])(?:(?-i:[A-Z])|(?:[a-z]\.)+[a-z]|al|approx|ca|cf|ch|chap|dept|dr|ed|eds|eq|eqn"
    r"|eqs|fig|figs|mr|mrs|ms|no|nos|pp|prof|ref|refs|resp|sec|sect|secs|st|tab|univ|viz|vol|vs)$",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """Return Markdown as prose: code blocks left out, links as their words, no marks."""
    text = _FENCED.sub("\n", text)
    text = _WIKI_LINK.sub(lambda m: m[2] or m[1].replace("-", " ").replace("_", " "), text)
    return _MARKS.sub("", _MARKDOWN_LINK.sub(r"\1", text))


def sentences(text: str) -> list[str]:
    """Return the sentences of prose or Markdown, each one line; headings are none.

    A full stop ends a sentence before white space and a capital, a digit or a bracket, but not
    after an initial or an abbreviation.
    """
    return [s for block in _blocks(text) if not _is_heading(block) for s in _split(block)]


def _blocks(text: str) -> Iterator[str]:
    for block in _BLOCK.split(plain(text)):
        for heading, lines in itertools.groupby(block.split("\n"), _is_heading):
            if heading:
                yield from lines
            elif body := "\n".join(lines).strip():
                yield body


def _is_heading(line: str) -> bool:
    return _HEADING.match(line) is not None


def _split(block: str) -> Iterator[str]:
    line = " ".join(_BULLET.sub("", block, count=1).split())
    start = 0
    for match in _END.finditer(line):
        before = line[max(start, match.start() - 20) : match.start()]
        if match[1] == "." and _ABBREVIATION.search(before):
            continue
        yield line[start : match.end()].strip()
        start = match.end()
    if start < len(line):
        yield line[start:]


def key_sentences(
    text: str, query_terms: Iterable[str], n: int, *, limit: int = 400
) -> tuple[str, ...]:
    """Return the `n` sentences that say most, in the text's order, each at most `limit` characters.

    A sentence counts by the share of `query_terms` that it speaks of, by how common its words are
    in the whole text, and by how early it stands; one that gives an address counts less.
    """
    found = [s for s in sentences(text) if len(words(s)) >= 4] or sentences(text)
    stems = [{stem(word) for word in content_words(s)} for s in found]
    common = Counter(one for some in stems for one in some)
    wanted = {stem(word) for term in query_terms for word in content_words(term)}
    scores = [
        _sentence_score(some, common, wanted, place) - ("://" in found[place])
        for place, some in enumerate(stems)
    ]
    best = sorted(range(len(found)), key=lambda place: (-scores[place], place))[: max(0, n)]
    return tuple(one_line(found[place], limit) for place in sorted(best))


def _sentence_score(
    stems: set[str], common: Mapping[str, int], wanted: set[str], place: int
) -> float:
    overlap = len(stems & wanted) / len(wanted) if wanted else 0.0
    top = max(common.values(), default=1)
    central = sum(common[one] for one in stems) / (top * len(stems)) if stems else 0.0
    return 2.0 * overlap + central + 0.75 / (1 + place)


# ------------------------------------------------------------------ terms

_UNIT: Final = re.compile(r"[^\W_]+(?:[-\u2010\u2011'\u2019][^\W_]+)*")
_ADDRESS: Final = re.compile(r"\b(?:https?://|www\.)\S+|\b10\.\d{4,9}/\S+|[^\s@]{1,64}@\S{1,255}")
_UNIT_LIMIT: Final = 40


class _Unit(NamedTuple):
    """A word, or words joined by hyphens: what a term is made of."""

    stems: tuple[str, ...]
    shown: str
    weak: bool


def terms(
    text: str, n: int, *, frequencies: Mapping[str, int] | None = None, documents: int = 0
) -> tuple[str, ...]:
    """Return the characteristic terms of one text, strongest first.

    A term is one word or two neighbours, where ``low-rank`` counts as one; lower case, as the
    text has it most often.

    Args:
        text: Prose or Markdown.
        n: How many at most.
        frequencies: In how many documents of a collection each stem occurs, where that is known:
            rare words then count more.
        documents: Size of that collection.
    """
    counts: Counter[tuple[_Stems, ...]] = Counter()
    shown: dict[tuple[_Stems, ...], Counter[str]] = {}
    for grams in _grams(text):
        key = tuple(unit.stems for unit in grams)
        counts[key] += 1
        shown.setdefault(key, Counter())[" ".join(unit.shown for unit in grams)] += 1
    rarity = _Rarity(frequencies or {}, documents)
    scores = {key: _term_score(key, count, rarity) for key, count in counts.items()}
    ranked = sorted(scores, key=lambda key: -scores[key])
    return tuple(shown[key].most_common(1)[0][0] for key in _varied(ranked, n))


_Stems = tuple[str, ...]


class _Rarity(NamedTuple):
    frequencies: Mapping[str, int]
    documents: int

    def of(self, stems: _Stems) -> float:
        """Return how telling a unit is: its rarest stem's, or by its length."""
        if not self.frequencies:
            return 1.0 + min(sum(map(len, stems)), 12) / 12
        rarest = min(self.frequencies.get(one, 0) for one in stems)
        return math.log((self.documents + 1) / (rarest + 1)) + 1.0


def _grams(text: str) -> Iterator[tuple[_Unit, ...]]:
    for block in _blocks(_ADDRESS.sub(" . ", text)):
        previous: _Unit | None = None
        end = -1
        for match in _UNIT.finditer(block):
            unit = _unit(match[0])
            if unit is not None and not unit.weak:
                yield (unit,)
                between = block[end : match.start()] if end >= 0 else "."
                if previous is not None and between.isspace() and previous.stems != unit.stems:
                    yield (previous, unit)
            previous = unit if unit is not None and not unit.weak else None
            end = match.end()


def _unit(text: str) -> _Unit | None:
    parts = words(text)
    if not parts or len(text) > _UNIT_LIMIT or any(part in STOP_WORDS for part in parts):
        return None
    if all(len(part) == 1 or not part.isalpha() for part in parts):
        return None
    shown = (
        folded(text)
        .replace("\u2019", "'")
        .removesuffix("'s")
        .replace("\u2010", "-")
        .replace("\u2011", "-")
    )
    weak = all(part in WEAK_WORDS for part in parts)
    return _Unit(tuple(stem(part) for part in parts), shown, weak)


def _term_score(key: tuple[_Stems, ...], count: int, rarity: _Rarity) -> float:
    worth = sum(rarity.of(stems) for stems in key) / len(key)
    return (1.0 + math.log(count)) * worth * (1.5 if len(key) > 1 else 1.0)


def _varied(ranked: Sequence[tuple[_Stems, ...]], n: int) -> Iterator[tuple[_Stems, ...]]:
    """Yield the best terms; no word alone that a chosen pair holds, none in three pairs."""
    used: Counter[_Stems] = Counter()
    chosen = 0
    for key in ranked:
        if chosen >= n:
            return
        if max(used[unit] for unit in key) >= (1 if len(key) == 1 else 2):
            continue
        used.update(key)
        chosen += 1
        yield key


# ------------------------------------------------------------------ references

_ARXIV_NEW: Final = r"(?:0[7-9]|[1-9]\d)(?:0[1-9]|1[0-2])\.\d{4,5}"
_ARCHIVES: Final = (
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs"
    "|dg-ga|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math|math-ph|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol"
    "|physics|plasm-ph|q-alg|q-bio|quant-ph|solv-int|stat|supr-con"
)
_REFERENCE: Final = re.compile(
    rf"""
      \[\[(?P<wiki>[^\[\]|\n]{{1,200}})(?:\|[^\[\]\n]{{0,200}})?\]\]
    | (?:https?://)?(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html)/
        (?P<link>{_ARXIV_NEW}|(?:{_ARCHIVES})(?:\.[A-Z]{{2}})?/\d{{7}})(?:v\d{{1,3}})?(?:\.pdf)?
    | \barxiv:[ ]?(?P<said>{_ARXIV_NEW}|(?:{_ARCHIVES})(?:\.[A-Z]{{2}})?/\d{{7}})(?:v\d{{1,3}})?\b
    | (?<![\w./-])(?P<old>(?:{_ARCHIVES})(?:\.[A-Z]{{2}})?/\d{{7}})(?:v\d{{1,3}})?\b
    | (?<![\w./$-])(?P<bare>(?:0[7-9]|[1-9]\d)(?:0[1-9]|1[0-2])\.\d{{5}})
        (?:v\d{{1,3}})?(?![\w.]?\d)\b
    | (?:https?://(?:dx\.)?doi\.org/|\bdoi:[ ]?|(?<![\w/.]))
        (?P<doi>10\.\d{{4,9}}/[^\s"'<>|\\]{{1,300}})
    | (?P<url>https?://[^\s"'<>|\\]{{1,2000}})
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ARXIV_DOI: Final = re.compile(r"10\.48550/arxiv\.(.+)", re.IGNORECASE)


def references(text: str) -> tuple[str, ...]:
    """Return the works that `text` names, each once, in the order of their first mention.

    arXiv identifiers without version (``2106.09685``, ``cs/0112017``), DOIs in lower case,
    targets of ``[[wiki-links]]``, and other addresses as they stand.
    """
    found = (_reference(match) for match in _REFERENCE.finditer(text))
    return tuple(dict.fromkeys(one for one in found if one))


def _reference(match: re.Match[str]) -> str:
    kind, value = match.lastgroup, match[str(match.lastgroup)]
    if kind == "wiki":
        return " ".join(value.split("#")[0].split())
    if kind == "doi":
        doi = _closed(value).lower()
        arxiv = _ARXIV_DOI.fullmatch(doi)
        return re.sub(r"v\d+$", "", arxiv[1]) if arxiv else doi
    if kind == "url":
        return _closed(value)
    return _arxiv(value)


def _arxiv(value: str) -> str:
    archive, slash, number = value.partition("/")
    return archive.split(".")[0].lower() + slash + number if slash else value


def _closed(value: str) -> str:
    """Return an address without the punctuation of the sentence that it stands in."""
    while value and (
        value[-1] in ".,;:!?*`}]" or (value[-1] == ")" and value.count("(") < value.count(")"))
    ):
        value = value[:-1]
    return value
