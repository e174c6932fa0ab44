"""A hub is killed, and another one comes: at once, or while it starts a server."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from lab import machine
from tests.lab.support import HUB, Lab


def restart_hub(lab: Lab) -> None:
    """End the hub's container; Swarm starts another one."""
    before = lab.container()
    lab.docker("kill", before)
    wait_for_another(lab, before)


def wait_for_another(lab: Lab, before: str) -> None:
    """Wait until another hub's container answers."""
    lab.wait(lambda: lab.container() not in ("", before) and lab.hub_answers(), 60, "the hub does not come back")


def killed_in_a_start(lab: Lab, user: str) -> None:
    """Kill the hub while it starts a user's server: the next one knows the server, or removes it. It is stopped in the end."""
    hub = lab.container()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(_unless_killed, lab, "POST", f"users/{user}/server", '{"user_options": {"profile": "Small"}}')
        lab.wait(lambda: _is_there(lab, user), 30, "no server is made")
        lab.docker("kill", hub)
        asked.result()
    wait_for_another(lab, hub)
    what = "a server runs without the hub's knowing it"
    lab.wait(lambda: _is_there(lab, user) == _is_known(lab, user), 90, what)
    if _is_there(lab, user):
        lab.stop_server(user)


def _unless_killed(lab: Lab, method: str, path: str, body: str = "") -> str:
    with suppress(machine.LabError):
        return lab.hub_api(method, path, body)
    return ""


def _is_there(lab: Lab, user: str) -> bool:
    return bool(lab.docker("service", "ls", "--quiet", "--filter", f"name={HUB}-{user}"))


def _is_known(lab: Lab, user: str) -> bool:
    """Tell whether the hub has a server of the user's that is ready; none that it is about to start or to stop."""
    said = _unless_killed(lab, "GET", f"users/{user}")
    server = json.loads(said)["servers"].get("", {}) if said else {}
    return bool(server.get("ready")) and not server.get("pending")
