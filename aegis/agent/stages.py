"""The two stages of a run: the agent's own life, and practice in a seeded environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.agent.research import ResearchEnvironment
    from aegis.contracts.experience import Experience, Origin
    from aegis.contracts.roles import Environment
    from aegis.contracts.view import View


@define
class Life:
    """The agent's own life: its state is in the ledger's database."""

    environment: ResearchEnvironment
    name: str = "research"
    origin: Origin = "own"

    @property
    def generator(self) -> str:
        """Version of what makes views and candidates."""
        return self.environment.generator

    def begin(self, seed: int) -> View:
        """Begin the next goal."""
        return self.environment.reset(seed)

    def resume(self, seed: int, episode: Sequence[Experience]) -> View:  # noqa: ARG002 - life is not seeded
        """Go on with the open goal."""
        return self.environment.resume(episode)

    def prepare(self, step: int, key: str) -> None:
        """Name the step that comes next and its idempotency key."""
        self.environment.at(step, key)

    def wait(self) -> float:
        """Return the seconds until a resting tool offers again."""
        return self.environment.wait


@define
class Seeded:
    """A seeded environment: an open episode is resumed by playing its steps again."""

    environment: Environment
    name: str
    origin: Origin
    generator: str

    def begin(self, seed: int) -> View:
        """Begin the episode of a seed."""
        return self.environment.reset(seed)

    def resume(self, seed: int, episode: Sequence[Experience]) -> View:
        """Play the episode's steps again and return the view after them."""
        view = self.environment.reset(seed)
        for experience in episode:
            assert experience.decision.action is not None
            self.environment.candidates(view)
            view = self.environment.step(experience.decision.action).view
        return view

    def prepare(self, step: int, key: str) -> None:
        """Do nothing: a seeded environment has no effects that a key must guard."""

    def wait(self) -> float:
        """Return 0: nothing here rests."""
        return 0.0
