"""The host's own sections of aegis.toml, each an attrs class: names, defaults, limits, help.

The sections of components are classes of their plugins. The schema, `aegis config show` and the
reference are made from these declarations, so each key is described here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from aegis.contracts.component import setting
from aegis.contracts.experience import Origin  # noqa: TC001 - its names are the keys allowed

if TYPE_CHECKING:
    from collections.abc import Mapping

Consent = Literal["auto", "gate", "ask", "never"]
"""How a change is approved: at once; when the gate passes; by a person; not at all."""

_SEED_LIMIT: Final = 2**63 - 1


@frozen(kw_only=True)
class ExplorationSettings:
    """How behaviour departs from the engine.

    It is sampled from (1-epsilon) * softmax(score/temperature) + epsilon/n over n candidates.
    """

    epsilon: float = setting(0.05, ge=0, le=1, help="Share of decisions taken uniformly at random.")
    epsilon_untrained: float | None = setting(
        None, ge=0, le=1, help="The same as long as no checkpoint decides; epsilon by default."
    )
    temperature: float = setting(
        1.0, gt=0, le=100, help="Divides the scores: below 1 is greedier, above 1 more even."
    )

    def share(self, checkpoint: str | None) -> float:
        """Return epsilon for a checkpoint that decides, or for none."""
        if checkpoint is None and self.epsilon_untrained is not None:
            return self.epsilon_untrained
        return self.epsilon


@frozen(kw_only=True)
class RewardSettings:
    """The reward of one step: the sum of what applies."""

    new_item: float = setting(1.0, help="For each new relevant item of knowledge.")
    failed_search: float = setting(-0.5, help="For a search that failed or found nothing.")
    goal_completed: float = setting(3.0, help="For the step that completes the goal.")
    read: float = setting(0.2, help="For reading a document for the first time.")
    note: float = setting(0.1, help="For writing a note.")
    step: float = setting(0.0, help="For any step; a small negative number favours short episodes.")


@frozen(kw_only=True)
class ViewSettings:
    """Budgets of the view: how much an engine is shown at one step."""

    characters: int = setting(
        1400, ge=200, le=100_000, help="Characters that the whole view holds at most."
    )
    knowledge: int = setting(6, ge=0, le=100, help="Documents shown that were read.")
    found: int = setting(6, ge=0, le=100, help="Documents shown that were found and not yet read.")
    recent: int = setting(6, ge=0, le=100, help="Earlier steps of the episode shown.")
    gaps: int = setting(4, ge=0, le=100, help="Unexplained terms shown.")
    facts: int = setting(2, ge=0, le=100, help="Retrieved sentences shown.")
    candidate_characters: int = setting(
        120, ge=20, le=2000, help="Characters of one candidate's text at most."
    )


@frozen(kw_only=True)
class AgentSettings:
    """What the agent is interested in and how it lives."""

    interests: tuple[str, ...] = setting((), help="Subjects that it sets itself goals about.")
    library: str = setting(
        "data/library", path="always", help="Folder of your own notes and papers."
    )
    practice_when_idle: bool = setting(
        True, help="Whether it practises in research-gym when nothing is left to learn."
    )
    episode_steps: int = setting(
        40, ge=1, le=10_000, help="Steps given to one goal before it is put aside."
    )
    coverage: int = setting(
        3, ge=1, le=20, help="Documents to read that speak of a goal's term until it is covered."
    )
    candidates: int = setting(24, ge=1, le=256, help="Candidates offered at one step, at most.")
    stale_days: float = setting(
        30.0, ge=0, help="Days after which a search may be repeated; 0 for never."
    )
    tools: tuple[str, ...] | None = setting(
        None, help="Names of the tools that are on; without it, all of the enabled plugins."
    )
    exploration: ExplorationSettings = setting(
        factory=ExplorationSettings, help="How behaviour departs from the engine."
    )
    rewards: RewardSettings = setting(factory=RewardSettings, help="What a step earns.")
    view: ViewSettings = setting(factory=ViewSettings, help="How much an engine is shown.")


@frozen(kw_only=True)
class PluginSettings:
    """Which plugins are loaded."""

    enabled: tuple[str, ...] = setting(
        (),
        help="Allow-list of entry-point names ('hrm', 'hrm>=0.1') and local .py files; "
        "builtin plugins need no entry.",
    )


@frozen(kw_only=True)
class PhaseSettings:
    """Which trainer serves which phase of learning; collecting uses the profile's engine."""

    imitate: str | None = setting(None, help="Trainer that imitates a teacher or the own past.")
    reinforce: str | None = setting(None, help="Trainer that learns from rewards.")


@frozen(kw_only=True)
class ProfileSettings:
    """A named composition: which engine decides, with what, and where."""

    engine: str = setting(help="Engine that decides.")
    tokenizer: str | None = setting(
        None, help="Tokenizer of the engine; the same as `tokenizer` in the engine's section."
    )
    environment: str = setting("research", help="Where candidates come from.")
    phases: PhaseSettings = setting(factory=PhaseSettings, help="Trainers of this profile.")


@frozen(kw_only=True)
class RuntimeSettings:
    """The machine."""

    device: str = setting(
        "auto", choices=("auto", "cpu", "cuda", "mps"), help="Where arithmetic runs."
    )
    threads: int = setting(0, ge=0, le=1024, help="Threads for arithmetic; 0 for all.")
    seed: int = setting(0, ge=0, le=_SEED_LIMIT, help="All randomness derives from it.")
    offline: bool = setting(False, help="Whether nothing may touch the network.")


@frozen(kw_only=True)
class LearningSettings:
    """When training starts, and what it is given."""

    min_examples: int = setting(
        1000,
        ge=1,
        help="Not used yet: examples needed before training first starts by itself.",
    )
    every: int = setting(
        100, ge=1, help="Not used yet: new examples after which it starts by itself again."
    )
    holdout: float = setting(
        0.15,
        ge=0.01,
        le=0.5,
        help="Share of episodes held out to judge by, never trained on.",
    )
    discount: float = setting(
        1.0, gt=0, le=1, help="What a reward one step later is worth; 1 for as much as one now."
    )
    duplicates: float = setting(
        0.5,
        ge=0,
        le=1,
        help="Largest share of decisions that repeat an earlier one; above it nothing is trained.",
    )
    origins: Mapping[Origin, float] = setting(
        factory=lambda: {"import": 0.5},
        ge=0,
        le=1,
        help="Largest share of the examples that an origin may have where there are several.",
    )
    variants: int = setting(
        0,
        ge=0,
        le=10_000,
        help="Further demonstrations made of each step by symmetries of its environment, where it "
        "knows any (babyai: mirrored, colours and objects renamed, other things around).",
    )
    curriculum: bool = setting(
        False,
        help="Whether the simplest variants are trained on first, where the environment knows "
        "which those are (babyai: missions that name few colours and types).",
    )
    minutes: float = setting(
        120.0, gt=0, le=100_000, help="Minutes that one training job may take, by the clock."
    )
    memory_mb: int = setting(
        0,
        ge=0,
        le=100_000_000,
        help="Megabytes of memory that one training job may take; 0 for nine tenths of all.",
    )
    judge_episodes: int = setting(
        40,
        ge=1,
        le=100_000,
        help="Episodes of the seeded environment in which old and new weights are compared.",
    )


@frozen(kw_only=True)
class ApprovalSettings:
    """Who approves what: auto, gate (auto when the gate passes), ask, never."""

    train: Consent = setting("auto", help="Starting a training job.")
    promote: Consent = setting("gate", help="Serving new weights.")
    configuration: Consent = setting("ask", help="A change of this file that the agent proposes.")


@frozen(kw_only=True)
class Settings:
    """Everything in aegis.toml but the sections of components."""

    profile: str = setting("rules", help="Profile in use: one of this file's, rules or random.")
    agent: AgentSettings = setting(factory=AgentSettings, help="The agent's life.")
    plugins: PluginSettings = setting(factory=PluginSettings, help="Which plugins are loaded.")
    profiles: Mapping[str, ProfileSettings] = setting(factory=dict, help="Compositions by name.")
    runtime: RuntimeSettings = setting(factory=RuntimeSettings, help="The machine.")
    learning: LearningSettings = setting(factory=LearningSettings, help="When and on what.")
    approvals: ApprovalSettings = setting(
        factory=ApprovalSettings, help="Not used yet: who approves what."
    )


BUILTIN_PROFILES: Final[Mapping[str, ProfileSettings]] = {
    "rules": ProfileSettings(engine="rules"),
    "random": ProfileSettings(engine="random"),
}
"""The baselines; they exist in every project and cannot be redefined."""
