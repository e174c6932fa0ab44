"""The HTTP proxy by which a network reaches the internet."""

import re
from ipaddress import ip_network
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, model_validator

from swarmhub.settings.schema.grammar import HOST, VARIABLE, Table, misplaced

PROXY = re.compile(
    r"https?://(?:[^@/\s?#]*@)?(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(?::([0-9]{1,5}))?/?", re.ASCII | re.IGNORECASE
)
RIGHT = "such as http://proxy.example.org:3128"


def _url(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, dict) and set(value) == {"secret"} and VARIABLE.fullmatch(str(value["secret"])):
        return value
    if not isinstance(value, str):
        raise ValueError(f'is no address, {RIGHT}, and no secret, such as {{secret = "INTERNET_PROXY"}}')
    if "@" in value:
        raise ValueError(
            "a password here could be read in a Swarm config; put the address where the other secrets are, and write "
            '{secret = "NAME"}'
        )
    return address(value)


def address(value: str) -> str:
    """Return a proxy's address, which may have a name and a password.

    Raises:
        ValueError: it is none; the message does not have it.

    """
    found = PROXY.fullmatch(value)
    if not found or not 0 < int(found[1] or 80) < 65536:
        raise ValueError(f"is not the address of an HTTP proxy, {RIGHT}")
    return value.rstrip("/")


def _past(value: str) -> str:
    try:
        ip_network(value, strict=False)
    except ValueError:
        if not HOST.fullmatch(value.removeprefix(".")):
            raise ValueError(
                f"{value!r} is no name, domain or network, such as intranet.example.org, .example.org or 10.0.0.0/8"
            ) from None
    return value


Url = Annotated[Any, BeforeValidator(_url, json_schema_input_type=str | dict[str, str] | None)]
Past = Annotated[str, AfterValidator(_past)]


class HttpProxy(Table):
    """An HTTP proxy that leads to the internet: for the images' builds, the hub, certbot and notebooks."""

    url: Url = Field(
        None,
        description="Its address, such as `http://proxy.example.org:3128`; with a password, a secret of secrets.names: "
        '`{secret = "NAME"}`.',
    )
    no_proxy: tuple[Past, ...] = Field(
        (),
        description="Names, domains and networks that are asked past it, such as `git.example.org` and `10.0.0.0/8`. "
        "The hub's own services are, always.",
    )
    notebooks: StrictBool | None = Field(
        None, description="`false`: people's servers are not told of it. Default: they are, unless it is a secret."
    )

    @property
    def secret(self) -> str:
        """Return the name of the secret that holds its address; nothing, if it is none."""
        return str(self.url["secret"]) if isinstance(self.url, dict) else ""

    @property
    def is_for_notebooks(self) -> bool:
        """Tell whether people's servers are told of it."""
        return bool(self.url) and not self.secret and self.notebooks is not False

    @model_validator(mode="after")
    def _keeps_the_secret(self) -> Self:
        if self.secret and self.notebooks:
            raise misplaced("does not go with a secret: everybody could read it in their server", "notebooks")
        return self
