"""What every table of `hosts.toml` is."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of `hosts.toml`: frozen, and without keys that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
