"""Where the proxy runs, and which ports it publishes."""

from pydantic import Field, StrictBool, StrictInt

from swarmhub.settings.schema.grammar import Table


class Proxy(Table):
    """The proxy that people's browsers talk to."""

    separate: StrictBool = Field(
        True,
        description="`true`: a service of its own, so that an update of the hub cuts no notebook off. "
        "`false`: it runs in the hub's container.",
    )
    http_port: StrictInt = Field(
        80, ge=0, le=65535, description="Where a separate proxy answers plain HTTP: it leads to HTTPS. 0: nowhere."
    )
