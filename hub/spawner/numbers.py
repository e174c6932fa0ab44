"""As whom a server runs, where people's files have their own UID: by the settings' list, or by what the provider has said."""

from collections.abc import Mapping
from typing import Any

from hub.shared.people import owners
from hub.shared.people.owners import Owner
from hub.spawner import homes
from hub.spawner.news import ASK


async def of(spawner: Any) -> Owner | None:
    """Return as whom a server runs; None where the image says it.

    Raises:
        NotHere: the user has no UID, or none that the settings allow.

    """
    table = spawner.tables["owners"]
    if not table:
        return None
    try:
        if not table["claims"]:
            return owners.listed(table, spawner.user.name)
        group = int(spawner.tables["home"]["owner"].partition(":")[2])
        return owners.claimed(table, await _said(spawner), group)
    except owners.Unknown as error:
        words = f"Your account has no number (UID) that this hub may use, so your files cannot be opened. {ASK}"
        raise homes.NotHere(words, "owner", f"{spawner.user.name} has no UID: {error}") from None


def environment(user: str, home: str) -> dict[str, str]:
    """Return what the image's /etc/passwd, which does not know a user's own UID, would tell programs."""
    return {"HOME": home, "USER": user, "LOGNAME": user}


async def _said(spawner: Any) -> Mapping[str, Any]:
    """Return what the provider has said of a user at the login: of the account, and around that."""
    state = await spawner.user.get_auth_state()
    if not state:
        raise owners.Unknown("the provider has said nothing of them since claims are kept: they have to log in once more")
    about = state.get(getattr(spawner.authenticator, "user_auth_state_key", ""))
    return {**state, **(about if isinstance(about, Mapping) else {})}
