"""The manifest of ``gymnasium`` and its section, before gymnasium is imported."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

import aegis
from aegis.config.structure import structure
from aegis.errors import ConfigError
from aegis.evaluation.rollout import rollout
from aegis_babyai.gymnasium_component import GymnasiumSettings, gymnasium_component, problems


def section(**raw: object) -> tuple[GymnasiumSettings | None, list[str]]:
    value, wrong = structure(GymnasiumSettings, raw, ("environment", "gymnasium"))
    return value, [problem.message for problem in wrong]


def test_the_manifest_is_read_without_gymnasium_and_numpy():
    code = (
        "import sys\n"
        "from aegis_babyai.gymnasium_component import GymnasiumSettings, gymnasium_component\n"
        "made = gymnasium_component()\n"
        "made.describe(GymnasiumSettings()), list(made.check(GymnasiumSettings(), {}))\n"
        "assert not {'gymnasium', 'minigrid', 'numpy'} & set(sys.modules), 'heavy'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_id_is_the_name_of_the_task_and_figures_are_returns():
    made = gymnasium_component()
    assert (made.kind, made.name, made.task) == ("environment", "gymnasium", ("id",))
    assert made.describe is not None
    assert made.describe(GymnasiumSettings()) == aegis.EnvironmentCapabilities(
        version="2", seeded=True, splits=True, measure="return"
    )


def test_the_section_is_built_and_played_as_it_says(tmp_path):
    settings, wrong = section(
        id="FrozenLake-v1",
        split="test",
        steps=9,
        options={"desc": ["SFG"], "is_slippery": False, "reward_schedule": [5, 0, 0]},
    )
    assert not wrong
    made = gymnasium_component().build(settings, {}, aegis.Runtime(tmp_path, tmp_path))

    class Right:
        capabilities = aegis.EngineCapabilities(kind="right")

        def score(self, view, candidates):
            import numpy as np

            return np.log([1.0 if action.tool == "right" else 0.0 for action in candidates])

    import numpy as np

    with np.errstate(divide="ignore"):
        (result,) = rollout(made, Right(), [0])
    assert (result.rewards, result.completed) == ((0.0, 5.0), True)


def test_values_out_of_range_are_refused():
    assert section(steps=-1)[1]
    assert section(steps=10_001)[1]
    assert section(split="train")[1]
    assert section(options=["is_slippery"])[1]
    assert not section(steps=10_000)[1]


def test_an_id_that_would_import_a_module_imports_none(tmp_path, monkeypatch):
    (tmp_path / "module_that_tells.py").write_text("raise SystemExit('imported')\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    settings = GymnasiumSettings(id="module_that_tells:Thing-v0")
    (problem,) = problems(settings)
    assert problem.code == "gymnasium-module"
    assert "module_that_tells:Thing-v0" in problem.message
    assert "only what is registered is built" in problem.message
    with pytest.raises(ConfigError, match="gymnasium-module"):
        gymnasium_component().build(settings, {}, aegis.Runtime(tmp_path, tmp_path))
    assert "module_that_tells" not in sys.modules


def test_arguments_of_make_are_no_options_and_all_are_told_at_once():
    options = {"max_episode_steps": 5, "render_mode": "human", "is_slippery": False}
    wrong = list(problems(GymnasiumSettings(options=options)))
    assert [problem.message for problem in wrong] == [
        '"max_episode_steps" is no option',
        '"render_mode" is no option',
    ]
    assert wrong[0].fix == "set steps"


@pytest.mark.parametrize("value", [date(2020, 1, 1), float("nan"), [float("inf")]])
def test_an_option_that_is_no_json_is_refused(value):
    (problem,) = problems(GymnasiumSettings(options={"desc": value}))
    assert problem.where == "[environment.gymnasium].options"
