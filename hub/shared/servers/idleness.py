"""When a server is to stop because nobody uses it: one rule, for the culler that stops it and for the hub that says so before.

Times are seconds since 1970.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

# How often a server says how it is used, at the most and at the least.
SOONEST, LATEST = 1.0, 60.0


@dataclass(frozen=True)
class Use:
    """How a server is used.

    `active` is when something came through the proxy or worked; `used` when somebody was there or something worked, where the
    server says so: a page that is open asks by itself. `kept` is until when somebody has asked to keep it.
    """

    started: float
    active: float
    used: float | None = None
    kept: float = 0.0

    @property
    def state(self) -> dict[str, float | None]:
        """Return what only the hub keeps of it."""
        return {"used": self.used, "kept": self.kept}


@dataclass(frozen=True)
class Stop:
    """When a server is to stop, whether for its age, and when it would if somebody asked to keep it now."""

    at: float
    is_aged: bool
    later: float


def stop(culling: Mapping[str, Any], use: Use) -> Stop:
    """Return when a server is to stop, by the table [culling]."""
    ends = [use.active + culling["idle"]]
    if use.used is not None:
        ends.append(use.used + max(culling["idle"], culling["open_page"]))
    age = use.started + culling.get("max_age", float("inf"))
    first = min(age, *ends)
    at = max(first, use.kept)
    return Stop(at, age <= first, min(at + culling["keep"], max(at, first + culling["keep_at_most"])))


def kept(culling: Mapping[str, Any], use: Use, now: float) -> Use:
    """Return the use of a server that somebody asks to keep; it does not change before the stop is soon, or at the limit."""
    found = stop(culling, use)
    return replace(use, kept=found.later) if is_soon(culling, found, now) and found.later > found.at else use


def is_soon(culling: Mapping[str, Any], found: Stop, now: float) -> bool:
    """Tell whether a server stops so soon that people are told; not before half of the time in which it is to be used."""
    return bool(found.at - now <= min(culling["warn"], max(culling["idle"], culling["open_page"]) / 2))


def is_excepted(culling: Mapping[str, Any], user: str, groups: Collection[str]) -> bool:
    """Tell whether a user's servers are never stopped."""
    return user in culling["except_users"] or not {*groups}.isdisjoint(culling["except_groups"])


def told_every(culling: Mapping[str, Any]) -> float:
    """Return how often a server is to say how it is used: some times in the shortest of what depends on it."""
    shortest = min(culling[name] for name in ("idle", "open_page", "warn"))
    return float(max(SOONEST, min(LATEST, shortest / 4)))
