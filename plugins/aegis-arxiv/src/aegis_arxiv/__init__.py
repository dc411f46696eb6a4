"""Papers of arXiv for Aegis: the tool ``search_arxiv``."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
