"""What a tokenizer.json must be to serve as ``hrm-bpe``.

Any file of this form keeps the tokenizer's promises: special tokens have their ids and are never
made from text, every text encodes and decodes exactly, and the same text has the same ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aegis_hrm.special_tokens import FIRST_TEXT_ID, SPECIAL_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BYTES: Final = 256
SMALLEST: Final = FIRST_TEXT_ID + BYTES
"""Entries of a file without any merge."""

_BPE: Final = frozenset({"type", "vocab", "merges"})
_ORDINARY: Final = (None, False, "")  # what an option of the model has where it is not used


def byte_symbols() -> frozenset[str]:
    """Return the characters that stand for bytes: printable ones for themselves, then U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = range(0x100, 0x100 + BYTES - len(printable))
    return frozenset(map(chr, [*printable, *others]))


def faults(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what keeps a parsed tokenizer.json from serving as ``hrm-bpe``.

    Raises:
        KeyError: Or another error of its kind, if it is no tokenizer.json at all.
    """
    added = {token["content"]: token["id"] for token in raw["added_tokens"] if token["special"]}
    missing = [
        f"{name} = {number}"
        for number, name in enumerate(SPECIAL_TOKENS)
        if added.get(name) != number
    ]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield f"these special tokens are not in their place: {', '.join(missing[:3])}{more}"
    elif len(raw["added_tokens"]) != len(SPECIAL_TOKENS):
        yield "it has added tokens of its own"
    yield from _model_faults(raw["model"])
    if raw["normalizer"] is not None:
        yield "its normaliser changes texts"
    if not _keeps_all(raw["pre_tokenizer"]):
        yield "its pre-tokenizer does not keep every byte of a text"
    if (raw["decoder"] or {}).get("type") != "ByteLevel":
        yield "it does not decode bytes"


def _model_faults(model: Mapping[str, Any]) -> Iterator[str]:
    vocabulary: Mapping[str, int] = model["vocab"]
    options = {name for name, value in model.items() if value not in _ORDINARY} - _BPE
    if model["type"] != "BPE" or options:
        yield f"its model is not a plain BPE: {', '.join(sorted(options)) or model['type']}"
    ids = {*vocabulary.values(), *range(FIRST_TEXT_ID)}
    if ids != set(range(len(ids))):
        yield "its ids have holes"
    place = range(FIRST_TEXT_ID, SMALLEST)
    if not all(vocabulary.get(symbol) in place for symbol in byte_symbols()):
        yield f"the {BYTES} bytes are not the entries from {FIRST_TEXT_ID} on"
    made = {
        merge.replace(" ", "") if isinstance(merge, str) else "".join(merge)
        for merge in model["merges"]
    }
    forged = sorted(made.intersection(SPECIAL_TOKENS))
    if forged:
        yield f"its merges make the special token {forged[0]} from text"


def _keeps_all(step: Any) -> bool:
    """Return whether a pre-tokenizer cuts texts into bytes and loses or adds none."""
    steps = step["pretokenizers"] if step["type"] == "Sequence" else [step]
    *cutting, last = steps
    return (
        all(s["type"] == "Split" and s["behavior"] != "Removed" for s in cutting)
        and last["type"] == "ByteLevel"
        and not last["add_prefix_space"]
    )
