"""Checks of tokenizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aegis.contracts.capabilities import TokenizerCapabilities
from aegis.contracts.text import one_line
from aegis.errors import AegisError
from aegis.testing.checks import Broken, check
from aegis.testing.subject import only_if
from aegis.testing.toys import HOSTILE_TEXTS, PLAIN_TEXTS, toy_candidates, toy_views

if TYPE_CHECKING:
    from aegis.testing.subject import Subject

_SURROGATE: Final = "half of a pair: \ud83d"


def _built(subject: Subject) -> Any:
    return subject.once("built", subject.build)


def _ids(tokenizer: Any, text: str) -> list[Any]:
    """Return the ids of a text; none where it raises, which is another check's finding."""
    try:
        return list(tokenizer.encode(text))
    except Exception:  # noqa: BLE001 - whatever it raises
        return []


def _texts() -> list[str]:
    views = [view.render() for view in toy_views().values()]
    return [*PLAIN_TEXTS, *views, *(action.render() for action in toy_candidates(9))]


@check("tokenizer-described")
def described(subject: Subject) -> None:
    """What the manifest says of the largest id and the fingerprint is what was built."""
    said, built = subject.described(), _built(subject).capabilities
    only_if(isinstance(said, TokenizerCapabilities), "it has no describe")
    for name in ("max_token_id", "fingerprint", "vocab_size", "special_tokens"):
        told, found = getattr(said, name), getattr(built, name)
        if name not in getattr(said, "unverified", ()) and told is not None and told != found:
            raise Broken(
                f"describe says {name} {told!r}, and what was built has {found!r}",
                cause="describe has its own copy of a number, or reads another file",
                fix="compute both from the same file, or name the fact in `unverified`",
            )


@check("tokenizer-ids")
def ids_in_range(subject: Subject) -> None:
    """Every id is an integer from 0 to max_token_id."""
    tokenizer = _built(subject)
    most = tokenizer.capabilities.max_token_id
    for text in (*_texts(), *HOSTILE_TEXTS):
        for token in _ids(tokenizer, text):
            if type(token) is not int or token < 0 or (most is not None and token > most):
                raise Broken(
                    f"{one_line(ascii(text), 60)} has the id {token!r}, and max_token_id is {most}",
                    cause="added or special tokens are not counted, or ids are numpy integers",
                    fix="state the largest id that encode can return; return plain integers",
                )


@check("tokenizer-repeats")
def deterministic(subject: Subject) -> None:
    """The same text has the same ids, asked again and of another instance."""
    first, second = _built(subject), subject.build(seed=1)
    for text in _texts():
        ids = list(first.encode(text))
        if list(first.encode(text)) != ids or list(second.encode(text)) != ids:
            raise Broken(
                f"{one_line(text, 60)!r} got other ids the second time",
                cause="it samples a segmentation, or fills its vocabulary while it reads",
                fix="make encode a function of the text and the saved files alone",
            )


@check("tokenizer-round-trip", needs=["tokenizer-repeats"])
def round_trip(subject: Subject) -> None:
    """decode(encode(text)) is the text."""
    tokenizer = _built(subject)
    for text in _texts():
        back = tokenizer.decode(tokenizer.encode(text))
        if back != text:
            at = next(
                (n for n, (a, b) in enumerate(zip(back, text, strict=False)) if a != b),
                min(len(back), len(text)),
            )
            raise Broken(
                f"character {at} of {one_line(text, 40)!r} comes back as {back[at : at + 8]!r}, "
                f"not {text[at : at + 8]!r}",
                cause="a normaliser (lower case, NFKC, stripped spaces) or an unknown-token",
                fix="use a byte-level model, or waive the check and say what is lost",
            )


@check("tokenizer-hostile")
def hostile(subject: Subject) -> None:
    """Any text is encoded, or refused by one clear error; what is decoded is text."""
    tokenizer = _built(subject)
    for text in (*HOSTILE_TEXTS, _SURROGATE):
        try:
            back = tokenizer.decode(tokenizer.encode(text))
        except AegisError:
            continue
        except Exception as error:
            raise Broken(
                f"{one_line(ascii(text), 60)} raises {type(error).__name__}: {error}",
                cause="controls, rare planes and halves of surrogate pairs reach a codec",
                fix="encode with errors='replace', or raise an aegis.AegisError that says where",
            ) from error
        if not isinstance(back, str):
            raise Broken(
                f"decode returned {type(back).__name__}",
                cause="bytes are returned as they are",
                fix="return str",
            )


@check("tokenizer-inert", needs=["tokenizer-ids"])
def special_tokens_are_inert(subject: Subject) -> None:
    """Text that spells a special token does not become it."""
    tokenizer = _built(subject)
    special = tokenizer.capabilities.special_tokens
    only_if(special, "it has no special tokens")
    for spelling, token in special.items():
        if token in tokenizer.encode(f"so {spelling} it goes {spelling}"):
            raise Broken(
                f"text with {spelling!r} in it gets the special id {token}",
                cause="the library maps special spellings wherever they stand",
                fix="with `tokenizers`: set encode_special_tokens = True",
            )


@check("tokenizer-saved", needs=["tokenizer-repeats"])
def saved(subject: Subject) -> None:
    """What is built from the saved files has the same ids and fingerprint."""
    tokenizer = _built(subject)
    folder = subject.scratch("saved")
    tokenizer.save(folder)
    again = subject.build(folder)
    same = again.capabilities.fingerprint == tokenizer.capabilities.fingerprint
    if not same or any(list(again.encode(t)) != list(tokenizer.encode(t)) for t in _texts()):
        raise Broken(
            "built from its own files it is another tokenizer",
            cause="save leaves something out, or build does not read runtime.checkpoint",
            fix="write everything that ids follow from, and read it where checkpoint is set",
        )
