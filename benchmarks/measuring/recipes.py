"""The rows of docs/results.md: which task, which recipe, how many demonstrations, which target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LEVELS: Final = ("GoToRedBall", "GoToLocal", "PickupLoc", "PutNextLocal")
TRACKS: Final = ("unmarked", "marked")
LADDER: Final = (100, 500, 1000, 5000)
TARGETS: Final[Mapping[tuple[str, str], float]] = {
    ("GoToRedBall", "marked"): 0.99,
    ("GoToRedBall", "unmarked"): 0.98,
    ("GoToLocal", "marked"): 0.99,
    ("GoToLocal", "unmarked"): 0.90,
    ("PickupLoc", "marked"): 0.96,
    ("PickupLoc", "unmarked"): 0.60,
    ("PutNextLocal", "marked"): 0.80,
}
"""Success at 1,000 demonstrations that is hoped for; unmarked PutNextLocal has none."""

_FORMS: Final = 120_000
"""Forms of a step times demonstrations: rows have as many examples, more than they get to."""
_UNMARKED: Final = 120
"""Forms of a step at most where a model has to find out what words mean: with ten times as many of
a hundred demonstrations it knew each of them by heart and nothing else (docs/log.md)."""

FIRST: Final = 1024
"""First test episode: figures of those before were known while the recipe was sought, and some of
them were looked at to find out what a policy lacks."""


@frozen
class Recipe:
    """How weights are made from demonstrations.

    Attributes:
        profile: Profile of benchmarks/results/aegis.toml.
        prepare: Command before the training, in words of `str.format` with ``data``, ``seed`` and
            ``model``; empty for none.
        sets: Overrides of the training, in the same words.
        kind: What decides, for the table.
    """

    profile: str
    kind: str
    prepare: tuple[str, ...] = ()
    sets: tuple[str, ...] = field(factory=tuple)


RECIPES: Final[Mapping[str, Recipe]] = {
    "gpt2": Recipe(
        profile="small-gpt2",
        kind="GPT-2",
        prepare=(
            *("model", "new", "{model}", "--data", "{data}", "--layers", "3", "--width", "128"),
            *("--heads", "8", "--context", "512", "--vocabulary", "512"),
        ),
        sets=("engine.gpt2.model={model}",),
    ),
    "hrm": Recipe(profile="small-hrm", kind="HRM"),
}


@frozen
class BabyRow:
    """One row: a level, a track, a recipe and a number of demonstrations.

    Attributes:
        level: The level.
        track: ``marked`` or ``unmarked``.
        recipe: Name of the recipe.
        demonstrations: Episodes of the bot that are trained on.
        seeds: Training seeds; what the row has of others is put together with them.
    """

    level: str
    track: str
    recipe: str
    demonstrations: int = 1000
    seeds: tuple[int, ...] = field()

    @seeds.default
    def _seeds(self) -> tuple[int, ...]:
        return (0, 1, 2) if self.demonstrations == 1000 and self.recipe == "gpt2" else (0,)

    @property
    def name(self) -> str:
        """Its name, which is that of its file."""
        return f"babyai-{self.level}-{self.track}-{self.recipe}-{self.demonstrations}"

    @property
    def task(self) -> str:
        """Its task."""
        return f"babyai:{self.level}:{self.track}"

    @property
    def first(self) -> int:
        """Seed of the first test episode."""
        return FIRST

    @property
    def variants(self) -> int:
        """Forms of each step beside its own: with fewer demonstrations more, if not too many."""
        forms = _FORMS // self.demonstrations
        return min(forms, _UNMARKED) if self.track == "unmarked" else forms

    @property
    def target(self) -> float | None:
        """What is hoped for."""
        if self.demonstrations != 1000 or self.recipe != "gpt2":
            return None
        return TARGETS.get((self.level, self.track))


@frozen
class GymRow:
    """One row: policies in research-gym over a corpus.

    Attributes:
        name: Its name, which is that of its file.
        title: What is played over.
        text: What stands below the title.
        papers: Whether a corpus has to be given (`--corpus`); else the sample library is played.
        episodes: Test episodes.
        first: Seed of the first one.
    """

    name: str
    title: str
    text: str
    papers: bool
    episodes: int = 200
    first: int = 0


GYM_ROWS: Final = (
    GymRow(
        "research-gym-library",
        "The sample library",
        "235 notes, 8 of them relevant to a topic; what anybody can run.",
        papers=False,
    ),
    GymRow(
        "research-gym-papers",
        "20,000 abstracts",
        "Real titles and abstracts of arXiv, 20 of them relevant to a topic; topics 200 to 399, "
        "which no choice was made on.",
        papers=True,
        first=200,
    ),
)


@frozen
class ImproveRow:
    """One row: an agent in research-gym that learns from its own practice, round after round.

    Attributes:
        name: Its name, which is that of its file.
        title: Who learns where.
        text: What stands below the title.
        profile: Profile of benchmarks/results/improving.toml.
        papers: Whether a corpus has to be given (`--corpus`); else the sample library is played.
        shown: Rounds after which it is measured; the last one is the last round.
        steps: Practice steps of a round.
        episodes: Test episodes.
        first: Seed of the first one.
    """

    name: str
    title: str
    text: str
    profile: str
    papers: bool
    shown: tuple[int, ...]
    steps: int = 1000
    episodes: int = 200
    first: int = 0

    @property
    def rounds(self) -> int:
        """Rounds of practice and training."""
        return self.shown[-1]


_ALL: Final = (
    "A round is 1,000 steps of its own practice and a training on all steps so far; nothing is "
    "judged in between. The first practice is at random."
)
_NEWEST: Final = (
    "A round is 1,000 steps of its own practice, the first ones at random, and a training: "
    "`policy-distillation` on the newest 1,000 steps and two decisions beside each that are put "
    "together from several, once over, with a critic of all steps so far. Nothing is judged in "
    "between."
)
IMPROVE_ROWS: Final = (
    ImproveRow(
        "improve-papers-mini",
        "`builtin:mini` in 20,000 abstracts, by its own practice",
        _NEWEST + " Topics 200 to 599.",
        "mini",
        papers=True,
        shown=(1, 3, 10),
        episodes=400,
        first=200,
    ),
    ImproveRow(
        "improve-library-values",
        "`action-values` in the sample library, by its own practice",
        _ALL,
        "values",
        papers=False,
        shown=(1, 3, 10),
    ),
    ImproveRow(
        "improve-papers-values",
        "`action-values` in 20,000 abstracts, by its own practice",
        _ALL + " Topics 200 to 399.",
        "values",
        papers=True,
        shown=(1, 3, 10),
        first=200,
    ),
    ImproveRow(
        "improve-library-mini",
        "`builtin:mini` in the sample library, by its own practice",
        _NEWEST,
        "mini",
        papers=False,
        shown=(1, 3, 10),
        episodes=400,
    ),
    ImproveRow(
        "improve-library-hrm",
        "`hrm` in the sample library, by its own practice",
        _NEWEST,
        "hrm",
        papers=False,
        shown=(1, 3, 10),
    ),
)


def baby_rows() -> Iterator[BabyRow]:
    """Yield the rows, the most wanted first."""
    for recipe in RECIPES:
        for level in LEVELS:
            for track in TRACKS:
                yield BabyRow(level, track, recipe)
    for recipe in RECIPES:
        for track in TRACKS:
            for count in LADDER:
                if count != 1000:
                    yield BabyRow("GoToLocal", track, recipe, count)
