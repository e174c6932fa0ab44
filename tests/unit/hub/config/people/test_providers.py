"""The authenticators that there are: what each is given unasked, and several at once, which share one userlist."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.auth import Authenticator
from oauthenticator.github import GitHubOAuthenticator
from tornado.web import HTTPError
from traitlets import Dict, List
from traitlets.config import Config

from hub.config.people import login, providers
from hub.shared.database import SQLite
from hub.shared.people import listed
from swarmhub.settings import handed
from tests.unit.hub.config.test_configure import ENVIRON
from tests.unit.support.fakes import settings

LIST = "one:ada admin\ntwo:grace\n"
CALLBACK = ENVIRON["OAUTH_CALLBACK_URL"]


class Believing(Authenticator):  # type: ignore[misc]  # it has no types
    """A provider that believes what it is told, has an option for TLS, and forgets whom it is told to."""

    tls_kwargs = Dict(config=True)
    forgotten: tuple[str, ...] = ()

    async def authenticate(self, handler: Any, data: Any) -> Any:
        name, _, number = data.partition("#")
        return {"name": name, "auth_state": {"sub": number}}

    def delete_user(self, user: Any) -> None:
        self.forgotten = (*self.forgotten, user.name)


class MultiAuthenticator(Authenticator):  # type: ignore[misc]  # it has no types
    """What counts of jupyterhub-multiauthenticator 0.4: a class above each provider's, which puts a word before its names."""

    authenticators: Any = List(config=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._authenticators = [_wrapped(entry)(parent=self, **entry["config"]) for entry in self.authenticators]


def _wrapped(entry: Any) -> Any:
    kind = entry["authenticator_class"]

    class Wrapper(kind):  # type: ignore[misc, valid-type]
        @property
        def username_prefix(self) -> str:
            return f"{self.service_name}:"

        async def authenticate(self, handler: Any, data: Any = None, **more: Any) -> Any:
            model = await super().authenticate(handler, data, **more)
            return model | {"name": self.username_prefix + model["name"]}

        def check_allowed(self, username: str, authentication: Any = None) -> Any:
            own = username.startswith(self.username_prefix)
            return own and super().check_allowed(username.removeprefix(self.username_prefix), authentication)

        def check_blocked_users(self, username: str, authentication: Any = None) -> Any:
            return super().check_blocked_users(username.removeprefix(self.username_prefix), authentication)

    return Wrapper


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the list is kept, which names one person of each provider."""
    listed.enforce(tmp_path / "access", LIST, SQLite(tmp_path / "none.sqlite"), "several")
    return tmp_path / "access"


def configured(folder: Path, *entries: dict[str, Any]) -> Any:
    """Return the configuration with several providers, or with two that believe everybody."""
    c = Config()
    two = ({"authenticator_class": f"{__name__}.Believing", "url_prefix": name} for name in ("/one", "two"))
    access = {"provider": f"{__name__}.MultiAuthenticator", "options": {"authenticators": [*entries] or [*two]}}
    tables = handed.tables(settings(access=access))["access"]
    login.configure(c, tables, ENVIRON, folder.parent, folder, listed.load(folder, tables["provider"]))
    return c


@pytest.fixture
def several(folder: Path) -> Any:
    """Return the authenticator of both."""
    c = configured(folder)
    return c.JupyterHub.authenticator_class(config=c)


def enter(several: Any, place: int, name: str) -> str:
    """Log in by one of them as JupyterHub does, and return the name in the hub."""
    part = several._authenticators[place]
    model = asyncio.run(part.get_authenticated_user(None, name))
    if not model:
        return ""
    part.add_user(SimpleNamespace(name=model["name"]))
    return f"{model['name']}{' admin' if model['admin'] else ''}"


def test_of_several_providers_each_lets_in_its_own_people(several: Any) -> None:
    """Their names begin with the provider's word; the same name at another one is somebody else's."""
    assert [enter(several, 0, name) for name in ("ada", "grace", "one:ada", "two:grace")] == ["one:ada admin", "", "", ""]
    assert [enter(several, 1, name) for name in ("ada", "grace")] == ["", "two:grace"]


def test_of_several_providers_a_list_that_was_sent_counts_at_the_next_login(several: Any, folder: Path) -> None:
    """Without a restart, by whichever they come."""
    (folder / listed.CURRENT).write_text("one:linus admin\n")
    assert [enter(several, 0, "ada"), enter(several, 0, "linus"), enter(several, 1, "grace")] == ["", "one:linus admin", ""]


def test_of_several_providers_whom_the_console_adds_gets_in(several: Any) -> None:
    """Under the name with the provider's word; one who is blocked does not."""
    for name in ("two:turing", "two:mallory"):
        several.add_user(SimpleNamespace(name=name))
    several.blocked_users = {"two:mallory"}
    assert [enter(several, 1, name) for name in ("turing", "mallory")] == ["two:turing", ""]


def test_of_several_providers_another_account_with_a_known_name_is_refused(several: Any) -> None:
    """By the number that the provider says."""
    assert enter(several, 0, "ada#7") == "one:ada admin"
    with pytest.raises(HTTPError, match="Your name belongs to another account"):
        enter(several, 0, "ada#8")


def test_of_several_providers_that_of_a_deleted_user_is_told(several: Any) -> None:
    """It may keep a password of theirs."""
    several.delete_user(SimpleNamespace(name="two:grace"))
    assert [part.forgotten for part in several._authenticators] == [(), ("grace",)]


def test_a_provider_of_several_gets_its_callback_and_keeps_what_is_set(folder: Path) -> None:
    """The callback has the provider's word in it; a mistake in a name is told with its key."""
    entry = {"authenticator_class": "github", "url_prefix": "/gh", "config": {"client_id": "an-id"}}
    (given,) = configured(folder, entry)[MultiAuthenticator.__name__].authenticators
    config = given["config"]
    expected = (CALLBACK.replace("/oauth", "/gh/oauth"), "an-id", providers.REFUSED)
    assert (config["oauth_callback_url"], config["client_id"], config["custom_403_message"]) == expected
    with pytest.raises(ValueError, match=r"access\.options\.authenticators: 'githb' is no provider; did you mean 'github'\?"):
        configured(folder, {"authenticator_class": "githb", "url_prefix": "x"})


def test_a_provider_is_given_what_it_has(folder: Path) -> None:
    """No callback where it has none; a directory's server has to prove who it is."""
    given = providers.defaults(Believing, CALLBACK)
    assert {name: value["validate"].name for name, value in given.items()} == {"tls_kwargs": "CERT_REQUIRED"}
    assert set(providers.defaults(GitHubOAuthenticator, CALLBACK)) == {"oauth_callback_url", "custom_403_message"}


def test_an_authenticators_own_pages_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in the folder next to it; most have none."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "own_pages.py").write_text("class Own: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = providers.load("own_pages.Own")
    assert providers.templates([own, GitHubOAuthenticator]) == [str(tmp_path / "templates")]


@pytest.mark.parametrize(
    ("key", "model", "account"),
    [
        ("", {"auth_state": {"sub": "7", "id": 8}}, ("sub", "7")),
        ("", {"auth_state": {"user_id": "9"}}, ("user_id", "9")),
        ("github_user", {"auth_state": {"sub": "7", "github_user": {"id": 8}}}, ("id", "8")),
        ("github_user", {"auth_state": None}, None),
        ("", {"auth_state": {"ldap_groups": []}}, None),
    ],
)
def test_an_account_is_known_by_its_number(key: str, model: Any, account: Any) -> None:
    """Where the provider says it: among what it says of the user, or among all it says."""
    kind = SimpleNamespace(**({"user_auth_state_key": key} if key else {}))
    assert providers.account_of(kind, model) == account
