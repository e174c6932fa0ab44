"""What somebody's own token is good for at the hub."""

import json

from tests.lab.support import HUB, Lab

NOTE = "of a test"
STATUS = """
curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: token $1" http://127.0.0.1:8081/hub/api/user
"""


def status_of(lab: Lab, token: str) -> int:
    """Return what the hub's API answers to a token."""
    return int(lab.execute(HUB, "sh", "-c", STATUS, "sh", token))


def token_of(lab: Lab, name: str) -> str:
    """Return a new token of somebody's own."""
    return str(json.loads(lab.hub_api("POST", f"users/{name}/tokens", json.dumps({"note": NOTE})))["token"])


def revoke(lab: Lab, name: str) -> None:
    """Revoke such tokens of somebody's."""
    found = json.loads(lab.hub_api("GET", f"users/{name}/tokens"))["api_tokens"]
    for one in found:
        if one["note"] == NOTE:
            lab.hub_api("DELETE", f"users/{name}/tokens/{one['id']}")
