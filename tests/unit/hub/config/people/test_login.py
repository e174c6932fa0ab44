"""Who gets in: by the userlist as it is now, by the console, by what the provider says."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.auth import Authenticator
from oauthenticator.github import GitHubOAuthenticator
from tornado.httpclient import HTTPClientError
from tornado.web import HTTPError
from traitlets import Set
from traitlets.config import Config

from hub.config.people import login, providers
from hub.shared.database import SQLite
from hub.shared.people import listed
from swarmhub.settings import handed
from tests.unit.hub.config.test_configure import ENVIRON
from tests.unit.support.fakes import NOTEBOOK, settings

LIST = "ada admin\ngrace\n"


class Provider(Authenticator):  # type: ignore[misc]  # it has no types
    """A provider that believes what it is told, and has members."""

    members = Set(config=True)

    async def authenticate(self, handler: Any, data: Any) -> Any:
        return {"name": data}

    async def check_allowed(self, username: str, authentication: Any = None) -> bool:
        return super().check_allowed(username, authentication) or username in self.members


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the list is kept, which names Ada and Grace."""
    listed.enforce(tmp_path / "access", LIST, SQLite(tmp_path / "none.sqlite"))
    return tmp_path / "access"


def configured(folder: Path, provider: str = f"{__name__}.Provider", **access: Any) -> Any:
    """Return what `configure` sets."""
    c = Config()
    secrets = folder.parent
    for name in ("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "OIDC"):
        (secrets / name).write_text(f"value of {name}")
    tables = handed.tables(settings(access={"provider": provider, **access}))["access"]
    login.configure(c, tables, ENVIRON, secrets, folder, listed.load(folder))
    return c


def test_what_the_provider_says_of_people_is_kept_for_claims(folder: Path) -> None:
    """Encrypted, by a key that is lost with all sessions; nobody is asked about more often for it."""
    c = configured(folder)
    login.keep_claims(c, {"provider": f"{__name__}.Provider"}, folder.parent)
    assert (c.Provider.enable_auth_state, len(c.CryptKeeper["keys"]), "auth_refresh_strict" in c.Provider) == (True, 1, False)


def authenticator(folder: Path, *, members: tuple[str, ...] = (), console: bool = True) -> Any:
    """Return the authenticator that JupyterHub would make."""
    base = login.going_by_userlist(Provider, folder, "github")
    users = listed.load(folder)
    traits = {"allowed_users": set(users.current.allowed), "admin_users": set(users.current.admins)}
    return base(**traits, allow_existing_users=console, members=set(members), blocked_users=set(users.removed))


def enter(kind: Any, name: str) -> Any:
    """Log in, and return what JupyterHub is told: None for somebody who is refused."""
    model = asyncio.run(kind.get_authenticated_user(None, name))
    if model:
        kind.add_user(SimpleNamespace(name=name))
    return model


def test_who_is_listed_gets_in(folder: Path) -> None:
    """Others do not; admins are told apart."""
    kind = authenticator(folder)
    assert [bool(enter(kind, name)) for name in ("ada", "grace", "mallory")] == [True, True, False]
    assert (enter(kind, "ada")["admin"], enter(kind, "grace")["admin"]) == (True, None)


def test_a_list_that_was_sent_counts_at_the_next_login(folder: Path) -> None:
    """Without a restart: who is new gets in, who is gone does not, and admins are those of the new list."""
    kind = authenticator(folder)
    (folder / listed.CURRENT).write_text("grace admin\nlinus\n")
    assert [bool(enter(kind, name)) for name in ("ada", "grace", "linus")] == [False, True, True]
    assert enter(kind, "grace")["admin"] is True


def test_a_refresh_goes_by_the_list_too(folder: Path) -> None:
    """A provider that makes its answer anew asks who the admins are."""
    kind = authenticator(folder)
    (folder / listed.CURRENT).write_text("grace admin\n")
    assert asyncio.run(kind.refresh_user(SimpleNamespace(name="grace"))) is True
    assert (kind.admin_users, kind.allowed_users) == ({"grace"}, {"grace"})


def test_what_others_have_set_stays(folder: Path) -> None:
    """The list changes only what it has said."""
    kind = authenticator(folder)
    kind.allowed_users |= {"of-conf-d"}
    (folder / listed.CURRENT).write_text("ada admin\n")
    assert [bool(enter(kind, name)) for name in ("of-conf-d", "grace")] == [True, False]


@pytest.mark.parametrize("console", [True, False])
def test_whom_the_console_adds_gets_in_if_that_is_wanted(folder: Path, console: bool) -> None:
    """An admin has made them; they have not logged in before."""
    kind = authenticator(folder, console=console)
    kind.add_user(SimpleNamespace(name="linus"))
    assert bool(enter(kind, "linus")) is console


def test_a_member_gets_in_while_the_provider_says_so(folder: Path) -> None:
    """That they are in the database does not let them in once they are no member, neither now nor after a restart."""
    kind = authenticator(folder, members=("linus",))
    assert enter(kind, "linus")
    kind.members = set()
    assert not enter(kind, "linus")
    restarted = authenticator(folder)
    restarted.add_user(SimpleNamespace(name="linus"))
    assert not enter(restarted, "linus")


def test_the_lists_are_not_read_for_each_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterHub adds all whom its database knows when it starts: with 5,000, that took minutes."""
    kind = authenticator(folder)
    monkeypatch.setattr(listed, "load", lambda *_: pytest.fail("the lists were read"))
    kind.add_user(SimpleNamespace(name="linus"))
    assert "linus" in kind.allowed_users


def test_who_is_listed_is_no_member(folder: Path) -> None:
    """Only who gets in by the provider alone is kept as such."""
    kind = authenticator(folder, members=("grace", "linus"))
    for name in ("grace", "linus", "mallory"):
        enter(kind, name)
    assert listed.load(folder).by_provider == {"linus"}


def test_who_was_deleted_can_be_added_again(folder: Path) -> None:
    """Whom a list that was sent has removed, an admin lets in again by deleting and adding: nothing removes them any more."""
    (folder / listed.CURRENT).write_text("ada admin\n")
    kind = authenticator(folder)
    kind.add_user(SimpleNamespace(name="grace"))
    assert not enter(kind, "grace")
    kind.delete_user(SimpleNamespace(name="grace"))
    assert listed.load(folder).out == {"grace"}
    kind.add_user(SimpleNamespace(name="grace"))
    assert enter(kind, "grace")
    assert listed.load(folder).out == set()


def test_whom_a_list_has_removed_can_be_added_again(folder: Path) -> None:
    """The hub learns of it by the file: else its next start would delete them again."""
    kind = authenticator(folder)
    (folder / listed.DELETED).write_text("linus\n")
    kind.add_user(SimpleNamespace(name="linus"))
    assert listed.load(folder).out == set()


def test_organisations_and_teams_are_asked_for_with_their_scope(folder: Path) -> None:
    """GitHub tells of private memberships only with it, behind which options go; else nobody is asked for more than a name."""
    options = {"scope": ["user:email"]}
    section = configured(folder, "github", organizations=["lab"], teams=["acme:ml"], options=options).GitHubOAuthenticator
    assert (section.allowed_organizations, section.scope) == ({"lab", "acme:ml"}, ["read:org", "user:email"])
    assert not {"scope", "allowed_organizations"} & set(configured(folder, "github").GitHubOAuthenticator)


def test_another_provider_gets_its_options(folder: Path) -> None:
    """With secrets in the place of their names, and none of GitHub's."""
    c = configured(folder, "generic-oauth", options={"client_secret": {"secret": "OIDC"}, "scope": ["openid"]})
    section = c.GenericOAuthenticator
    assert (section.client_secret, section.scope) == ("value of OIDC", ["openid"])
    assert (section.oauth_callback_url, section.allowed_users) == (ENVIRON["OAUTH_CALLBACK_URL"], {"ada", "grace"})
    assert "GitHubOAuthenticator" not in c


@pytest.mark.parametrize(
    ("name", "meant"),
    [("generic", "did you mean 'generic-oauth'"), ("gogle", "did you mean 'google'"), ("no.such", "there is auth0, ")],
)
def test_an_unknown_provider_is_told(name: str, meant: str) -> None:
    """With what may be meant, or with all there are."""
    with pytest.raises(ValueError, match=f"access.provider: '{name}' is no provider; {meant}"):
        providers.load(name)


def test_the_handed_settings_are_enough() -> None:
    """All keys that `configure` reads are in the document."""
    tables = handed.tables(settings())
    assert set(tables["access"]) == {"provider", "organizations", "teams", "console", "options"}
    assert tables["notebook"]["image"] == NOTEBOOK


def test_who_a_hook_turns_away_is_remembered_nowhere(folder: Path) -> None:
    """A hook of the operator's may say no after all."""
    kind = authenticator(folder, members=("mary",))
    kind.post_auth_hook = lambda *_: None
    assert asyncio.run(kind.run_post_auth_hook(None, {"name": "mary"})) is None
    assert "mary" not in listed.load(folder, "github").by_provider


def test_who_is_refused_reads_what_to_do(folder: Path) -> None:
    """Where the provider has words for it; one that has none is not given an option that it does not know."""
    assert configured(folder, "github").GitHubOAuthenticator.custom_403_message == providers.REFUSED
    assert "custom_403_message" not in configured(folder, "dummy").DummyAuthenticator


class Github(GitHubOAuthenticator):  # type: ignore[misc]  # it has no types
    """GitHub, where Grace's account has a number, and the organisation lab has members."""

    number, members = 1, frozenset[str]()
    fails: Exception | None = None

    async def httpfetch(self, url: str, *_: Any, **__: Any) -> Any:
        if self.fails:
            raise self.fails
        if url.endswith("/user"):
            return {"login": "Grace", "id": self.number, "email": "grace@example.org"}
        return SimpleNamespace(code=204 if url.rpartition("/")[2] in self.members else 404, body=b"")


def github(folder: Path, *members: str) -> Any:
    """Return the authenticator for GitHub's organisation lab."""
    (folder / listed.CURRENT).write_text("ada admin\n")
    users = listed.load(folder).current
    kind = login.going_by_userlist(Github, folder, "github")
    made = kind(
        allowed_organizations={"lab"}, allowed_users=set(users.allowed), enable_auth_state=True, auth_refresh_strict=True
    )
    made.members = set(members)
    return made


def entered(kind: Any, **given: Any) -> Any:
    """Log Grace in, with what GitHub gives her for it."""
    answer = {"access_token": "t", "token_type": "bearer", **given}
    kind.get_token_info = lambda *_: asyncio.sleep(0, answer)
    kind.build_access_tokens_request_params = lambda *_: {}
    return asyncio.run(kind.get_authenticated_user(None, None))


def asked_again(kind: Any, name: str = "grace", state: Any = None) -> Any:
    """Ask about somebody again, as JupyterHub does before it answers them; return what it is told."""

    async def get_auth_state() -> Any:
        return state or {"token_response": {"access_token": "t", "token_type": "bearer"}}

    return asyncio.run(kind.refresh_user(SimpleNamespace(name=name, get_auth_state=get_auth_state)))


def test_a_member_is_asked_about_again(folder: Path) -> None:
    """And stays in while the provider says so."""
    kind = github(folder, "grace")
    assert entered(kind)["name"] == "grace"
    assert asked_again(kind)["name"] == "grace"


def test_who_is_no_member_any_more_has_to_log_in_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often they come, GitHub is not asked at once; once they are a member again, a login counts."""
    kind = github(folder, "grace")
    entered(kind)
    kind.members = frozenset()
    assert asked_again(kind) is False
    kind.members = frozenset({"grace"})
    assert asked_again(kind) is False
    entered(kind)
    assert asked_again(kind)["name"] == "grace"


def test_who_has_another_account_now_is_no_member(folder: Path) -> None:
    """The name has changed hands since the login."""
    kind = github(folder, "grace")
    entered(kind)
    kind.number = 2
    assert asked_again(kind) is False


def test_who_has_withdrawn_what_was_given_has_to_log_in_again(folder: Path) -> None:
    """GitHub refuses the hub."""
    kind = github(folder, "grace")
    entered(kind)
    kind.fails = HTTPClientError(401)
    assert asked_again(kind) is False


@pytest.mark.parametrize("error", [HTTPClientError(599), HTTPClientError(502), OSError("no route")])
def test_a_provider_that_does_not_answer_takes_nobody_out(folder: Path, error: Exception) -> None:
    """People work on."""
    kind = github(folder, "grace")
    entered(kind)
    kind.fails = error
    assert asked_again(kind) is True


def test_who_is_listed_is_not_asked_about_again(folder: Path) -> None:
    """The userlist alone decides, and GitHub may be away."""
    kind = github(folder)
    kind.fails = OSError("no route")
    assert asked_again(kind, "ada") is True


def test_another_account_of_that_name_is_refused(folder: Path) -> None:
    """Before anything is given to it; the page has words for it, and the operator reads of it."""
    kind = github(folder, "grace")
    entered(kind)
    kind.number = 2
    with pytest.raises(HTTPError, match="Your name belongs to another account"):
        entered(kind)
    assert listed.load(folder).others == {"grace"}


def test_who_comes_back_by_a_membership_keeps_the_name_for_that_account(folder: Path) -> None:
    """The login itself adds the user to the hub, as an admin would."""
    kind = github(folder, "grace")
    grace = SimpleNamespace(name="grace")
    entered(kind)
    kind.delete_user(grace)
    entered(kind)
    kind.add_user(grace)
    kind.number = 2
    with pytest.raises(HTTPError):
        entered(kind)


def test_who_is_added_again_may_have_another_account(folder: Path) -> None:
    """That is how the operator lets it in."""
    kind = github(folder, "grace")
    grace = SimpleNamespace(name="grace")
    entered(kind)
    kind.delete_user(grace)
    kind.add_user(grace)
    kind.number = 2
    assert entered(kind)["name"] == "grace"


def test_a_provider_without_numbers_is_believed(folder: Path) -> None:
    """There is nothing to go by but the name."""
    kind = authenticator(folder)
    assert enter(kind, "grace")
    assert not (folder / listed.ACCOUNTS).exists()


def test_members_are_asked_about_only_where_there_are_some(folder: Path) -> None:
    """With a key of the hub's own."""
    (folder.parent / login.COOKIES).write_text("secret")
    c = configured(folder, "github", organizations=["lab"])
    section = c.GitHubOAuthenticator
    assert (section.enable_auth_state, section.auth_refresh_strict) == (True, True)
    assert len(c.CryptKeeper["keys"][0]) == 32
    without = configured(folder, "github")
    assert not {"CryptKeeper", "enable_auth_state"} & {*without, *without.GitHubOAuthenticator}


@pytest.mark.parametrize(
    ("set_", "days"),
    [({}, 14), ({"cookie_max_age_days": 0.5}, 0.5), ({"token_expires_in_max_seconds": 3600}, 1 / 24)],
    ids=["the default", "shorter cookies", "the operator's own"],
)
def test_members_tokens_end_no_later_than_their_sessions(set_: dict[str, Any], days: float) -> None:
    """Where all are on a list, they last until they are revoked."""
    c = Config(JupyterHub=set_)
    login.end_tokens(c, {"organizations": [], "teams": []})
    assert c.JupyterHub == set_
    login.end_tokens(c, {"organizations": [], "teams": ["lab:course"]})
    assert c.JupyterHub.token_expires_in_max_seconds == days * 86400
