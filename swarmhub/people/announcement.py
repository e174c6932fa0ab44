"""What everybody at the running hub has to know now: on its pages, and in every JupyterLab, without a restart."""

from functools import partial

from pydantic import TypeAdapter, ValidationError

from swarmhub.errors import UsageError
from swarmhub.host import Host
from swarmhub.people.api import HubApi
from swarmhub.plan.plans import Change, Plan, Progress
from swarmhub.settings.schema.grammar import Lines

STEP = "announce"
PATH = "swarmhub/announcement"
# It is read at a glance; the hub takes no body above a megabyte.
LONGEST = 2000


def found(api: HubApi) -> str:
    """Return the announcement in force; nothing, if there is none."""
    return str(api.get(PATH)["text"])


def plan(api: HubApi, text: str, manager: str) -> Plan:
    """Return what puts a text into force.

    Raises:
        UsageError: it cannot be shown.

    """
    wanted, now = checked(text), found(api)
    if wanted == now:
        return Plan(STEP, f"the announcement is: {now}" if now else "there is no announcement")
    change = Change("announce" if wanted else "withdraw", f"{wanted or now!r}", manager, partial(_put, api, wanted))
    return Plan(STEP, "", (change,))


def checked(text: str) -> str:
    """Return a text as hosts.toml takes it.

    Raises:
        UsageError: it does not.

    """
    try:
        wanted = TypeAdapter(Lines).validate_python(text)
    except ValidationError as error:
        raise UsageError(f"announce: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None
    if len(wanted) > LONGEST:
        raise UsageError(f"announce: the text has {len(wanted)} characters, at most {LONGEST} fit; link to the rest")
    return wanted


def _put(api: HubApi, text: str, host: Host, progress: Progress) -> None:
    api.put(PATH, {"text": text})
