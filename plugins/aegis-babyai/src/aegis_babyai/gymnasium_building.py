"""Building: from an id to an environment of gymnasium, or to what is in the way.

Only what is registered is built. The specification of the registry goes to ``gymnasium.make``, not
the id, which could import a module and warns of versions. gymnasium's checker of environments is
left out: it warns where an environment's code is not what gymnasium recommends, and what matters
here is checked at every step by whoever plays.
"""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any, Final

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator, registry
from gymnasium.error import DependencyNotInstalled, Error

from aegis import ConfigError, InputError, Problem, did_you_mean, one_line
from aegis_babyai.gymnasium_component import LONGEST, UNLIMITED, problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis_babyai.gymnasium_component import GymnasiumSettings

_WHERE: Final = "[environment.gymnasium].id"
_OPTIONS: Final = "[environment.gymnasium].options"
_ATARI: Final = "ALE/"
_EXTRAS: Final = {"box2d": "box2d", "mujoco": "mujoco", "phys2d": "jax", "tabular": "jax"}
"""gymnasium's extras that hold what its own families of environments need."""
_REFUSALS: Final = (TypeError, ValueError, LookupError, AttributeError, AssertionError, Error)
"""What constructors raise for arguments that they cannot use."""


def build(settings: GymnasiumSettings) -> tuple[gymnasium.Env[Any, Any], int]:
    """Return the environment of some settings, and how many steps its episodes have at most.

    Raises:
        ConfigError: If the settings cannot be used whatever is installed.
        InputError: ``gymnasium-id`` if no such environment is registered,
            ``gymnasium-package`` if it needs a package that is not installed,
            ``gymnasium-options`` if it cannot be made with the options,
            ``gymnasium-unseeded`` if its episodes do not follow from a seed.
    """
    if wrong := tuple(problems(settings)):
        raise ConfigError(wrong)
    spec = _registered(settings.id)
    if spec.nondeterministic:
        raise InputError.of(
            "gymnasium-unseeded",
            f'environment "{spec.id}" says that its episodes do not follow from a seed',
            where=_WHERE,
            fix="choose an environment whose episodes can be repeated",
        )
    limits = [steps for steps in (spec.max_episode_steps, settings.steps) if steps]
    limit = min([*(limits or [UNLIMITED]), LONGEST])
    return _made(spec, limit, dict(settings.options)), limit


def _registered(id: str) -> EnvSpec:
    if (spec := registry.get(id)) is not None:
        return spec
    words = {name.lower(): name for name in registry}
    near = difflib.get_close_matches(id.lower(), list(words), n=1)
    hint = did_you_mean(words[near[0]], registry) if near else ""
    first, module = (
        ("install ale-py", "ale_py") if id.startswith(_ATARI) else ("install it", "NAME")
    )
    raise InputError.of(
        "gymnasium-id",
        f'no environment is registered as "{id}"{hint}',
        where=_WHERE,
        fix=f"write the whole id, version included; for one of another package, {first} and let a "
        f'plugin import it: a file "more.py" with the line "import {module}", listed in '
        "[plugins].enabled",
    )


def _made(spec: EnvSpec, limit: int, options: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    try:
        _refuse_unknown(spec, options)
        return gymnasium.make(spec, max_episode_steps=limit, disable_env_checker=True, **options)
    except (ImportError, DependencyNotInstalled) as error:
        raise _package_missing(spec, error) from error
    except _REFUSALS as error:
        said = f"{type(error).__name__}: {one_line(str(error), 300)}"
        raise InputError.of(
            "gymnasium-options",
            f'environment "{spec.id}" cannot be made with the options {options}: {said}',
            where=_OPTIONS,
            fix="write arguments that its documentation names",
        ) from error


def _refuse_unknown(spec: EnvSpec, options: dict[str, Any]) -> None:
    entry = spec.entry_point
    creator = load_env_creator(entry) if isinstance(entry, str) else entry
    if creator is None:  # gymnasium.make says so
        return
    parameters = inspect.signature(creator).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    known = [name for name in parameters if name != "render_mode"]
    wrong = [name for name in options if name not in known]
    if wrong:
        raise InputError(
            Problem(
                "gymnasium-options",
                f'environment "{spec.id}" has no option "{name}"{did_you_mean(name, known)}',
                where=_OPTIONS,
                fix=f"its options: {', '.join(known) or 'none'}",
            )
            for name in wrong
        )


def _package_missing(spec: EnvSpec, error: Exception) -> InputError:
    name = next(
        (e.name for e in _chain(error) if isinstance(e, ModuleNotFoundError) and e.name), ""
    )
    entry = spec.entry_point if isinstance(spec.entry_point, str) else ""
    family = entry.removeprefix("gymnasium.envs.").partition(".")[0]
    if family in _EXTRAS:
        fix = f'pip install "gymnasium[{_EXTRAS[family]}]"'
    elif name:
        fix = f"install the package that provides the module {name}"
    else:
        fix = "install what the message names, or choose another environment"
    what = f"the package {name}" if name else "a package"
    return InputError.of(
        "gymnasium-package",
        f'environment "{spec.id}" needs {what}, which is not installed: '
        f"{one_line(str(error), 300)}",
        where=_WHERE,
        fix=fix,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
