"""Who may log in besides the userlist, and where people log in."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StrictBool, model_validator

from hub.shared.people.userlist import GITHUB
from swarmhub.settings.schema.grammar import Table, Variable, misplaced, word

PROVIDER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
# GitHub's names of organisations, and what addresses say of teams.
ORGANIZATION = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}", re.ASCII)
TEAM = re.compile(rf"{ORGANIZATION.pattern}:[a-z0-9][a-z0-9_-]*", re.ASCII)

Provider = Annotated[str, AfterValidator(word(PROVIDER, "a provider, such as github, google or generic-oauth"))]
Organization = Annotated[str, AfterValidator(word(ORGANIZATION, "an organisation as GitHub's addresses name it"))]
Team = Annotated[str, AfterValidator(word(TEAM, "a team as GitHub's addresses name it: organisation:team"))]


class Access(Table):
    """Who may log in besides the userlist, and where people log in."""

    provider: Provider = Field(
        GITHUB,
        description="Where people log in: an authenticator by its name in JupyterHub, such as `github`, `google`, `gitlab`, "
        "`azuread` or `generic-oauth` (any OpenID Connect), or by its class, `module.Class`.",
    )
    organizations: tuple[Organization, ...] = Field((), description="GitHub organisations whose members may log in.")
    teams: tuple[Team, ...] = Field((), description="GitHub teams whose members may log in, as `organisation:team`.")
    console: StrictBool = Field(True, description="`false`: users added in the admin console may not log in.")
    options: dict[Variable, Any] = Field(
        {}, description='Any option of the provider\'s class; a secret of secrets.names as `{secret = "NAME"}`.'
    )

    @property
    def is_github(self) -> bool:
        """Tell whether people log in by GitHub."""
        return self.provider == GITHUB

    @property
    def vouches(self) -> bool:
        """Tell whether the provider may let in people whom no userlist names."""
        return not self.is_github or bool(self.organizations or self.teams)

    @model_validator(mode="after")
    def _fits_provider(self) -> Self:
        for key in ("organizations", "teams"):
            if getattr(self, key) and not self.is_github:
                raise misplaced(
                    f"is GitHub's; provider = {self.provider!r} has options of its own for it: [access.options]", key
                )
        return self
