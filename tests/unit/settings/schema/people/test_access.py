"""Who may log in: what [access] may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.support.fakes import settings


def test_by_default_people_log_in_by_github_and_the_console_adds_some() -> None:
    """As before there was such a table."""
    access = settings().access
    assert (access.is_github, access.console, access.organizations, access.teams) == (True, True, (), ())


def test_another_provider_has_options() -> None:
    """Any of its class, with any value."""
    access = settings(access={"provider": "google", "options": {"hosted_domain": ["example.org"]}}).access
    assert (access.is_github, access.options) == (False, {"hosted_domain": ["example.org"]})


@pytest.mark.parametrize(
    ("access", "wrong"),
    [
        ({"organizations": ["a/b"]}, "'a/b' is not an organisation as GitHub's addresses name it"),
        ({"teams": ["ml"]}, "'ml' is not a team as GitHub's addresses name it: organisation:team"),
        ({"teams": ["acme:ML Team"]}, "'acme:ML Team' is not a team"),
        ({"provider": "no provider"}, "'no provider' is not a provider"),
        ({"provider": "google", "teams": ["acme:ml"]}, "is GitHub's; provider = 'google' has options of its own"),
        ({"provider": "google", "organizations": ["acme"]}, "is GitHub's; provider = 'google' has options of its own"),
    ],
    ids=["organisation", "team", "team's name", "provider", "teams elsewhere", "organisations elsewhere"],
)
def test_what_cannot_be_meant_is_refused(access: Any, wrong: str) -> None:
    """Before anything is connected to."""
    with pytest.raises(ValidationError, match=wrong):
        settings(access=access)
