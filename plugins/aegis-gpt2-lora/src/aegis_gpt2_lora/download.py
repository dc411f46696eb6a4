"""Fetching a model from the hub: the only place that uses the network.

Files arrive in a folder beside the store, which survives an interruption; when all are there,
have the size and the digest that the hub states, and make a model that can be served, the folder
is renamed into the store. So the store never holds half a model.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import frozen

from aegis import ModelError
from aegis.neural import save_json
from aegis_gpt2_lora.model_folder import open_model_folder
from aegis_gpt2_lora.models import models_home, stored_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo

Answer = TypeVar("Answer")

_WANTED: Final = re.compile(
    r"(config|generation_config|tokenizer|tokenizer_config|model\.safetensors\.index)\.json"
    r"|model(-\d{5}-of-\d{5})?\.safetensors"
)
_TIMEOUT: Final = 20.0  # seconds for the hub to answer about a model
PROVENANCE: Final = "aegis-model.json"


@frozen
class RemoteFile:
    """A file of a model on the hub; ``sha256`` is None where the hub states none."""

    name: str
    bytes: int
    sha256: str | None


@frozen
class Plan:
    """What would be fetched.

    Attributes:
        hub_name: The model's name on the hub.
        revision: The commit that is fetched.
        files: Its files.
        folder: Where the model will lie.
    """

    hub_name: str
    revision: str
    files: tuple[RemoteFile, ...]
    folder: Path

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)


def fetch(
    hub_name: str,
    confirm: Callable[[Plan], bool],
    progress: Callable[[RemoteFile, int, int], None],
) -> Path | None:
    """Fetch a model into the store and return its folder.

    Args:
        hub_name: ``name`` or ``owner/name`` on the hub.
        confirm: Asked once with the size; nothing is fetched where it says no.
        progress: Called when a file is there, with the file, bytes done and bytes in all.

    Returns:
        The model's folder, at once where it is in the store already; None where not confirmed.

    Raises:
        ModelError: If the hub cannot be reached, does not have the model or does not give it, the
            model has no safetensors, or a file arrives damaged. The store is as it was.
    """
    folder = models_home() / stored_name(hub_name)
    if folder.is_dir():
        open_model_folder(folder)
        return folder
    plan = _plan(hub_name, folder)
    if not confirm(plan):
        return None
    part = models_home() / ".partial" / f"{folder.name}.{plan.revision[:12]}"
    part.mkdir(parents=True, exist_ok=True)
    done = 0
    for file in plan.files:
        _download(plan, file, part)
        done += file.bytes
        progress(file, done, plan.bytes)
    _finish(plan, part)
    return folder


def _plan(hub_name: str, folder: Path) -> Plan:
    info = _asked(
        hub_name, lambda api: api.model_info(hub_name, files_metadata=True, timeout=_TIMEOUT)
    )
    files = _files(info)
    names = {file.name for file in files}
    if not any(name.endswith(".safetensors") for name in names):
        raise ModelError.of(
            "model-not-safetensors",
            f"{hub_name} has no safetensors on the hub; pickled weights can run code and are "
            "never loaded",
            fix="choose a model, or a converted copy of it, that has model.safetensors",
        )
    if info.sha is None:
        raise ModelError.of("hub-answer", f"the hub names no revision of {hub_name}")
    return Plan(hub_name, info.sha, files, folder)


def _files(info: ModelInfo) -> tuple[RemoteFile, ...]:
    """Return the files to fetch; a whole model.safetensors makes shards unnecessary."""
    found = {
        s.rfilename: RemoteFile(s.rfilename, s.size or 0, s.lfs.sha256 if s.lfs else None)
        for s in info.siblings or []
        if _WANTED.fullmatch(s.rfilename)
    }
    if "model.safetensors" in found:
        found = {
            name: file
            for name, file in found.items()
            if not re.search(r"-of-\d{5}\.safetensors$|\.index\.json$", name)
        }
    return tuple(found[name] for name in sorted(found))


def _download(plan: Plan, file: RemoteFile, part: Path) -> None:
    _asked(
        plan.hub_name,
        lambda api: api.hf_hub_download(
            plan.hub_name, file.name, revision=plan.revision, local_dir=part
        ),
    )
    path = part / file.name
    found = path.stat().st_size
    if found != file.bytes or (file.sha256 is not None and _sha256(path) != file.sha256):
        path.unlink()
        raise ModelError.of(
            "model-damaged",
            f"{file.name} of {plan.hub_name} did not arrive whole ({found} of {file.bytes} bytes)",
            fix=f"aegis model fetch {plan.hub_name}",
        )


def _finish(plan: Plan, part: Path) -> None:
    shutil.rmtree(part / ".cache", ignore_errors=True)  # the downloader's own notes
    open_model_folder(part).header  # noqa: B018 - reading the header checks it against the file
    files = {
        file.name: {"bytes": file.bytes, "sha256": _sha256(part / file.name)} for file in plan.files
    }
    save_json(
        part / PROVENANCE,
        {"hub_name": plan.hub_name, "revision": plan.revision, "files": files},
    )
    part.rename(plan.folder)


def _asked(hub_name: str, ask: Callable[[HfApi], Answer]) -> Answer:
    """Return what the hub answers, or raise what its failure means for a user."""
    from huggingface_hub import HfApi, errors

    # The error of its HTTP library, httpx or httpx2 by its version.
    transport: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]  # not re-exported
    try:
        return ask(HfApi(endpoint=os.environ.get("HF_ENDPOINT")))
    except errors.GatedRepoError as error:
        raise ModelError.of(
            "model-gated",
            f"{hub_name} is given only to accounts that accepted its terms",
            fix="accept them on the hub's page of the model, set HF_TOKEN, and fetch again",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError.of(
            "model-unknown", f"the hub has no model {hub_name!r}", fix="check the name on the hub"
        ) from error
    except (transport, OSError) as error:
        raise ModelError.of(
            "hub-unreachable",
            f"the hub cannot be reached or failed: {_first_line(error)}",
            fix="fetch again when there is a network, or copy the model's folder here and set "
            "model to its path",
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
