"""What people choose from before a server starts: the page, and the check at the start."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader
from jupyterhub.spawner import SpawnException

from hub import TEMPLATES
from hub.shared.servers.choice import is_for, server_for, slug
from hub.shared.servers.spec import amount
from hub.shared.settings import Tables

PAGES = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)

Profile = Mapping[str, Any]
# The option of a start without the packages and settings in the home.
BARE = "bare"


class NotOffered(SpawnException):  # type: ignore[misc]
    """A choice that there is not, or not for this user; JupyterHub shows the message on its pages and in its API."""

    def __init__(self, message: str, *, status_code: int) -> None:
        super().__init__(message, reason="profile", status_code=status_code)
        # Pages that show any exception look for this one; without it they would show the class's name too.
        self.jupyterhub_message = message


def offered(tables: Tables, groups: Collection[str]) -> tuple[Profile, ...]:
    """Return the profiles that members of `groups` may choose, in the order of the settings."""
    return tuple(one for one in tables["profiles"] if is_for(one, groups, one["name"]))


def chosen(tables: Tables, groups: Collection[str], user_options: Mapping[str, Any]) -> Profile | None:
    """Return the profile of a start: what was said, else the first one offered; None where there are no profiles.

    Options come from the page or from anybody who may use the API: nothing in them is trusted.

    Raises:
        NotOffered: there is no such profile, or it is not for members of these groups.

    """
    if not tables["profiles"]:
        return None
    choices, said = offered(tables, groups), user_options.get("profile")
    if not choices:
        raise NotOffered(_nothing(tables), status_code=403)
    if said is None:
        return choices[0]
    if found := _named(choices, said):
        return found
    there_is = f"You can choose {_words((one['name'] for one in choices), 'or')}."
    if hidden := _named(tables["profiles"], said):
        raise NotOffered(f"{hidden['name']} is for {_members(hidden['groups'])}. {there_is}", status_code=403)
    raise NotOffered(f"There is no choice {str(said)[:60]!r}. {there_is}", status_code=400)


def options_form(spawner: Any) -> str:
    """Return the inner part of the page's form; nothing where there is nothing to choose, and then no page is shown."""
    groups = [group.name for group in spawner.user.groups]
    choices = offered(spawner.tables, groups)
    last = (spawner.orm_spawner.user_options or {}).get("profile")
    selected = _named(choices, last)
    # JupyterHub starts a server with its last options where it shows no page: one that is gone could never be left.
    is_gone = last is not None and selected is None
    if len(choices) < 2 and not (choices and is_gone):
        return ""
    cards = [
        {
            "slug": slug(one["name"]),
            "name": one["name"],
            "description": one.get("description", ""),
            "sizes": sizes(server_for(spawner.tables, spawner.user.name, groups, one)),
            "is_selected": one is (selected or choices[0]),
        }
        for one in choices
    ]
    return PAGES.get_template("profiles.html").render(cards=cards, is_gone=is_gone)


def options_from_form(formdata: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the user's options; from the page, and from the query of a link such as `/hub/spawn?opt-profile=small`."""
    return {name: said[0] for name in ("profile", BARE) if (said := formdata.get(name))}


def bare(user_options: Mapping[str, Any]) -> str:
    """Return the query of a link that starts the same once without the packages and settings in the home."""
    said = user_options.get("profile")
    return urlencode({f"opt-{BARE}": 1, **({"opt-profile": said} if isinstance(said, str) else {})})


def apply_user_options(spawner: Any, user_options: Mapping[str, Any]) -> None:
    """Take the wish for a node out of the stored options, from which later starts are made; the start reads the others."""
    stored = spawner.orm_spawner.user_options or {}
    spawner.orm_spawner.user_options = {name: value for name, value in stored.items() if name != "node"}


def sizes(server: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what a server gets, in words for people who choose: "up to 2 CPUs", "4 GB memory"."""
    cpus = _range(server, "cpu", lambda number: f"{number:g}", lambda number: "CPU" if number == 1 else "CPUs")
    memory = _range(server, "memory", amount, lambda _: "memory")
    devices = [f"{count} {name.replace('-', ' ')}" for name, count in server["generic_resources"].items()]
    return tuple(part for part in (cpus, memory, *devices) if part)


def _range(server: Mapping[str, Any], kind: str, shown: Any, noun: Any) -> str:
    least, most = server.get(f"{kind}_guarantee"), server.get(f"{kind}_limit")
    if least and most and least != most:
        return f"{shown(least)} to {shown(most)} {noun(most)}"
    if most:
        return f"{'' if least else 'up to '}{shown(most)} {noun(most)}"
    return f"at least {shown(least)} {noun(least)}" if least else ""


def _named(profiles: Iterable[Profile], said: Any) -> Profile | None:
    return next((one for one in profiles if said in (one["name"], slug(one["name"]))), None)


def _nothing(tables: Tables) -> str:
    groups = dict.fromkeys(group for one in tables["profiles"] for group in one["groups"])
    return f"No server is there for you yet: all of them are for {_members(groups)}. Ask whoever runs this hub to add you."


def _members(groups: Iterable[str]) -> str:
    return f"members of {_words(groups, 'or')}"


def _words(names: Iterable[str], last: str) -> str:
    *most, final = names
    return f"{', '.join(most)} {last} {final}" if most else final
