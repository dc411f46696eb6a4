"""What the tokenizer ``hrm-bpe`` says about itself, from its file read as JSON."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from attrs import evolve

from aegis import ModelError
from aegis.neural import facts_from, tokenizer_capabilities
from aegis_hrm.special_tokens import LAYOUT_VERSION
from aegis_hrm.tokenizer_form import faults
from aegis_hrm.tokenizer_measured import read_measured

if TYPE_CHECKING:
    from pathlib import Path

    import aegis
    from aegis_hrm.tokenizer_settings import TokenizerSettings

_WHERE = "[tokenizer.hrm-bpe].file"
_FIX = "train one: aegis tokenizer train; or remove the key: hrm-bpe has a file of its own"


def describe_tokenizer(settings: TokenizerSettings) -> aegis.TokenizerCapabilities:
    """Return what the tokenizer will be with these settings.

    Raises:
        ModelError: ``tokenizer-absent``, ``tokenizer-damaged`` or ``tokenizer-form`` if its file
            cannot serve.
    """
    return file_capabilities(settings.path)


def file_capabilities(path: Path) -> aegis.TokenizerCapabilities:
    """Return what a file of the tokenizer says; errors as `describe_tokenizer`."""
    try:
        raw = json.loads(path.read_bytes())
        wrong = list(faults(raw))
        facts = facts_from(raw)
    except OSError as error:
        raise _problem("tokenizer-absent", f"cannot read {path}: {error.strerror}", path) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{path.name} is not a tokenizer.json: {error!r}"
        raise _problem("tokenizer-damaged", message, path) from error
    if wrong:
        raise _problem("tokenizer-form", f"{path.name} is no hrm-bpe: {'; '.join(wrong)}", path)
    own = fingerprint(facts.fingerprint)
    return evolve(tokenizer_capabilities(facts, read_measured(path, own)), fingerprint=own)


def fingerprint(ids: str) -> str:
    """Return the sha256 over what decides a view's ids: the file's fingerprint and the layout."""
    decides: dict[str, Any] = {"tokenizer": ids, "layout": LAYOUT_VERSION}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode("ascii")).hexdigest()


def _problem(code: str, message: str, path: Path) -> ModelError:
    return ModelError.of(code, message, where=f"{_WHERE}; {path}", fix=_FIX)
