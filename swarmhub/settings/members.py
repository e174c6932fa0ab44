"""The groups of `hosts.toml` against the userlist."""

from pathlib import Path

from hub.shared.people.userlist import parse
from swarmhub.errors import Problem, SettingsError
from swarmhub.settings import Settings, read_text


def check(settings: Settings, file: Path, userlist: bytes) -> None:
    """Make sure that the members of the groups may log in: JupyterHub lets in whoever it has put into a group.

    `file` is that of the settings, for the lines.

    Raises:
        SettingsError: with each member that the userlist does not name.

    """
    allowed = parse(userlist.decode(), settings.access.provider)[0].allowed
    strangers = [
        (("groups", name, place), user)
        for name, users in settings.groups.items()
        for place, user in enumerate(users)
        if user not in allowed
    ]
    if strangers:
        from swarmhub.settings.lines import line_of, positions  # only a broken file pays for the parser

        lines = positions(read_text(file, ""))
        wrong = "is not in the userlist, and a group would let them in; add them there, or make the group in the admin console"
        problems = (
            Problem(str(file), line_of(key, lines), f"{key[0]}.{key[1]}[{key[2]}]", f"{user!r} {wrong}")
            for key, user in strangers
        )
        raise SettingsError(*problems)
