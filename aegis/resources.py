"""Files that ship with the host: the sample library and the default configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
_SHIPPED: Final = _PACKAGE / "_data"


def library() -> Path:
    """Return the folder of the sample library: of the wheel, or of the source tree."""
    return _first(_SHIPPED / "library", _PACKAGE.parent / "data" / "library")


def configuration() -> Path:
    """Return the default aegis.toml: of the wheel, or of the source tree."""
    return _first(_SHIPPED / "aegis.toml", _PACKAGE.parent / "aegis.toml")


def _first(*places: Path) -> Path:
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(f"the installation is incomplete: {places[0]} is missing")
