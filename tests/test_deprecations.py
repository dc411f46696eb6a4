"""What is on its way out still works, and says so; what never was is an error."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

import aegis
from aegis import deprecations
from aegis.deprecations import AegisDeprecationWarning, Deprecated


@pytest.mark.parametrize("module", ["aegis", "aegis.neural", "aegis.testing"])
def test_a_deprecated_name_warns_where_it_is_used_and_works(monkeypatch, module):
    old = Deprecated("0.2", "0.4", f"{module}.new", lambda: 42)
    monkeypatch.setattr(deprecations, "DEPRECATED", {f"{module}.old": old})

    with pytest.warns(AegisDeprecationWarning) as caught:
        assert import_module(module).old == 42
    assert str(caught[0].message) == (
        f"{module}.old is deprecated since 0.2 and will be removed in 0.4: use {module}.new"
    )
    assert caught[0].filename == __file__


@pytest.mark.parametrize("module", ["aegis", "aegis.neural", "aegis.testing"])
def test_a_name_that_never_was_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match=re.escape(f"module '{module}' has no attribute")):
        _ = import_module(module).never_was


def test_nothing_stays_longer_than_it_was_promised_to():
    release = tuple(map(int, aegis.__version__.split(".")[:2]))
    for name, one in deprecations.DEPRECATED.items():
        since, removed = (tuple(map(int, v.split(".")[:2])) for v in (one.since, one.removed_in))
        assert release < removed, f"{name} was to be removed in {one.removed_in}"
        assert removed[0] > since[0] or removed[1] >= since[1] + 2, name
