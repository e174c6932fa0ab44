"""Boot a hub on a copy of a hub's data, in the image of the hub; log in as somebody; say what was seen, in a line of JSON.

The container has no network but its own. The hub starts nothing, routes nothing, and asks nobody.
"""

import binascii
import http.client
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

DATA, CONFIG = Path("/data"), Path("/drill/config.py")
DATABASE, SECRET = "jupyterhub.sqlite", "jupyterhub_cookie_secret"
COOKIE = "jupyterhub-hub-login"
PORT, SECONDS = 8081, 180.0
# A drill that never ends would be the end of the schedule's backups, too.
END_SECONDS = 30.0
LAST = 3


def configure(c: Any) -> None:
    """Configure the scratch hub."""
    from jupyterhub.proxy import Proxy
    from jupyterhub.spawner import Spawner

    class NoProxy(Proxy):  # type: ignore[misc]  # JupyterHub has no types
        """Routes nothing: it only remembers what it was told."""

        should_start = False
        known: dict[str, Any] = {}  # noqa: RUF012 - one proxy, one hub

        async def add_route(self, routespec: str, target: str, data: Any) -> None:
            self.known[routespec] = {"routespec": routespec, "target": target, "data": data}

        async def delete_route(self, routespec: str) -> None:
            self.known.pop(routespec, None)

        async def get_all_routes(self) -> dict[str, Any]:
            return dict(self.known)

    class NoSpawner(Spawner):  # type: ignore[misc]  # the same
        """Starts nothing: what ran when the backup was made does not run here."""

        async def start(self) -> None:
            raise RuntimeError("a drill starts no servers")

        async def stop(self, now: bool = False) -> None:
            """There is nothing to stop."""

        async def poll(self) -> int:
            return 0

    c.JupyterHub.proxy_class, c.JupyterHub.spawner_class = NoProxy, NoSpawner
    c.JupyterHub.authenticator_class = "null"
    c.JupyterHub.db_url = f"sqlite:///{DATA / DATABASE}"
    c.JupyterHub.cookie_secret_file = str(DATA / SECRET)
    # A backup of an earlier JupyterHub: so would the hub's own deploy do.
    c.JupyterHub.upgrade_db = True
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{PORT}"
    c.JupyterHub.cleanup_servers = c.JupyterHub.cleanup_proxy = False


def main() -> dict[str, Any]:
    """Boot the hub, log in, end it, and return what was seen."""
    command = [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)]
    with open(CONFIG.with_name("log"), "w+") as log:
        environment = {**os.environ, "PYTHONPATH": str(CONFIG.parent)}
        hub = subprocess.Popen(command, stdout=log, stderr=log, cwd=DATA, env=environment)
        try:
            if not _answers(hub):
                log.seek(0)
                said = " / ".join([line.strip() for line in log.read().splitlines() if line.strip()][-LAST:])
                return {"failed": f"the hub does not boot on the copy: {said}"}
            return _seen()
        finally:
            hub.terminate()
            with suppress(subprocess.TimeoutExpired):
                hub.wait(END_SECONDS)
            hub.kill()


def _answers(hub: "subprocess.Popen[bytes]") -> bool:
    """Tell whether the hub answers before it ends, or too much time has passed."""
    deadline = time.monotonic() + SECONDS
    while hub.poll() is None and time.monotonic() < deadline:
        try:
            return _status("/hub/health") == http.HTTPStatus.OK
        except OSError:
            time.sleep(0.2)
    return False


def _seen() -> dict[str, Any]:
    with closing(sqlite3.connect(DATA / DATABASE)) as opened:
        (users,) = opened.execute("select count(*) from users").fetchone()
        # Whoever was there last.
        person = opened.execute(
            "select name, cookie_id from users where cookie_id is not null order by last_activity desc, id limit 1"
        ).fetchone()
    found = {"users": users, "user": person[0] if person else "", "version": _version()}
    if person is None:
        return found
    secret = _secret((DATA / SECRET).read_text().strip())
    if (status := _status("/hub/home", _cookie(secret, person[1]))) != http.HTTPStatus.OK:
        return {"failed": f"{person[0]} is not logged in by a cookie of the backup: the hub answers {status}"}
    # Or it would let in anybody.
    if (status := _status("/hub/home", _cookie(b"another", person[1]))) == http.HTTPStatus.OK:
        return {"failed": "the hub takes a cookie that another hub has signed"}
    return found


def _secret(text: str) -> bytes:
    """Read the secret that signs cookies, as JupyterHub does."""
    return binascii.a2b_hex(text) if re.fullmatch(r"([0-9A-Fa-f]{2})+", text) else binascii.a2b_base64(text)


def _cookie(secret: bytes, value: str) -> str:
    from tornado.web import create_signed_value  # it is in the hub's image

    return f"{COOKIE}={create_signed_value(secret, COOKIE, value).decode()}"


def _status(path: str, cookie: str = "") -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)) as connection:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        response.read()
        return response.status


def _version() -> str:
    from importlib.metadata import version

    return version("jupyterhub")


if __name__ == "__main__":
    print(json.dumps(main()), flush=True)
