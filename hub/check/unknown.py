"""Options without effect: traitlets warns of some, and is silent on others."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from traitlets.config import Config, Configurable

from hub.check.origins import Origins


def unknown(config: Any, origins: Origins) -> Iterator[str]:
    """Yield each class and each option of the configuration that there is not, with what may be meant.

    What there is, is what has been loaded: call it after JupyterHub has been.
    """
    known = _known()
    for section, options in sorted(config.items()):
        traits = known.get(section)
        for trait in sorted(options):
            where = origins.of(section, trait) or f"{section}.{trait}"
            if traits is None:
                yield f"{where}: there is no class {section}{_meant(section, known)}"
            elif trait not in traits and not isinstance(options[trait], Config):
                yield f"{where}: {section} has no option {trait}{_meant(trait, traits)}"


def shadowed(config: Any, kinds: Iterable[type[Any]], origins: Origins) -> Iterator[str]:
    """Yield each option of an operator's that one of ours wins over: the more special class's counts, not the later one."""
    for kind in kinds:
        sections = [one.__name__ for one in kind.__mro__ if one.__name__ in config]
        for place, section in enumerate(sections):
            for trait in sorted(config[section]):
                above = next((one for one in sections[:place] if trait in config[one] and not origins.of(one, trait)), None)
                where = origins.of(section, trait)
                if above and above != section and where:
                    yield f"{where}: has no effect, swarmhub sets {above}.{trait}; set that instead"


def unused(config: Any, kinds: Mapping[type[Any], type[Any]], origins: Origins) -> Iterator[str]:
    """Yield each option of a class that the hub does not use; `kinds` has the one that it uses by the class of all such."""
    for base, kind in kinds.items():
        used = {one.__name__ for one in kind.__mro__}
        for section in sorted({*config} & ({one.__name__ for one in _below(base)} - used)):
            for trait in sorted(config[section]):
                where = origins.of(section, trait) or f"{section}.{trait}"
                yield f"{where}: has no effect, the hub uses {kind.__name__} and not {section}"


def _known() -> dict[str, set[str]]:
    """Return the options of every class that can be configured, by its name."""
    found: dict[str, set[str]] = {}
    for kind in _below(Configurable):
        found.setdefault(kind.__name__, set()).update(kind.class_traits(config=True))
    return found


def _below(base: type[Any]) -> Iterator[type[Any]]:
    """Yield a class and all that inherit from it."""
    left = [base]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        yield kind


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
