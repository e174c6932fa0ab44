"""What somebody's own token is good for at the hub."""

import json

from tests.lab.support import HUB, Lab

STATUS = """
curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: token $1" http://127.0.0.1:8081/hub/api/user
"""


def status_of(lab: Lab, token: str) -> int:
    """Return what the hub's API answers to a token."""
    return int(lab.execute(HUB, "sh", "-c", STATUS, "sh", token))


def token_of(lab: Lab, name: str) -> str:
    """Return a new token of somebody's own."""
    return str(json.loads(lab.hub_api("POST", f"users/{name}/tokens", "{}"))["token"])
