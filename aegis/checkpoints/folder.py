"""The checkpoints of a run's folder: immutable folders, named after what is in them.

    data/run/checkpoints/
        2f1e…/                the trainer's files and manifest.json
        2f1e….json            what may change about it: when it was made, how it compared
        .lock                 held by whoever adds or removes one
        .part-…               one that is being written, or was when its process ended

A checkpoint is there whole or not at all: it is written beside, synced, and renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from typing import TYPE_CHECKING, Any, Final

from aegis.checkpoints import content, disk, manifest
from aegis.config.structure import to_json
from aegis.contracts.names import did_you_mean
from aegis.errors import AegisError, ModelError, Problem, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from aegis.checkpoints.manifest import Draft, Manifest

FOLDER: Final = "checkpoints"
LATEST: Final = "latest"
FOR: Final = "trained_for"
"""Among the facts beside a checkpoint: the profiles that it was trained for, in their order."""

_LOCK: Final = ".lock"
_PART: Final = ".part-"
_PATIENCE: Final = 300.0
"""Seconds to wait for another process that adds or removes a checkpoint."""
_WEIGHTS: Final = ".safetensors"
_SMALL: Final = 8 << 20
"""Bytes of a file that is read when a checkpoint is only described."""
_LARGEST_FACTS: Final = 16 << 20


class Checkpoints:
    """The checkpoints of one run's folder.

    Reading takes no lock: what is there does not change.

    Args:
        run_folder: The run's folder (``data/run``).
    """

    def __init__(self, run_folder: Path) -> None:
        self.path = run_folder / FOLDER

    def add(self, source: Path, draft: Draft) -> str:
        """Store a copy of a folder's files with their manifest, and return its identifier.

        Storing the same again gives the same identifier, and puts back what was damaged.

        Args:
            source: Folder of the files; it may be on another disk and is left as it is.
            draft: What the manifest says beside them.

        Raises:
            ModelError: ``checkpoint-foreign-file`` with every file that no checkpoint may hold,
                ``checkpoint-empty``, ``manifest-unusable``.
            InputError: ``not-json`` if the draft holds what JSON has not.
            StoreError: ``disk-full``, ``checkpoint-unwritable``; nothing was stored then.
        """
        with disk.writing(self.path), self.held():
            names = content.listing(source)
            _refuse_unusable(source, names)
            self.sweep()
            part = self.path / f"{_PART}{secrets.token_hex(8)}"
            part.mkdir()
            try:
                files = {name: disk.copy(source / name, part / name) for name in names}
                _refuse_disguised(part, files)
                data = manifest.written(draft, files)
                disk.write(part / manifest.FILE, data)
                disk.sync_folders(part)
                checkpoint = manifest.identifier(data)
                self._settle(part, checkpoint)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
        return checkpoint

    def verified(self, checkpoint: str) -> Path:
        """Return the folder of a checkpoint, every byte of it compared with its digest.

        Raises:
            ModelError: ``checkpoint-absent``; ``checkpoint-damaged`` with the file's name;
                ``checkpoint-foreign-file`` if something lies there that its manifest does not
                name, which was not opened.
        """
        folder = self.path / checkpoint
        try:
            self._verify(folder, self.manifest(checkpoint))
        except OSError as error:
            why = f"{error.filename or 'a file'} cannot be read ({error.strerror})"
            raise damaged(checkpoint, why, folder) from error
        return folder

    def _verify(self, folder: Path, said: Manifest) -> None:
        checkpoint, found = folder.name, content.listing(folder)
        foreign = [f"{name!r} is not in the manifest" for name in found.keys() - said.files.keys()]
        if foreign:
            raise content.foreign(folder, sorted(foreign))
        for name, facts in said.files.items():
            if name not in found:
                raise damaged(checkpoint, f"{name} is missing", folder)
            if found[name] != facts.bytes:
                why = f"{name} has {found[name]} bytes instead of {facts.bytes}"
                raise damaged(checkpoint, why, folder)
            if disk.digest(folder / name) != facts.sha256:
                raise damaged(checkpoint, f"{name} is not what was stored", folder)

    def described(self, checkpoint: str) -> Manifest:
        """Return the manifest of a checkpoint whose descriptions are what was stored.

        Every small file that is no tensors (configuration, tokenizer) is compared with its digest:
        enough to tell what a checkpoint is without reading its weights.

        Raises:
            ModelError: ``checkpoint-absent``, ``checkpoint-damaged`` with the file's name.
        """
        said, folder = self.manifest(checkpoint), self.path / checkpoint
        for name, facts in said.files.items():
            if name.endswith(_WEIGHTS) or facts.bytes > _SMALL:
                continue
            try:
                same = disk.digest(folder / name) == facts.sha256
            except OSError as error:
                why = f"{name} cannot be read ({error.strerror})"
                raise damaged(checkpoint, why, folder) from error
            if not same:
                raise damaged(checkpoint, f"{name} is not what was stored", folder)
        return said

    def manifest(self, checkpoint: str) -> Manifest:
        """Return the manifest of a checkpoint, compared with the identifier.

        Raises:
            ModelError: ``checkpoint-absent``, ``checkpoint-damaged``.
        """
        folder = self._place(checkpoint)
        try:
            data = disk.read(folder / manifest.FILE, manifest.LARGEST)
        except OSError as error:
            why = f"{manifest.FILE} cannot be read ({error.strerror})"
            raise damaged(checkpoint, why, folder) from error
        if manifest.identifier(data) != checkpoint:
            raise damaged(checkpoint, f"{manifest.FILE} is not what was stored", folder)
        try:
            return manifest.parsed(data)
        except ValueError as error:
            raise damaged(checkpoint, f"{manifest.FILE}: {error}", folder) from error

    def resolve(self, name: str, profile: str | None = None) -> str:
        """Return the identifier that a name stands for.

        Args:
            name: An identifier, the beginning of just one, or ``latest``.
            profile: Whose latest one is meant: the profile that was trained; None for any's.

        Raises:
            ModelError: ``checkpoint-unknown``, ``checkpoint-ambiguous``; ``checkpoint-facts``.
        """
        known = self.all()
        if name == LATEST and known:
            own = (one for one in reversed(known) if profile in self._facts(one).get(FOR, ()))
            found = known[-1] if profile is None else next(own, None)
            if found is not None:
                return found
            message = f"no checkpoint was trained for profile {profile!r}"
            fix = "aegis checkpoints list shows them; name one by the beginning of its identifier"
            raise ModelError.of("checkpoint-unknown", message, where=str(self.path), fix=fix)
        meant = [one for one in known if name and one.startswith(name)]
        if len(meant) == 1:
            return meant[0]
        fix = "aegis checkpoints list shows them" if known else "aegis train makes one"
        if meant:
            message = f"{len(meant)} checkpoints begin with {name!r}: {', '.join(meant[:5])}"
            raise ModelError.of("checkpoint-ambiguous", message, fix=fix)
        shown = name if len(name) <= 40 else f"{name[:39]}…"
        message = f"there is no checkpoint {shown!r}{did_you_mean(shown, known)}"
        raise ModelError.of("checkpoint-unknown", message, where=str(self.path), fix=fix)

    def all(self) -> list[str]:
        """Return the identifiers of all checkpoints, oldest first."""
        if not self.path.is_dir():
            return []
        found = [
            entry.name
            for entry in os.scandir(self.path)
            if manifest.is_identifier(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
        return sorted(found, key=lambda one: (self._number(one), one))

    def record(self, checkpoint: str, facts: Mapping[str, Any]) -> None:
        """Keep facts about a checkpoint beside it, over those of the same names.

        Raises:
            ModelError: ``checkpoint-absent``, ``checkpoint-facts``.
            InputError: ``not-json``.
            StoreError: ``disk-full``, ``checkpoint-unwritable``; the old facts stay then.
        """
        self._place(checkpoint)
        with disk.writing(self.path), self.held():
            self._record(checkpoint, facts)

    def facts(self, checkpoint: str) -> dict[str, Any]:
        """Return what is known beside a checkpoint, empty where nothing was recorded.

        Raises:
            ModelError: ``checkpoint-absent``; ``checkpoint-facts`` if the file is damaged.
        """
        self._place(checkpoint)
        return self._facts(checkpoint)

    def size(self, checkpoint: str) -> int:
        """Return the bytes that lie in a checkpoint's folder, whatever they are.

        Raises:
            ModelError: ``checkpoint-absent``.
        """
        files = [path for path in self._place(checkpoint).rglob("*") if not path.is_dir()]
        return sum(path.lstat().st_size for path in files)

    def remove(self, checkpoint: str) -> None:
        """Remove a checkpoint and what is known of it; the lock must be `held`.

        Raises:
            ModelError: ``checkpoint-absent``.
            StoreError: ``checkpoint-unwritable``.
        """
        folder, gone = self._place(checkpoint), self.path / f"{_PART}{secrets.token_hex(8)}"
        with disk.writing(self.path):
            folder.rename(gone)
            self._beside(checkpoint).unlink(missing_ok=True)
            shutil.rmtree(gone)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the right to add, remove and promote checkpoints, one process at a time.

        Raises:
            StoreError: ``checkpoints-locked`` if another one holds it for minutes.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(
            self.path / _LOCK, timeout=_PATIENCE, thread_local=False, fallback_to_soft=False
        )
        with disk.writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                raise StoreError.of(
                    "checkpoints-locked",
                    f"another process has been at the checkpoints for {_PATIENCE:.0f} s",
                    where=str(self.path),
                    fix="wait until it ends, or end it",
                ) from None
        try:
            yield
        finally:
            lock.release()

    def sweep(self) -> None:
        """Remove what processes left that ended while they wrote; the lock must be `held`.

        Whoever writes holds the lock, so that nothing of a living process is among it.
        """
        for path in list(self.path.iterdir()):
            facts = path.suffix == ".json" and manifest.is_identifier(path.stem)
            orphan = facts and not disk.is_folder(path.with_suffix(""))
            if path.name.startswith(_PART) and disk.is_folder(path):
                shutil.rmtree(path)
            elif path.name.startswith(_PART) or orphan:
                path.unlink()

    def _settle(self, part: Path, checkpoint: str) -> None:
        """Give a whole folder its name; what is damaged under that name makes room."""
        target = self.path / checkpoint
        if os.path.lexists(target):
            try:
                self.verified(checkpoint)
            except ModelError:
                target.rename(self.path / f"{_PART}{secrets.token_hex(8)}")
            else:
                shutil.rmtree(part)
                return
        number = 1 + max((self._number(one) for one in self.all()), default=0)
        self._record(checkpoint, {"number": number})
        part.rename(target)
        disk.sync(self.path)

    def _place(self, checkpoint: str) -> Path:
        """Return the folder of an identifier; nothing else becomes a path."""
        folder = self.path / checkpoint if manifest.is_identifier(checkpoint) else None
        if folder is None or not disk.is_folder(folder):
            raise ModelError.of(
                "checkpoint-absent",
                f"there is no checkpoint {checkpoint!r}",
                where=str(self.path),
                fix="aegis checkpoints list shows them",
            )
        return folder

    def _beside(self, checkpoint: str) -> Path:
        return self.path / f"{checkpoint}.json"

    def _number(self, checkpoint: str) -> int:
        """Return in which place it was added; 0 where that is not known any more."""
        with contextlib.suppress(AegisError):
            number = self._facts(checkpoint).get("number")
            return number if isinstance(number, int) else 0
        return 0

    def _facts(self, checkpoint: str) -> dict[str, Any]:
        file = self._beside(checkpoint)
        try:
            facts = dict(json.loads(disk.read(file, _LARGEST_FACTS)))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise ModelError.of(
                "checkpoint-facts",
                f"what is known beside checkpoint {checkpoint} cannot be read: {error}",
                where=str(file),
                fix="remove the file: the checkpoint itself does not need it",
            ) from error
        return facts

    def _record(self, checkpoint: str, facts: Mapping[str, Any]) -> None:
        values = self._facts(checkpoint) | to_json(dict(facts))
        data = json.dumps(values, indent=1, sort_keys=True).encode("ascii")
        part = self.path / f"{_PART}{secrets.token_hex(8)}"
        try:
            disk.write(part, data + b"\n")
            part.replace(self._beside(checkpoint))
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        disk.sync(self.path)


def _refuse_unusable(source: Path, names: Mapping[str, int]) -> None:
    if os.path.lexists(source / manifest.FILE):
        raise content.foreign(source, [f"{manifest.FILE!r} is written by Aegis alone"])
    if not names:
        raise ModelError.of("checkpoint-empty", "there is no file to store", where=str(source))


def _refuse_disguised(folder: Path, names: Iterable[str]) -> None:
    """Refuse files that are called safetensors and are something else."""
    from aegis.neural.safetensors_header import read_header

    wrong = []
    for name in names:
        try:
            if name.endswith(".safetensors"):
                read_header(folder / name)
        except ModelError as error:
            wrong.append(f"{name!r}: {error.problems[0].message}")
    if wrong:
        raise content.foreign(folder, wrong)


def damaged(checkpoint: str, why: str, folder: Path) -> ModelError:
    """Return the error for a checkpoint that is not what was stored."""
    return ModelError(
        Problem(
            "checkpoint-damaged",
            f"checkpoint {checkpoint} is damaged: {why}",
            where=str(folder),
            fix="it is never loaded; aegis checkpoints list shows the others",
        )
    )
