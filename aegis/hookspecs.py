"""The hooks that a plugin may implement.

A plugin is a module (or object) that an entry point of the group ``aegis`` names, with functions
marked by ``aegis.hookimpl``. It implements the hooks that it needs and no others are required.
The host imports only plugins that ``[plugins].enabled`` names, and its own builtins.

Provider hooks are called once, when the host starts, in the order of ``[plugins].enabled``;
builtins come first. Event hooks are called by the running agent, all plugins in that same order;
an exception in one is reported with the plugin's name and the others are still called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import click

    from aegis.contracts.component import Component
    from aegis.contracts.experience import Experience

PROJECT: Final = "aegis"
PLUGIN_API: Final = 1
"""Version of the plugin interface. A plugin says ``plugin_api = 1`` at module level; the host
refuses a plugin that asks for another number."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def aegis_engines() -> Iterable[Component]:
    """Return the reasoning engines that this plugin provides.

    Called once by the host when it starts, before any configuration of the plugin is read.
    Must be cheap: no heavy import, no file, no network. Each component has kind ``engine``;
    ``build`` returns an object with the `Engine` protocol. Since plugin API 1.
    """
    raise AssertionError("specification only")


@hookspec
def aegis_tokenizers() -> Iterable[Component]:
    """Return the tokenizers that this plugin provides (kind ``tokenizer``).

    Called like `aegis_engines`; ``build`` returns a `Tokenizer`. ``describe`` states the largest
    id that the tokenizer can emit, added tokens included, and its fingerprint: the contract check
    compares both with the engine before either is built. Since plugin API 1.
    """
    raise AssertionError("specification only")


@hookspec
def aegis_trainers() -> Iterable[Component]:
    """Return the trainers that this plugin provides (kind ``trainer``).

    Called like `aegis_engines`; ``build`` returns a `Trainer`, ``describe`` a
    `TrainerCapabilities` with the engine kinds that it accepts. Since plugin API 1.
    """
    raise AssertionError("specification only")


@hookspec
def aegis_tools() -> Iterable[Component]:
    """Return the tools that this plugin provides (kind ``tool``).

    Called like `aegis_engines`, in the host and again in the plugin's worker process, where calls
    are carried out; ``build`` returns a `Tool` and must work in both. Since plugin API 1.
    """
    raise AssertionError("specification only")


@hookspec
def aegis_environments() -> Iterable[Component]:
    """Return the environments that this plugin provides (kind ``environment``).

    Called like `aegis_engines`; ``build`` returns an `Environment`. Since plugin API 1.
    """
    raise AssertionError("specification only")


@hookspec
def aegis_commands() -> Iterable[click.Command]:
    """Return click commands to add to ``aegis``.

    Called by the command line when a name is not one of its own, and for ``aegis --help`` never
    (the help stays instant); ``aegis plugins list`` shows them. Since plugin API 1.
    """
    raise AssertionError("specification only")


@hookspec
def aegis_run_started(run: str, profile: str, resumed: bool) -> None:
    """Note that a run has started: after the check and the build, before the first step.

    Args:
        run: Identifier of the run, stable over resumes.
        profile: Name of the profile that decides.
        resumed: Whether earlier steps of this run exist.

    The return is ignored. Since plugin API 1.
    """


@hookspec
def aegis_step_finished(experience: Experience) -> None:
    """Note one finished step, after it was committed to the ledger.

    Called by the loop in its own thread: what is slow here slows the agent. The return is
    ignored. Since plugin API 1.
    """


@hookspec
def aegis_training_progress(trainer: str, metrics: Mapping[str, float]) -> None:
    """Note the progress of a training job (loss, examples, seconds, ...).

    Called by the process that runs the loop whenever the job reports. The return is ignored.
    Since plugin API 1.
    """


@hookspec
def aegis_training_finished(
    trainer: str, checkpoint: str | None, metrics: Mapping[str, Any]
) -> None:
    """Note the end of a training job; ``checkpoint`` is None where it failed.

    The return is ignored. Since plugin API 1.
    """


@hookspec
def aegis_checkpoint_promoted(engine: str, checkpoint: str | None, previous: str | None) -> None:
    """Note that other weights decide from the next step on.

    Args:
        engine: Name of the engine.
        checkpoint: What decides now; None after a rollback to the configured weights.
        previous: What decided until now; None for the same.

    The return is ignored. Since plugin API 1.
    """


@hookspec
def aegis_run_finished(run: str, steps: int, reason: str) -> None:
    """Note that a run has ended, with the reason (``steps``, ``interrupted``, ``idle``, ...).

    Called once, also on Ctrl-C and after an error. The return is ignored. Since plugin API 1.
    """
