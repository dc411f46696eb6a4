"""A process that is killed while it stores or promotes: the old or the new, never a half."""

from __future__ import annotations

import functools
import os
import signal
import traceback

from aegis.checkpoints.folder import Checkpoints
from aegis.checkpoints.promoting import Promotions
from aegis.checkpoints.serving import serving
from aegis.store.ledger import Ledger
from aegis.store.owning import owning

CALLS = ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync", "open", "write")


class Countdown:
    """Kills this process before the k-th of the calls that change something on the disk."""

    def __init__(self, count):
        self.left = count

    def around(self, real):
        def call(*arguments, **options):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call


def killed_at(count, act):
    """Run `act` in a child that is killed before its k-th call; whether it was."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            countdown = Countdown(count)
            for name in CALLS:
                setattr(os, name, countdown.around(getattr(os, name)))
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_a_kill_before_any_call_of_add_leaves_the_old_or_the_new(store, result, draft, stored):
    """Every call in turn, so that there is no moment between two of them left out."""
    source, kills, count, missing = result(2.0, name="next"), 0, 0, 0
    while True:
        count += 1
        known = store.all()
        if not killed_at(count, lambda n=count: store.add(source, draft(seed=n))):
            break
        kills += 1
        found = store.all()
        assert found[: len(known)] == known
        assert len(found) <= len(known) + 1
        missing += len(found) == len(known)
        for checkpoint in found:
            assert store.verified(checkpoint)
        repeated = store.add(source, draft(seed=count))  # as the next training does
        assert store.all() == [*known, repeated]
        assert store.verified(repeated)
        assert [p.name for p in store.path.iterdir() if p.name.startswith(".part")] == []
        with store.held():
            store.remove(repeated)
    assert kills >= 20
    assert 0 < missing < kills


def test_a_kill_while_a_damaged_one_is_replaced_never_shows_a_half(store, result, draft, stored):
    source, count = result(name="again"), 0
    while True:
        count += 1
        (store.path / stored / "README.md").write_text("damaged")
        if not killed_at(count, lambda: store.add(source, draft())):
            break
        for checkpoint in store.all():
            assert checkpoint == stored
        assert store.add(source, draft()) == stored
        assert store.verified(stored)
    assert count > 20


def test_a_kill_while_one_is_removed_leaves_it_whole_or_gone(run_folder, result, draft):
    source, count = result(), 0
    while True:
        count += 1
        store = Checkpoints(run_folder)
        checkpoint = store.add(source, draft())

        if not killed_at(count, functools.partial(remove, store, checkpoint)):
            break
        for one in store.all():
            assert store.verified(one)
    assert count > 5
    assert store.all() == []


def remove(store, checkpoint):
    with store.held():
        store.remove(checkpoint)


def test_a_kill_around_the_row_of_a_promotion_leaves_the_old_or_the_new(run_folder):
    """Fifty kills, at every statement and before, in and after the commit."""
    with owning(run_folder) as ledger:
        Promotions(ledger.connection).promote("p", "e", "0" * 16, why="person", step=0, at="now")
        ledger.commit()
    kills, seen = 0, set()
    points = ("opened", "inserted", "committing", "committed", "closed")
    for number in range(1, 51):
        old, new = serving(run_folder, "p"), f"{number:016x}"
        point = points[number % len(points)]
        kills += die_at(run_folder, point, new)
        now = serving(run_folder, "p")
        assert now in (old, new)
        assert (now == new) == (point in ("committed", "closed"))
        seen.add((point, now == new))
        with Ledger.open(run_folder, write=False) as ledger:
            assert ledger.verify() == []
    assert kills == 50
    assert len(seen) == len(points)


def die_at(run_folder, point, checkpoint):
    child = os.fork()
    if child == 0:
        try:
            die = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731 - one word, five places
            with owning(run_folder) as ledger:
                if point == "opened":
                    die()
                promotions = Promotions(ledger.connection)
                promotions.promote("p", "e", checkpoint, why="person", step=1, at="now")
                if point == "inserted":
                    die()
                if point == "committing":
                    ledger.connection.exec_driver_sql("PRAGMA cache_spill = 1")
                    ledger.connection.exec_driver_sql("PRAGMA shrink_memory")
                    die()
                ledger.commit()
                if point == "committed":
                    die()
            die()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
