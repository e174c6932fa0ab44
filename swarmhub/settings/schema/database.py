"""Where the hub keeps users, servers and tokens, if not in a file of SQLite."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from swarmhub.settings.schema.grammar import VARIABLE, Table

RIGHT = "such as postgresql://jupyterhub:PASSWORD@db.example.org/jupyterhub"
SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
# User, one host or several, database, and libpq's parameters.
ADDRESS = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
URL = re.compile(rf"[a-z+]+://[^\s:/?#@]+(?::[^\s/?#@:]*)?@{ADDRESS}(?:,{ADDRESS})*/[^\s/?#@]+(?:\?[^\s#]*)?", re.ASCII)
# A % that is no escape: libpq's refusal quotes what follows it, which may be part of the password.
BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")


def _url(value: object) -> object:
    if value is None or (isinstance(value, dict) and set(value) == {"secret"} and VARIABLE.fullmatch(str(value["secret"]))):
        return value
    raise ValueError('is no secret. It has a password: put it where the other secrets are, and write {secret = "DATABASE_URL"}')


def check_url(value: str) -> None:
    """Make sure that a value is the URL of a database on a PostgreSQL server.

    Raises:
        ValueError: it is none; the message does not have it.

    """
    scheme = value.partition("://")[0]
    if scheme not in SCHEMES or "://" not in value:
        raise ValueError(f"is not the URL of a PostgreSQL database, {RIGHT}")
    if not URL.fullmatch(value) or BROKEN.search(value):
        raise ValueError(f"needs user, host and database, {RIGHT}; of : / ? # @ % in a password write %3A %2F %3F %23 %40 %25")


Url = Annotated[dict[str, str] | None, BeforeValidator(_url)]


class Database(Table):
    """Where the hub keeps users, servers and tokens. Default: in a file of SQLite on its volume."""

    url: Url = Field(
        None,
        description="The URL of a database on a PostgreSQL server, `postgresql://USER:PASSWORD@HOST/DATABASE`: a secret of "
        'secrets.names, `{secret = "DATABASE_URL"}`. To move an existing hub there: `fab move-database`.',
    )

    @property
    def secret(self) -> str:
        """Return the name of the secret that has the URL; nothing, where the hub works with SQLite."""
        return self.url["secret"] if self.url else ""
