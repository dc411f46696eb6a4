"""What a tokenizer.json says about ids, read as JSON: no tokenizer is built.

Parsing the file of a large vocabulary takes a tenth of a second, so the facts of large files are
kept in a cache under the digest of the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Final

from attrs import asdict, frozen

from aegis.contracts.capabilities import TokenizerCapabilities
from aegis.errors import ModelError

_CACHED_FROM: Final = 400_000  # bytes; smaller files are parsed faster than a cache is worth
_VERSION: Final = 1  # of the cache's format and of the fingerprint's rules
_IDLE: Final = frozenset({"trim_offsets"})  # settings that never change an id
_DEFAULTS: Final = {"use_regex": True}  # left out by older files


@frozen
class TokenizerFacts:
    """Facts about the ids that a tokenizer emits.

    Attributes:
        max_token_id: Largest id, added tokens included.
        vocab_size: Number of entries.
        special_tokens: Special tokens and their ids.
        fingerprint: sha256 over what decides ids: model, vocabulary, merges, normaliser,
            pre-tokenizer, added tokens, the template of special tokens. Files that write the same
            tokenizer differently (older and newer formats) have the same one.
    """

    max_token_id: int
    vocab_size: int
    special_tokens: dict[str, int]
    fingerprint: str


def read_tokenizer_facts(path: Path) -> TokenizerFacts:
    """Return the facts of a tokenizer.json.

    Raises:
        ModelError: If the file is absent or is no tokenizer.json with a vocabulary.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError.of("tokenizer-absent", f"cannot read {path}: {error.strerror}") from error
    if len(data) < _CACHED_FROM:
        return _parsed(data, path)
    entry = _cache_folder() / f"{hashlib.sha256(data).hexdigest()}.json"
    facts = _cached(entry)
    if facts is None:
        facts = _parsed(data, path)
        _keep(entry, facts)
    return facts


def facts_from(raw: dict[str, Any]) -> TokenizerFacts:
    """Return the facts of a parsed tokenizer.json."""
    model = raw["model"]
    ids = _vocabulary(model)
    added = {token["content"]: int(token["id"]) for token in raw.get("added_tokens") or []}
    special = {t["content"]: int(t["id"]) for t in raw.get("added_tokens") or [] if t["special"]}
    return TokenizerFacts(
        max_token_id=max((*ids.values(), *added.values())),
        vocab_size=len(set(ids.values()) | set(added.values())),
        special_tokens=special,
        fingerprint=_fingerprint(raw),
    )


def tokenizer_capabilities(
    facts: TokenizerFacts, characters: float | None
) -> TokenizerCapabilities:
    """Return the capabilities of a tokenizer with these facts.

    Args:
        facts: What its file says.
        characters: Characters of a view that a token holds at the low end, where known.
    """
    return TokenizerCapabilities(
        max_token_id=facts.max_token_id,
        fingerprint=facts.fingerprint,
        vocab_size=facts.vocab_size,
        special_tokens=facts.special_tokens,
        characters_per_token=characters,
        unverified=() if characters is not None else ("characters_per_token",),
    )


def _parsed(data: bytes, path: Path) -> TokenizerFacts:
    try:
        return facts_from(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError.of(
            "tokenizer-damaged",
            f"{path.name} is not a tokenizer.json with a vocabulary: {error!r}",
            where=str(path),
            fix="save the tokenizer again with the tokenizers library",
        ) from error


def _vocabulary(model: dict[str, Any]) -> dict[str, int]:
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        return {str(piece): int(number) for piece, number in vocab.items()}
    return {str(entry[0]): number for number, entry in enumerate(vocab)}


def _fingerprint(raw: dict[str, Any]) -> str:
    model = {key: value for key, value in raw["model"].items() if value not in (None, False, "")}
    model["merges"] = [
        merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges", [])
    ]
    if model["merges"]:
        model.setdefault("type", "BPE")  # left out by older files
    post = raw.get("post_processor") or {}
    decides = {
        "model": model,
        "added": [_added(token) for token in raw.get("added_tokens") or []],
        "normalizer": _plain(raw.get("normalizer")),
        "pre_tokenizer": _plain(raw.get("pre_tokenizer")),
        "template": post.get("single") if post.get("type") == "TemplateProcessing" else None,
    }
    text = json.dumps(decides, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _added(token: dict[str, Any]) -> dict[str, Any]:
    """Return what decides ids of an added token: special ones never match text, so two keys."""
    return {k: v for k, v in token.items() if k in ("id", "content") or not token["special"]}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if key not in _IDLE and not (key in _DEFAULTS and item == _DEFAULTS[key])
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "aegis" / f"tokenizer-facts-{_VERSION}"


def _cached(entry: Path) -> TokenizerFacts | None:
    """Return the facts kept in a file; None where there is none or it holds something else."""
    try:
        raw = json.loads(entry.read_bytes())
        facts = TokenizerFacts(
            max_token_id=int(raw["max_token_id"]),
            vocab_size=int(raw["vocab_size"]),
            special_tokens={str(k): int(v) for k, v in raw["special_tokens"].items()},
            fingerprint=str(raw["fingerprint"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return facts if len(facts.fingerprint) == 64 else None


def _keep(entry: Path, facts: TokenizerFacts) -> None:
    """Keep the facts for the next time; a folder that cannot be written costs only time."""
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=entry.parent)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(asdict(facts), file)
        Path(name).replace(entry)
