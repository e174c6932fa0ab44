"""What notebooks cannot reach."""

from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool

from swarmhub.settings.schema.grammar import Table
from swarmhub.settings.target import target


def _target(value: str) -> str:
    try:
        target(value)
    except ValueError as error:
        raise ValueError(f'{value!r} is no address, such as "10.0.0.5", "10.0.0.0/8" or "10.0.0.5:5432": {error}') from None
    return value


Target = Annotated[str, AfterValidator(_target)]


class Firewall(Table):
    """Rules that keep notebooks away from the nodes, from a cloud's metadata, and from each other."""

    enabled: StrictBool = Field(True, description="`false`: the rules are taken away; notebooks reach what their node reaches.")
    isolate_servers: StrictBool = Field(
        True,
        description="On their network, servers reach the hub and nothing else. `false`: they reach each other, and whatever "
        "else you have attached to that network, as a cluster of Dask or Spark over several servers needs.",
    )
    deny: tuple[Target, ...] = Field(
        (), description="More that notebooks cannot reach: addresses and networks, each with a port or with all."
    )
