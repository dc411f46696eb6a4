from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import shutil
import signal
import threading

import pytest

from aegis.checkpoints.folder import Checkpoints
from aegis.errors import InputError, ModelError, StoreError


def code(caught):
    return caught.value.problems[0].code


def visible(store):
    """Names in the store's folder but for its lock."""
    return sorted(entry.name for entry in store.path.iterdir() if entry.name != ".lock")


def test_a_checkpoint_is_called_after_the_digest_of_its_manifest(store, result, draft):
    checkpoint = store.add(result(), draft())
    data = (store.path / checkpoint / "manifest.json").read_bytes()
    assert checkpoint == hashlib.sha256(data).hexdigest()[:16]
    values = json.loads(data)
    for name, facts in values["files"].items():
        content = (store.path / checkpoint / name).read_bytes()
        assert facts == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert sorted(values["files"]) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenizer/tokenizer.json",
    ]


def test_the_folder_has_the_trainers_files_and_the_manifest(store, result, draft):
    source = result()
    folder = store.verified(store.add(source, draft()))
    files = {p.relative_to(source): p.read_bytes() for p in source.rglob("*") if p.is_file()}
    found = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    del found[next(name for name in found if name.name == "manifest.json")]
    assert found == files
    assert store.manifest(folder.name).metrics == {"loss": 1.25, "held_out_loss": 1.5}


def test_adding_the_same_twice_gives_the_same_identifier_and_one_folder(store, result, draft):
    first = store.add(result(), draft())
    assert store.add(result(name="again"), draft()) == first
    assert store.all() == [first]
    assert visible(store) == [first, f"{first}.json"]


@pytest.mark.parametrize(
    "change",
    [{"seed": 8}, {"metrics": {"loss": 1.26}}, {"version": "0.1.1"}, {"parent": "0" * 16}],
)
def test_another_draft_is_another_checkpoint(store, result, draft, stored, change):
    assert store.add(result(name="again"), draft(**change)) != stored


def test_other_numbers_are_another_checkpoint(store, result, draft, stored):
    assert store.add(result(1.5, name="again"), draft()) != stored


def test_adding_again_puts_back_what_was_damaged(store, result, draft, stored):
    (store.path / stored / "README.md").write_text("An Adapter.\n")
    with pytest.raises(ModelError):
        store.verified(stored)
    assert store.add(result(name="again"), draft()) == stored
    assert store.verified(stored)


def test_checkpoints_are_listed_in_the_order_of_their_adding(store, result, draft):
    """The order is a number's, not a clock's and not that of the identifiers."""
    source = result()
    added = [store.add(source, draft(seed=n)) for n in range(12)]
    assert store.all() == added != sorted(added)
    assert store.resolve("latest") == added[-1]


def test_the_latest_of_a_profile_is_the_newest_that_was_trained_for_it(store, result, draft):
    source = result()
    added = [store.add(source, draft(seed=n)) for n in range(4)]
    for checkpoint, profile in zip(added, ("a", "b", "a", "b"), strict=True):
        store.record(checkpoint, {"trained_for": [profile, "z"]})
    assert store.resolve("latest", "a") == added[2]
    assert store.resolve("latest", "b") == store.resolve("latest") == added[3]
    assert store.resolve("latest", "z") == added[3]
    assert store.resolve(added[0], "b") == added[0], "whoever names one means it"
    with pytest.raises(ModelError, match="no checkpoint was trained for profile 'c'") as caught:
        store.resolve("latest", "c")
    assert code(caught) == "checkpoint-unknown"


def test_facts_are_merged_and_lie_beside_the_folder(store, stored):
    store.record(stored, {"created": "2026-01-01", "seconds": 3.5})
    store.record(stored, {"seconds": 4.0, "curve": [{"examples": 1, "loss": 2.0}]})
    facts = store.facts(stored)
    assert (facts["created"], facts["seconds"]) == ("2026-01-01", 4.0)
    assert facts["curve"] == [{"examples": 1, "loss": 2.0}]
    assert store.verified(stored)
    assert visible(store) == [stored, f"{stored}.json"]


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, "\x00", '{"a": ' * 50_000])
def test_damaged_facts_are_named_and_do_not_hide_the_checkpoint(store, stored, text):
    (store.path / f"{stored}.json").write_text(text)
    with pytest.raises(ModelError) as caught:
        store.facts(stored)
    assert code(caught) == "checkpoint-facts"
    assert store.verified(stored)
    assert store.all() == [stored]


def test_facts_that_are_no_json_are_refused_and_the_old_ones_stay(store, stored):
    store.record(stored, {"loss": 1.0})
    for wrong in ({"loss": float("nan")}, {"loss": object()}):
        with pytest.raises(InputError):
            store.record(stored, wrong)
    assert store.facts(stored)["loss"] == 1.0


def test_a_prefix_that_is_unique_is_a_name(store, result, draft):
    source = result()
    added = [store.add(source, draft(seed=n)) for n in range(20)]
    for checkpoint in added:
        assert store.resolve(checkpoint) == checkpoint
        length = next(n for n in range(1, 17) if sum(a[:n] == checkpoint[:n] for a in added) == 1)
        assert store.resolve(checkpoint[:length]) == checkpoint
    first = added[0][0]
    if sum(one.startswith(first) for one in added) > 1:
        with pytest.raises(ModelError) as caught:
            store.resolve(first)
        assert code(caught) == "checkpoint-ambiguous"


def test_a_name_that_is_nearly_one_is_suggested(store, stored):
    wrong = stored[:6] + ("0" if stored[6] != "0" else "1") + stored[7:]
    with pytest.raises(ModelError, match=f'did you mean "{stored}"'):
        store.resolve(wrong)


def test_an_empty_store_says_how_to_fill_it(store):
    assert store.all() == []
    with pytest.raises(ModelError) as caught:
        store.resolve("latest")
    assert "aegis train" in caught.value.problems[0].fix


def test_an_empty_result_is_refused(store, tmp_path, draft):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError) as caught:
        store.add(tmp_path / "empty", draft())
    assert code(caught) == "checkpoint-empty"
    assert store.all() == []


def test_a_result_that_is_not_there_is_an_error_with_a_name(store, tmp_path, draft):
    with pytest.raises(StoreError) as caught:
        store.add(tmp_path / "nothing", draft())
    assert code(caught) == "checkpoint-unwritable"


@pytest.mark.parametrize(
    "change", [{"metrics": {"loss": float("nan")}}, {"config": {"engine": object()}}]
)
def test_a_draft_that_is_no_json_is_refused_and_leaves_nothing(store, result, draft, change):
    with pytest.raises(InputError):
        store.add(result(), draft(**change))
    assert visible(store) == []


def test_a_draft_that_could_not_be_read_back_is_refused(store, result, draft):
    with pytest.raises(ModelError) as caught:
        store.add(result(), draft(component="../gpt2"))
    assert code(caught) == "manifest-unusable"
    assert visible(store) == []


def test_what_an_interrupted_writer_left_is_swept_by_the_next(store, result, draft, stored):
    part = store.path / ".part-0123456789abcdef"
    (part / "deep").mkdir(parents=True)
    (part / "deep" / "x.json").write_text("{")
    (store.path / ".part-file").write_text("half")
    (store.path / f"{'0' * 16}.json").write_text("{}")
    (store.path / "notes.txt").write_text("not ours")
    other = store.add(result(name="again"), draft(seed=8))
    assert visible(store) == sorted([stored, f"{stored}.json", other, f"{other}.json", "notes.txt"])


def test_two_writers_take_turns(store, result, draft):
    """Neither sweeps what the other is writing."""
    source = result()
    found, errors = [], []

    def add(seed):
        try:
            found.append(Checkpoints(store.path.parent).add(source, draft(seed=seed)))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=add, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(store.all()) == sorted(found)
    assert len(set(found)) == 8
    for checkpoint in found:
        assert store.verified(checkpoint)
    assert sorted(store.facts(one)["number"] for one in found) == list(range(1, 9))


def test_a_removed_checkpoint_is_gone_whole(store, stored):
    with store.held():
        store.remove(stored)
    assert visible(store) == []
    with pytest.raises(ModelError) as caught:
        store.verified(stored)
    assert code(caught) == "checkpoint-absent"


def test_a_copied_store_is_read_all_the_same(store, stored, tmp_path):
    shutil.copytree(store.path.parent, tmp_path / "copy")
    assert Checkpoints(tmp_path / "copy").verified(stored)


@pytest.mark.parametrize("call", ["fsync", "mkdir", "rename", "replace"])
def test_a_full_disk_at_any_call_leaves_nothing_half(
    store, result, draft, stored, call, monkeypatch
):
    """At every k-th call of the operating system that may find the disk full."""
    source, real = result(2.0, name="next"), getattr(os, call)
    failures = refused = 0
    while refused == failures:
        failures += 1
        made = 0

        def full(*arguments, place=failures, **options):
            nonlocal made
            made += 1
            if made == place:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments, **options)

        monkeypatch.setattr(os, call, full)
        known = store.all()
        assert code_of(lambda n=failures: store.add(source, draft(seed=n))) in (None, "disk-full")
        monkeypatch.setattr(os, call, real)
        refused += made >= failures
        assert [name for name in visible(store) if name.startswith(".part")] == []
        assert store.all()[: len(known)] == known
        for checkpoint in store.all():
            assert store.verified(checkpoint)
    assert refused >= 1


def code_of(act):
    try:
        act()
    except StoreError as error:
        return error.problems[0].code
    return None


def test_a_file_too_large_for_the_disk_is_named(store, result, draft, stored):
    """The size limit of the process stands for the disk."""
    source = result(2.0, name="next")
    (source / "long.txt").write_bytes(b"x" * 400_000)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for limit in range(1_000, 400_000, 50_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
            with pytest.raises(StoreError) as caught:
                store.add(source, draft(seed=8))
            assert code(caught) == "disk-full"
            assert visible(store) == [stored, f"{stored}.json"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert store.add(source, draft(seed=8)) in store.all()
