"""arXiv identifiers, in the scheme of 1991 and in that of 2007, with their versions.

2104.12255v1        new: year and month, a number of four or five digits, a version
quant-ph/0201082v1  old: archive, year and month, a number of three digits
math.GT/0309136     old with a subject class, which is no part of the identity: math/0309136
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

_ARCHIVES: Final = (
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|"
    "cond-mat|cs|dg-ga|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math-ph|math|mtrl-th|nlin|"
    "nucl-ex|nucl-th|patt-sol|physics|plasm-ph|q-alg|q-bio|quant-ph|solv-int|supr-con"
)
_MONTH: Final = r"[0-9]{2}(?:0[1-9]|1[0-2])"
_NEW: Final = rf"{_MONTH}\.[0-9]{{4,5}}"
_OLD: Final = rf"(?:{_ARCHIVES})(?:\.[A-Za-z-]{{2,9}})?/{_MONTH}[0-9]{{3}}"
_VERSION: Final = r"(?:v(?P<version>[1-9][0-9]{0,3}))?"
_ADDRESS: Final = r"(?:https?://)?(?:www\.|export\.)?arxiv\.org/(?:abs|pdf|html|src|e-print)/"

_WHOLE: Final = re.compile(
    rf"(?:(?i:arxiv:)\s*|(?i:{_ADDRESS}))?(?P<name>{_NEW}|{_OLD}){_VERSION}"
    r"(?:\.pdf)?(?:[?#]\S*)?/?"
)
# In running text a bare 1234.5678 is a number; it names a paper only after "arXiv:" or in an
# address. An old identifier begins with the name of an archive and can stand by itself.
_NAMED: Final = re.compile(
    rf"(?:(?:(?i:arxiv:)\s*|(?i:{_ADDRESS}))(?P<new>{_NEW})|(?<![\w.-])(?P<old>{_OLD}))"
    rf"{_VERSION}(?![0-9])"
)
_CLASS: Final = re.compile(r"\.[A-Za-z-]+/")


@frozen
class Identifier:
    """A paper, or one version of it.

    Attributes:
        name: The identifier without version and subject class, the same over versions.
        version: The version from 1, or 0 for the latest.
    """

    name: str
    version: int = 0

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """Return the identifier that `text` is: bare, after ``arXiv:``, or an address.

        Raises:
            ValueError: If it is none.
        """
        match = _WHOLE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text[:80]!r} is no arXiv identifier (2104.12255v1, math/0309136)")
        return cls(_plain(match["name"]), int(match["version"] or 0))

    def __str__(self) -> str:
        return f"{self.name}v{self.version}" if self.version else self.name

    @property
    def url(self) -> str:
        """The address of the abstract."""
        return f"https://arxiv.org/abs/{self}"


def named_in(text: str) -> tuple[Identifier, ...]:
    """Return the papers that running text names, each once, in order, without versions."""
    names = (_plain(match["new"] or match["old"]) for match in _NAMED.finditer(text))
    return tuple(Identifier(name) for name in dict.fromkeys(names))


def _plain(name: str) -> str:
    return _CLASS.sub("/", name)
