"""What components say about themselves before they are built.

``Component.describe`` returns one of these from JSON files and safetensors headers, without
heavy imports. A field that is None does not apply. A fact that exists but cannot be known
cheaply is named in `unverified`: the check shows it as such, and the host checks it again on the
built object, whose own ``capabilities`` have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    from pathlib import Path


@frozen
class EngineCapabilities:
    """What an engine is and can do.

    Attributes:
        kind: What trainers accept it as: ``causal-lm``, ``hrm``, ``rules``, ...
        embedding_rows: Rows of the token embedding; ids must be below. May exceed what the
            tokenizer uses.
        context_length: Tokens that fit at once.
        writes_text: Whether `write` fills free-text slots.
        trainable: Whether it has weights that a trainer may change.
        adapters: Names of modules that an adapter can attach to.
        tokenizer_fingerprint: Fingerprint of the tokenizer that its weights were trained with.
        tokenizer_max_id: Largest id of the tokenizer that it brings itself, where it brings one.
        parameters: Number of weights.
        weights: Short digest that identifies the weights; recorded with every decision.
        memory_bytes: Estimated memory of the loaded engine.
        characters_per_token: How many characters of a view one token holds, at the low end.
        order_independent: Whether a candidate's probability does not hang on where it stands
            among the others.
        unverified: Names of the fields above that exist and are not known yet.
        files: Files that its weights are read from, where they are files; what was measured of
            them holds as long as their content stays.
    """

    kind: str
    embedding_rows: int | None = None
    context_length: int | None = None
    writes_text: bool = False
    trainable: bool = False
    adapters: frozenset[str] = frozenset()
    tokenizer_fingerprint: str | None = None
    tokenizer_max_id: int | None = None
    parameters: int | None = None
    weights: str | None = None
    memory_bytes: int | None = None
    characters_per_token: float | None = None
    order_independent: bool = False
    unverified: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


@frozen
class TokenizerCapabilities:
    """What a tokenizer emits.

    Attributes:
        max_token_id: The largest id that `encode` can return, added tokens included.
        fingerprint: Digest of what decides how text becomes ids (ordered vocabulary, merges,
            normaliser, special tokens).
        vocab_size: Number of entries, for reports; never compared with anything.
        special_tokens: Special tokens and their ids.
        characters_per_token: How many characters of a view one token holds, at the low end.
        unverified: Names of the fields above that exist and are not known yet.
    """

    max_token_id: int | None
    fingerprint: str | None = None
    vocab_size: int | None = None
    special_tokens: dict[str, int] = field(factory=dict)
    characters_per_token: float | None = None
    unverified: tuple[str, ...] = ()


@frozen
class TrainerCapabilities:
    """What a trainer needs.

    Attributes:
        accepts: Engine kinds that it trains.
        adapter_targets: Modules that it wants to adapt; each must be among the engine's
            `adapters` where the engine knows them.
        needs_candidates: Whether it needs rows with candidates and probabilities.
        unverified: As above.
    """

    accepts: frozenset[str]
    adapter_targets: frozenset[str] = frozenset()
    needs_candidates: bool = True
    unverified: tuple[str, ...] = ()


@frozen
class ToolCapabilities:
    """What a tool asks of the composition.

    Attributes:
        text_slot: Argument that it leaves to an engine that writes, or None.
        closed_candidates: Whether it proposes fully specified calls too, so that an engine that
            does not write can use it.
        network: Whether it reaches the network.
        unverified: As above.
    """

    text_slot: str | None = None
    closed_candidates: bool = True
    network: bool = False
    unverified: tuple[str, ...] = ()


@frozen
class EnvironmentCapabilities:
    """What an environment is.

    Attributes:
        version: Version of its rules; results name it.
        seeded: Whether the same seed gives the same episode.
        text_slot: Whether it leaves slots to engines that write.
        splits: Whether its settings have the key ``split`` (``practice``, ``validation``,
            ``test``) and episodes of different splits have nothing in common. It is practised in
            the first, judged in the second, and reported on the third. Where it has none, these
            are other seeds.
        measure: What its figures are: ``return``, or ``success`` (the share of episodes whose
            goal was reached).
        content: Digest of the files that it plays over; empty where there are none. Figures of
            different contents are never put together.
        library: Whether it plays over the agent's library, whose files then are its content.
        life: Whether it is the agent's own life, which only a running agent can build
            (`Runtime.life`).
        unverified: As above.
    """

    version: str = "1"
    seeded: bool = True
    text_slot: bool = False
    splits: bool = False
    measure: Literal["return", "success"] = "return"
    content: str = ""
    library: bool = False
    life: bool = False
    unverified: tuple[str, ...] = ()


Capabilities = (
    EngineCapabilities
    | TokenizerCapabilities
    | TrainerCapabilities
    | ToolCapabilities
    | EnvironmentCapabilities
)
