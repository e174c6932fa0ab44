"""What a server gets: the settings for all, then the profile's, then the overrides that fit; and what a profile is called."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from hub.shared.settings import Tables

# Of these tables' entries each counts on its own: one that a profile sets leaves the others.
MERGED = ("environment", "labels", "node_labels", "generic_resources")


def server_for(tables: Tables, user: str, groups: Collection[str], profile: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a user's server gets, by the keys of [notebook]; `profile` is the one that was chosen."""
    chosen = profile or {}
    fitting = [one for one in tables["overrides"] if _fits(one, user, groups, str(chosen.get("name", "")))]
    server: dict[str, Any] = dict(tables["notebook"])
    for part in (chosen, *fitting):
        server |= {key: {**server[key], **value} if key in MERGED else value for key, value in part.items()}
    return {key: server[key] for key in server if key not in ("name", "description", "groups", "users", "profiles")}


def is_for(rule: Mapping[str, Any], groups: Collection[str], profile: str) -> bool:
    """Tell whether what is limited to groups and profiles is for a member of `groups` who chose `profile`."""
    of_group = not rule.get("groups") or bool({*rule["groups"]} & {*groups})
    return of_group and (not rule.get("profiles") or profile in rule["profiles"])


def _fits(override: Mapping[str, Any], user: str, groups: Collection[str], profile: str) -> bool:
    users, of_groups = {*override.get("users", ())}, {*override.get("groups", ())}
    is_for_them = user in users or bool(of_groups & {*groups}) or not (users or of_groups)
    return is_for_them and (not override.get("profiles") or profile in override["profiles"])


def slug(name: str) -> str:
    """Return the name in small letters, digits and hyphens; letters that ASCII lacks become a hash of the whole name."""
    plain = unicodedata.normalize("NFKD", name)
    words = re.findall(r"[a-z0-9]+", plain.encode("ascii", "ignore").decode().lower())
    if not words or any(letter.isalnum() and not letter.isascii() for letter in plain):
        words.append(hashlib.sha256(name.encode()).hexdigest()[:6])
    return "-".join(words)
