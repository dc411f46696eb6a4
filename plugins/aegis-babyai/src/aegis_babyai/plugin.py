"""What this plugin offers: the environments ``babyai`` and ``gymnasium``.

Imports neither minigrid nor gymnasium; ``build`` does.
"""

from __future__ import annotations

from typing import Final

import aegis
from aegis_babyai.component import babyai_component
from aegis_babyai.gymnasium_component import gymnasium_component

plugin_api: Final = 1


@aegis.hookimpl
def aegis_environments() -> list[aegis.Component]:
    """Offer the environments ``babyai`` and ``gymnasium``."""
    return [babyai_component(), gymnasium_component()]
