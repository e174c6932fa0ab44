"""The hub's database on a PostgreSQL server: whether it opens, tried once in the hub's image on the manager."""

from collections.abc import Mapping

from pydantic import SecretStr

from hub.shared import database as shared
from swarmhub.doctor.finding import Finding, failure, ok, warning
from swarmhub.engine import containers
from swarmhub.host import Host
from swarmhub.inside import SCRIPTS

CHECK = "database"
SENT = {f"swarmhub/inside/{name}.py": SCRIPTS / f"{name}.py" for name in ("database/reach", "database/postgresql")}
GIVEN, MODULE = "swarmhub-database-url", "swarmhub.inside.database.reach"
# Several hosts in the URL are tried one after the other, each for as long as libpq is told to.
SECONDS = 40
TIMED_OUT = 124
OTHERWISE = "Is the server up, and does the manager reach it? docs/database.md, When it fails"


def observe(manager: Host, image: str, url: SecretStr, labels: Mapping[str, str]) -> str:
    """Return what keeps the hub's image from opening the database; nothing, if it opens."""
    body = {
        "Image": image,
        "User": "0",
        "Entrypoint": ["timeout", str(SECONDS), "python3", "-B", "-m", MODULE],
        "WorkingDir": "/",
        "Cmd": [],
        "Labels": {**labels, containers.LABEL: "doctor"},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {"NetworkMode": "bridge"},
    }
    files = {name: file.read_bytes() for name, file in SENT.items()} | {GIVEN: url.get_secret_value().encode()}
    done = containers.once(manager, body, files=files, mode=0o600)
    if done.code == TIMED_OUT:
        return f"timeout expired: it does not answer within {SECONDS} s"
    return done.last.removeprefix("PostgreSQL: ") if done.code else ""


def judge(wrong: str, url: SecretStr, manager: str) -> Finding:
    """Return whether the database opens, with the server's name and no secret."""
    name = f"the PostgreSQL server {server(url)}"
    if not wrong:
        return ok(CHECK, manager, f"the hub's database on {name} opens")
    return failure(CHECK, manager, f"the hub's database on {name} cannot be used: {wrong}", shared.help_for(wrong) or OTHERWISE)


def missing(url: SecretStr, manager: str) -> Finding:
    """Return that nobody can ask as the hub does: its image is not there."""
    text = f"the PostgreSQL server {server(url)} is not asked: the manager does not hold the hub's image yet"
    return warning(CHECK, manager, text, "Get it: fab deploy")


def server(url: SecretStr) -> str:
    """Return the hosts and ports of a URL: neither its user nor its password may hold an @ or a / as it is."""
    return url.get_secret_value().partition("@")[2].partition("/")[0]
