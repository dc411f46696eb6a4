"""Checks of a plugin as a whole: what importing it costs, its hooks, its distribution."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Final

from aegis.host.plugin import LOCAL
from aegis.testing.checks import Broken, check
from aegis.testing.subject import only_if

if TYPE_CHECKING:
    from aegis.testing.subject import Subject

HEAVY: Final = ("torch", "transformers", "peft", "sklearn", "scipy", "pandas", "ray", "mcp")
"""What no entry-point module may import: the command line waits for it."""

_LOADED: Final = """
import json, sys
from pathlib import Path
from aegis.host.manager import Host
host = Host.load([sys.argv[1]], Path(sys.argv[2]))
print(json.dumps(sorted(name for name in sys.argv[3:] if name in sys.modules)))
"""


@check("plugin-light")
def imports_nothing_heavy(subject: Subject) -> None:
    """Importing the plugin, and asking it what it provides, imports nothing heavy."""
    info = subject.chosen.plugin
    only_if(not info.builtin, "it ships with the host")
    done = subprocess.run(  # noqa: S603 - this interpreter, with this plugin
        [sys.executable, "-c", _LOADED, info.name, str(subject.runtime().project), *HEAVY],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise Broken(
            f"a process of its own cannot load it: {done.stderr.strip().splitlines()[-1]:.200}",
            cause="it hangs on something that this process has set up",
            fix="load it with: aegis plugins list",
        )
    heavy = json.loads(done.stdout)
    if heavy:
        raise Broken(
            f"loading it imports {', '.join(heavy)}",
            cause="an import at the top of the entry-point module, or of one that it imports",
            fix="import it inside build",
        )


@check("plugin-hooks")
def hooks_are_known(subject: Subject) -> None:
    """Every hook that it implements is one that this host calls."""
    unknown = subject.chosen.plugin.warnings
    if unknown:
        raise Broken(
            unknown[0].message,
            cause="a slip in the name, or a hook of a newer host",
            fix=unknown[0].fix,
        )


@check("plugin-requires")
def requires_a_range_of_the_host(subject: Subject) -> None:
    """Its distribution asks for a range of aegis-agents."""
    info = subject.chosen.plugin
    only_if(not info.builtin and info.distribution != LOCAL, "it is no distribution of its own")
    from packaging.requirements import Requirement

    asked = [Requirement(text) for text in metadata.requires(info.distribution) or ()]
    own = [one for one in asked if one.name == "aegis-agents"]
    bounded = any(part.operator in ("<", "<=", "==", "~=") for one in own for part in one.specifier)
    if not bounded:
        said = str(own[0]) if own else "nothing"
        raise Broken(
            f"of the host it requires {said}",
            cause="no upper bound: the next plugin API would be taken for this one",
            fix='dependencies = ["aegis-agents>=0.1,<0.2"]',
        )


@check("plugin-typed")
def is_typed(subject: Subject) -> None:
    """Its package says that it is typed."""
    info = subject.chosen.plugin
    only_if(not info.builtin and info.distribution != LOCAL, "it is no distribution of its own")
    for entry in metadata.entry_points(group="aegis"):
        if entry.name == info.name and entry.dist is not None:
            from importlib.resources import files

            package = entry.module.partition(".")[0]
            if not (files(package) / "py.typed").is_file():
                raise Broken(
                    f"package {package} has no file py.typed",
                    cause="it was forgotten",
                    fix=f"add an empty file {package}/py.typed",
                )
