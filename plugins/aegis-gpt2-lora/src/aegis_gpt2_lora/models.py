"""Where models live on this machine, and which are there.

A model is named in three ways: ``builtin:mini``; a path, which holds a ``/`` or begins with ``.``
or ``~``; or the name under which it was fetched. Names are looked up in the model store
(``$AEGIS_MODELS``, else ``aegis/models`` below the user's data folder) and then among the
snapshots that the Hugging Face tools have cached. Nothing here touches the network.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from aegis import InputError, ModelError, did_you_mean
from aegis_gpt2_lora.model_folder import open_model_folder
from aegis_gpt2_lora.settings import MINI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis_gpt2_lora.model_folder import ModelFolder

_BUILTIN: Final = {MINI: Path(__file__).parent / "mini"}
_STORED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_HUB: Final = re.compile(rf"{_STORED.pattern}(/{_STORED.pattern})?")
# Where the hub keeps models under an owner now that were published without one.
_OWNERS: Final = {"gpt2": "openai-community"}
_PREFIX: Final = "models--"

Place = Literal["builtin", "store", "hugging-face-cache"]


@frozen
class Installed:
    """One model on this machine.

    Attributes:
        name: What to write behind ``model =``.
        place: Where it comes from.
        folder: Where it lies.
        bytes: Size of its weights; 0 where they cannot be read.
        parameters: Number of its weights, or None where they cannot be read.
        problem: Why it cannot be used; empty where it can.
    """

    name: str
    place: Place
    folder: Path
    bytes: int
    parameters: int | None
    problem: str = ""


def models_home() -> Path:
    """Return the folder of fetched models."""
    if chosen := os.environ.get("AEGIS_MODELS"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "aegis" / "models"


def stored_name(hub_name: str) -> str:
    """Return the name under which a hub's model is stored and configured: ``owner--name``.

    Raises:
        ModelError: If it is no name of a model on the hub.
    """
    if not _HUB.fullmatch(hub_name) or ".." in hub_name:
        raise ModelError.of(
            "model-name",
            f"{hub_name!r} is no name of a model on the hub",
            fix="write name or owner/name: letters, digits, '.', '-' and '_'",
        )
    return hub_name.replace("/", "--")


def open_model(model: str) -> ModelFolder:
    """Return the model that a configuration names.

    Raises:
        ModelError: ``model-absent`` if it is not on this machine, with the command that fetches
            it; or what is wrong with its folder.
    """
    where = f'model = "{model}"'
    if is_path(model):
        return open_model_folder(_existing(Path(model).expanduser(), where), where)
    folder = _find(model)
    if folder is None:
        raise _absent(model, where)
    return open_model_folder(folder, where)


def is_present(model: str) -> bool:
    """Return whether the model that a configuration names is on this machine."""
    if is_path(model):
        return Path(model).expanduser().is_dir()
    return _find(model) is not None


def place_for(model: str) -> Path:
    """Return the folder in which a model of this name, or at this path, may be made.

    Raises:
        InputError: If there is something already, or the name is none that a model can have.
    """
    if is_path(model):
        folder = Path(model).expanduser().absolute()
    elif _STORED.fullmatch(model) and ".." not in model:
        folder = models_home() / model
    else:
        raise InputError.of(
            "model-name",
            f"{model!r} is no name of a model",
            fix="write letters, digits, '.', '-' and '_', or a path with a '/'",
        )
    if os.path.lexists(folder) or (not is_path(model) and is_present(model)):
        there = folder if os.path.lexists(folder) else _find(model)
        raise InputError.of(
            "model-exists",
            f"{there} exists; nothing was written",
            where=str(there),
            fix="choose another name, or remove it first",
        )
    return folder


def is_path(model: str) -> bool:
    """Return whether a model is named by its folder."""
    return "/" in model or model.startswith((".", "~"))


def list_models() -> tuple[Installed, ...]:
    """Return the models on this machine: the bundled one, fetched ones, cached snapshots."""
    return tuple(_facts(name, place, folder) for name, place, folder in _places())


def _existing(folder: Path, where: str) -> Path:
    if folder.is_dir():
        return folder
    name = f"{folder.parent.name}--{folder.name}"
    raise ModelError.of(
        "model-absent",
        f"there is no folder {folder}",
        where=where,
        fix=f"name an existing folder; if {folder.parent.name}/{folder.name} is meant to be a hub "
        f'name, run "aegis model fetch {folder.parent.name}/{folder.name}" and set '
        f'model = "{name}"',
    )


def _absent(model: str, where: str) -> ModelError:
    known = [name for name, _, _ in _places()]
    hint = did_you_mean(model, known)
    if model.startswith("builtin:") or not _STORED.fullmatch(model):
        fix = f"use one of {', '.join(known)}, a folder, or fetch a model by its hub name"
    else:
        fix = f"aegis model fetch {model.replace('--', '/')}"
    message = f"model {model!r} is not on this machine{hint}"
    error = ModelError.of("model-absent", message, where=where, fix=fix)
    assert isinstance(error, ModelError)
    return error


def _find(model: str) -> Path | None:
    if model in _BUILTIN:
        return _BUILTIN[model]
    if not _STORED.fullmatch(model) or ".." in model:
        return None
    stored = models_home() / model
    if stored.is_dir():
        return stored
    names = [model, *([f"{_OWNERS[model]}--{model}"] if model in _OWNERS else [])]
    snapshots = (_snapshot(_hub_cache() / f"{_PREFIX}{name}") for name in names)
    return next((folder for folder in snapshots if folder), None)


def _places() -> Iterator[tuple[str, Place, Path]]:
    for name, folder in _BUILTIN.items():
        yield name, "builtin", folder
    for folder in _folders(models_home()):
        yield folder.name, "store", folder
    for folder in _folders(_hub_cache()):
        snapshot = _snapshot(folder) if folder.name.startswith(_PREFIX) else None
        if snapshot and list(snapshot.glob("*.safetensors")):
            yield folder.name.removeprefix(_PREFIX), "hugging-face-cache", snapshot


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(f for f in parent.iterdir() if f.is_dir() and not f.name.startswith("."))


def _hub_cache() -> Path:
    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HF_HOME") or Path(base) / "huggingface").expanduser() / "hub"


def _snapshot(folder: Path) -> Path | None:
    """Return the snapshot that the main branch of a cached repository points to."""
    try:
        revision = (folder / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    snapshot = folder / "snapshots" / revision
    return snapshot if re.fullmatch(r"[0-9a-f]{7,64}", revision) and snapshot.is_dir() else None


def _facts(name: str, place: Place, folder: Path) -> Installed:
    try:
        model = open_model_folder(folder)
        return Installed(name, place, folder, model.bytes, model.parameters)
    except ModelError as error:
        problem = "; ".join(problem.message for problem in error.problems)
        return Installed(name, place, folder, 0, None, problem)
