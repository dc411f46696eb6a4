"""Running commands of the command line in projects below the work folder, and naming them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = ROOT / "benchmarks" / "results"
WORK: Final = ROOT / "data" / "run" / "results"
LIBRARY: Final = ROOT / "data" / "library"
_AEGIS: Final = "import sys; from aegis.cli.main import main; main(sys.argv[1:])"


def aegis(folder: Path, *words: object, seed: int | None = None) -> dict[str, Any]:
    """Run a command of the command line in a project and return what it answers as JSON."""
    shared = ["-C", str(folder), "--json", *([] if seed is None else ["--seed", str(seed)])]
    command = [sys.executable, "-c", _AEGIS, *shared, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"failed: {shown(words, seed)}", file=sys.stderr)
        sys.exit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def shown(words: Sequence[object], seed: int | None = None) -> str:
    """Return a command as a person types it, below the work folder."""
    said = " ".join(["aegis", *([] if seed is None else [f"--seed {seed}"]), *map(str, words)])
    return said.replace(f"{WORK}/", "")


def project(name: str, settings: str = "aegis.toml") -> Path:
    """Return a project's folder below the work folder; it is made where it is missing."""
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / settings, folder / "aegis.toml")
    (folder / "library").mkdir(exist_ok=True)
    return folder


def commit() -> str:
    """Return the commit that is measured, marked where files differ from it but for the results."""
    found = _git("rev-parse", "--short", "HEAD")
    results = [":!benchmarks/results/rows", ":!docs/results.md"]
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *results)
    return f"{found}-dirty" if found and changed else found or "unknown"


def _git(*words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
