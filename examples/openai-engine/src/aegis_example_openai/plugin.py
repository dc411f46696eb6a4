"""What this plugin offers: the engine ``openai-compatible``."""

from __future__ import annotations

from typing import Any

from attrs import frozen

import aegis

plugin_api, MODES = 1, ("auto", "logprobs", "choice")


@frozen
class Settings:
    """Settings of the engine."""

    base_url: str = aegis.setting("http://127.0.0.1:8000/v1", help="Address of the API.")
    model: str = aegis.setting("default", help="Name of the model at the server.")
    api_key_env: str = aegis.setting("", help="NAME of the environment variable with the key.")
    timeout: float = aegis.setting(30.0, help="Seconds without an answer.", gt=0, le=600)
    mode: str = aegis.setting("auto", help="Which endpoint scores candidates.", choices=MODES)
    smoothing: float = aegis.setting(0.1, help="Uniform share of a choice.", gt=0, le=1)


def _build(settings: Settings, _: object, runtime: aegis.Runtime) -> Any:
    from aegis_example_openai.engine import OpenAIEngine

    return OpenAIEngine(settings, offline=runtime.offline)


@aegis.hookimpl
def aegis_engines() -> list[aegis.Component]:
    """Offer the engine."""
    can, what = aegis.EngineCapabilities("openai-compatible"), "Scores by a server's model."
    named: Any = {"kind": "engine", "name": can.kind, "summary": what, "describe": lambda _: can}
    return [aegis.Component(**named, config=Settings, build=_build)]
