"""The overlay's addresses against the people on the userlist."""

from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.services.addresses import Use, larger, room
from swarmhub.settings import Settings

CHECK = "addresses"


def judge(use: Use, users: int, nodes: int, settings: Settings, manager: str) -> Finding:
    """Compare what is left with what everybody on the userlist would take, were they all here at once."""
    fit, coming = room(use, nodes, settings), max(0, users - use.servers)
    text = f"{use.subnet} has room for {fit} more server{'' if fit == 1 else 's'}, {coming} of {users} users have none now"
    remedy = larger(settings)
    if coming and fit == 0:
        return failure(CHECK, manager, text, remedy)
    if fit < coming:
        return warning(CHECK, manager, text, remedy)
    return ok(CHECK, manager, text)
