"""Events: every plugin hears of them, and none can stop the agent or the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aegis.host.attribution import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pluggy

    from aegis.contracts.experience import Experience
    from aegis.errors import Problem
    from aegis.host.plugin import PluginInfo

EVENTS: Final = (
    "aegis_run_started",
    "aegis_step_finished",
    "aegis_training_progress",
    "aegis_training_finished",
    "aegis_checkpoint_promoted",
    "aegis_run_finished",
)
PATIENCE: Final = 3
"""Failures after which a plugin's hook is not called again in this process."""


class Events:
    """Call event hooks, in the order of the plugins.

    What a plugin raises is reported once, with its name, and the others are still called. A hook
    of a plugin that failed three times is not called again, and the last report says so.
    ``KeyboardInterrupt`` passes.
    """

    def __init__(
        self, manager: pluggy.PluginManager, loaded: Sequence[tuple[PluginInfo, object]]
    ) -> None:
        self._listeners = {
            hook: [(info, alone(manager, hook, plugin)) for info, plugin in loaded
                   if listens(manager, hook, plugin)]
            for hook in EVENTS
        }  # fmt: skip
        self._failures: dict[tuple[str, str], int] = {}
        self._report: Callable[[Problem], None] = _to_log

    def report_to(self, report: Callable[[Problem], None]) -> None:
        """Hand every failure to `report` from now on, instead of the log ``aegis.events``."""
        self._report = report

    def call(self, hook: str, **facts: Any) -> None:
        """Call one event hook of every plugin that has it.

        Raises:
            KeyError: If there is no such event.
        """
        for info, caller in tuple(self._listeners[hook]):
            try:
                caller(**facts)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a listener raises, the agent goes on
                self._failed(hook, info, error)

    def run_started(self, run: str, profile: str, *, resumed: bool) -> None:
        """Tell that a run has started."""
        self.call("aegis_run_started", run=run, profile=profile, resumed=resumed)

    def step_finished(self, experience: Experience) -> None:
        """Tell that a step is committed."""
        self.call("aegis_step_finished", experience=experience)

    def training_progress(self, trainer: str, metrics: Mapping[str, float]) -> None:
        """Tell how a training job gets on."""
        self.call("aegis_training_progress", trainer=trainer, metrics=metrics)

    def training_finished(
        self, trainer: str, checkpoint: str | None, metrics: Mapping[str, Any]
    ) -> None:
        """Tell that a training job has ended."""
        self.call(
            "aegis_training_finished", trainer=trainer, checkpoint=checkpoint, metrics=metrics
        )

    def checkpoint_promoted(
        self, engine: str, checkpoint: str | None, previous: str | None
    ) -> None:
        """Tell that other weights decide from the next step on."""
        self.call(
            "aegis_checkpoint_promoted", engine=engine, checkpoint=checkpoint, previous=previous
        )

    def run_finished(self, run: str, steps: int, reason: str) -> None:
        """Tell that a run has ended."""
        self.call("aegis_run_finished", run=run, steps=steps, reason=reason)

    def _failed(self, hook: str, info: PluginInfo, error: BaseException) -> None:
        count = self._failures.get((info.name, hook), 0) + 1
        self._failures[info.name, hook] = count
        problem = failure(info, hook, error)
        if count >= PATIENCE:
            self._listeners[hook] = [pair for pair in self._listeners[hook] if pair[0] != info]
            said = f"{problem.message}; failed {count} times and is not called again"
            problem = problem._replace(message=said)
        self._report(problem)


def listens(manager: pluggy.PluginManager, hook: str, plugin: object) -> bool:
    """Return whether `plugin` implements `hook`."""
    caller = getattr(manager.hook, hook)
    return any(impl.plugin is plugin for impl in caller.get_hookimpls())


def alone(manager: pluggy.PluginManager, hook: str, plugin: object) -> pluggy.HookCaller:
    """Return a caller of `hook` that reaches `plugin` only."""
    others = [other for other in manager.get_plugins() if other is not plugin]
    return manager.subset_hook_caller(hook, others)


def _to_log(problem: Problem) -> None:
    import logging

    logging.getLogger("aegis.events").error("%s", problem.render())
