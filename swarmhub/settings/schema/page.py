"""What people see first: a name, what this is, a logo, an announcement."""

from pydantic import Field

from swarmhub.settings.schema.grammar import FilePath, Lines, Table, Text


class Page(Table):
    """What the hub's pages say. https addresses become links, and HTML is shown as it is written."""

    name: Text = Field("", description="The hub's name: on the login page, next to the logo and in the title.")
    about: Lines | None = Field(
        None, description="A sentence or two below the name on the login page. Default: one with `hub.domain`."
    )
    logo: FilePath | None = Field(None, description="A PNG, JPEG or SVG file of at most 1 MB. Default: JupyterHub's own logo.")
    announcement: Lines = Field("", description="What everybody has to know now: on top of every page of the hub.")
