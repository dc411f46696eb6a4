"""The engine ``openai-compatible``: log-probabilities of candidates from a server's model."""

from __future__ import annotations

import os
import re
from statistics import fmean
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np

import aegis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ASK = "Choose the next action. Answer with the label of one action, as JSON with the key choice."
CHAT, REFUSED = "chat/completions", (400, 404, 405, 422, 501)  # refused: no echo, no such format
BROKEN = (LookupError, TypeError, ValueError, AttributeError)  # an answer of another shape


class OpenAIEngine:
    """Scores by the mean log-probability of a candidate's tokens, or by a choice, smoothed."""

    def __init__(self, settings: Any, *, offline: bool) -> None:
        self.capabilities = aegis.EngineCapabilities("openai-compatible")
        self._settings, self._mode = settings, settings.mode
        self._key = os.environ.get(settings.api_key_env, "")
        local = re.fullmatch(r"localhost|::1|127(\.\d+){3}", httpx2.URL(settings.base_url).host)
        if offline and not local:
            raise self._error("offline", "offline, only this machine is asked", "name 127.0.0.1")
        if settings.api_key_env and not self._key:
            raise self._error("key", f"the variable {settings.api_key_env} is empty", "export it")
        head = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        told: Any = {"base_url": settings.base_url, "timeout": settings.timeout, "headers": head}
        self._client = httpx2.Client(**told, trust_env=not local)  # no proxy here

    def score(self, view: aegis.View, candidates: Sequence[aegis.Action]) -> Any:
        """Return log-probabilities, (n,)."""
        if not candidates:
            return np.zeros(0)
        scores = None if self._mode == "choice" else self._by_tokens(view, candidates)
        if scores is None and self._mode == "logprobs":
            raise self._error("logprobs", "it gives no log-probabilities", 'set mode = "auto"')
        if scores is None:
            self._mode, scores = "choice", self._by_choice(view, candidates)
        return scores - np.logaddexp.reduce(scores)

    def score_batch(self, items: Iterable[tuple[aegis.View, Sequence[aegis.Action]]]) -> list[Any]:
        """Return what `score` returns for each item."""
        return [self.score(view, candidates) for view, candidates in items]

    def save(self, directory: object) -> None:
        """Write nothing: the weights are the server's."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _by_tokens(self, view: aegis.View, candidates: Sequence[aegis.Action]) -> Any:
        prompt = f"{view.render()}\nnext:"
        texts = [f"{prompt} {action.render()}" for action in candidates]
        body = {"prompt": texts, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
        try:  # a server without echo refuses, or answers without log-probabilities of the prompt
            choices = self._post("completions", body, REFUSED)["choices"]
            told = [choice["logprobs"] for choice in sorted(choices, key=lambda c: c["index"])]
            pairs = [zip(t["text_offset"], t["token_logprobs"], strict=True) for t in told]
            rows = zip(texts, pairs, strict=True)
            means = [fmean(v for at, v in p if len(prompt) <= at < len(t)) for t, p in rows]
            return np.clip(means, -1e6, 0.0)
        except BROKEN:
            return None

    def _by_choice(self, view: aegis.View, candidates: Sequence[aegis.Action]) -> Any:
        count, share = len(candidates), self._settings.smoothing
        labels = [chr(65 + i) if count <= 26 else str(i + 1) for i in range(count)]
        lines = [view.render(), *(f"{labels[i]}. {a.render()}" for i, a in enumerate(candidates))]
        said = [{"role": "system", "content": ASK}, {"role": "user", "content": "\n".join(lines)}]
        body = {"messages": said, "temperature": 0, "logprobs": True, "top_logprobs": 20}
        schema = {"type": "object", "properties": {"choice": {"enum": labels}}}
        form = {"type": "json_schema", "json_schema": {"name": "choice", "schema": schema}}
        formed = self._post(CHAT, {**body, "response_format": form}, REFUSED)
        try:
            one = (formed or self._post(CHAT, body))["choices"][0]
            *_, chosen = (w for w in re.findall(r"\w+", one["message"]["content"]) if w in labels)
            tokens = reversed((one.get("logprobs") or {}).get("content") or [])
            told = [t["top_logprobs"] for t in tokens if t["token"].strip(' "') == chosen] or [[]]
            odds = {t["token"].strip(' "'): np.exp(t["logprob"]) for t in reversed(told[0])}
        except BROKEN as error:
            raise self._error("choice", "it chose no candidate", "name another model") from error
        mass = np.array([({chosen: 1.0} | odds).get(label, 0.0) + 1e-9 for label in labels])
        return np.log((1 - share) * mass / mass.sum() + share / count)

    def _post(self, path: str, body: dict[str, Any], refused: tuple[int, ...] = ()) -> Any:
        try:
            reply = self._client.post(path, json={"model": self._settings.model, **body})
            answer = reply.json() if reply.is_success else None
        except (httpx2.HTTPError, ValueError) as error:
            why = f"no JSON answer within {self._settings.timeout:g} s ({type(error).__name__})"
            raise self._error("no-answer", why, "check base_url, or raise timeout") from error
        if not reply.is_success and reply.status_code not in refused:
            code, wait = reply.status_code, reply.headers.get("retry-after")
            fix = f"wait {wait} s" if wait else "check api_key_env, model and the server's log"
            said = reply.text.replace(self._key or "\0", "***")  # before it is cut
            raise self._error(f"status-{code}", f"it answered {code}: {said:.200}", fix)
        return answer

    def _error(self, code: str, message: str, fix: str) -> aegis.AegisError:
        where = f'[engine.openai-compatible].base_url = "{self._settings.base_url}"'
        return aegis.AegisError.of(f"openai-{code}", message, where=where, fix=fix)
