"""One-line text: how anything becomes one line without losing or forging structure.

Titles and abstracts come from outside. They are written into views and candidates, whose
structure is made of line breaks and bars; so these are escaped, reversibly.
"""

from __future__ import annotations

import re
from typing import Final

BAR: Final = " | "

# Line breaks as str.splitlines knows them, other controls, surrogates, and the two bytes that
# the escapes themselves use.
_UNSAFE: Final = re.compile("[\\\\|\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")
_NAMED: Final = {"\\": "\\\\", "|": "\\p", "\n": "\\n", "\t": "\\t"}
_ESCAPE: Final = re.compile(r"\\(\\|p|n|t|u[0-9a-f]{4})")
_BACK: Final = {"\\": "\\", "p": "|", "n": "\n", "t": "\t"}


def escape(text: str) -> str:
    """Return `text` as one line without bars; `unescape` gives it back exactly."""
    return _UNSAFE.sub(lambda m: _NAMED.get(m[0]) or f"\\u{ord(m[0]):04x}", text)


def unescape(line: str) -> str:
    """Return the text that `escape` turned into `line`."""
    return _ESCAPE.sub(lambda m: _BACK.get(m[1]) or chr(int(m[1][1:], 16)), line)


def one_line(text: str, limit: int) -> str:
    """Return `text` with runs of white space folded, cut to `limit` characters for display."""
    folded = " ".join(text.split())
    return folded if len(folded) <= limit else folded[: limit - 1].rstrip() + "…"
