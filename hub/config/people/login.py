"""Who may log in, and by which provider: an authenticator of JupyterHub's that goes by the userlist in force."""

import hashlib
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jupyterhub.utils import maybe_future
from tornado.httpclient import HTTPClientError
from tornado.web import HTTPError

from hub.config import extra
from hub.config.people import providers
from hub.config.people.providers import account_of
from hub.shared.people import listed
from hub.shared.people.listed import Listed
from hub.shared.people.userlist import GITHUB

# Without it GitHub tells of public memberships only.
MEMBERSHIPS = "read:org"
# Who has a name now that somebody else had before: a name at the provider can be given up, and taken again.
ANOTHER = "Your name belongs to another account at this hub. If you have a new account, ask whoever runs the hub to let you in."
# The secret of the cookies, on the hub's volume; what is encrypted by it is lost with all sessions when it is replaced.
COOKIES = "jupyterhub_cookie_secret"
# Who was refused as a member is not asked about again at once, however often they come.
REFUSED_SECONDS = 30.0
# A cookie's life, by JupyterHub's default.
SESSION_DAYS = 14
DAY_SECONDS = 24 * 3600


def configure(
    c: Any, access: Mapping[str, Any], environ: Mapping[str, str], secrets: Path, folder: Path, users: Listed
) -> None:
    """Set on `c` how people log in; `folder` is where the userlist in force is kept.

    Raises:
        ValueError: there is no such provider.

    """
    provider = access["provider"]
    base = providers.load(provider)
    section = base.__name__
    c.JupyterHub.authenticator_class = going_by_userlist(base, folder, provider)
    callback = environ["OAUTH_CALLBACK_URL"]
    for option, value in providers.defaults(base, callback).items():
        c[section][option] = value
    c[section].allowed_users = set(users.current.allowed)
    c[section].admin_users = set(users.current.admins)
    # Until `fab users-sync` removes them: they are in the database, and that alone would let them in.
    c[section].blocked_users = set(users.removed)
    # Off by default with most providers; without it, whom an admin adds in the console cannot log in.
    c[section].allow_existing_users = access["console"]
    if provider == GITHUB:
        _github(c.GitHubOAuthenticator, access, environ, secrets)
    if _has_members(access):
        _keep_state(c, c[section], folder.parent / COOKIES)
        # Else a token would go on where a cookie does not.
        c[section].auth_refresh_strict = True
    extra.apply(c, {section: access["options"]}, secrets)
    kinds = [base]
    if providers.is_several(base):
        c[section].authenticators = entries = [*providers.parts(c[section].get("authenticators", []), callback)]
        kinds += [entry["authenticator_class"].__mro__[2] for entry in entries]
    c.JupyterHub.template_paths = providers.templates(kinds)


def keep_claims(c: Any, access: Mapping[str, Any], data: Path) -> None:
    """Keep what the provider says of people, of which a claim is the UID that a server runs as."""
    _keep_state(c, c[providers.load(access["provider"]).__name__], data / COOKIES)


def end_tokens(c: Any, access: Mapping[str, Any]) -> None:
    """Let members' tokens end no later than their sessions do, by what all else has set."""
    if _has_members(access) and "token_expires_in_max_seconds" not in c.JupyterHub:
        days = c.JupyterHub.get("cookie_max_age_days", SESSION_DAYS)
        c.JupyterHub.token_expires_in_max_seconds = int(days * DAY_SECONDS)


def going_by_userlist(base: type[Any], folder: Path, provider: str) -> type[Any]:
    """Return a provider's authenticator that goes by the userlist in force at each login."""
    own = {"folder": folder, "provider": provider, "__module__": __name__}
    return type(f"Listed{base.__name__}", (_GoesByUserlist, base), own)


class _GoesByUserlist:
    """What makes JupyterHub's authenticators go by the userlist; `allowed_users` are the listed, and whom the console adds."""

    folder: Path
    provider: str
    # Traits of JupyterHub's.
    allowed_users: set[str]
    admin_users: set[str]
    blocked_users: set[str]
    auth_refresh_strict: bool
    log: logging.Logger

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._users = listed.load(self.folder, self.provider).current
        self._deleted: tuple[int, frozenset[str]] = (0, frozenset())
        self._refused: dict[str, float] = {}

    async def authenticate(self, handler: Any, data: Any = None, **more: Any) -> Any:
        """Log somebody in, by the userlist as it is now."""
        self.look()
        return await maybe_future(super().authenticate(handler, data, **more))  # type: ignore[misc]

    async def refresh_user(self, user: Any, handler: Any = None, **more: Any) -> Any:
        """Ask the provider again, if that is wanted, by the userlist as it is now; a member is one no more if it says so.

        JupyterHub does this before it answers anything to somebody whom the provider was not asked about for five minutes.
        """
        self.look()
        if user.name not in listed.by_provider(self.folder):
            # Whoever the userlist or the console lets in is asked for nothing but what they log in with.
            return True if self.auth_refresh_strict else await maybe_future(super().refresh_user(user, handler, **more))  # type: ignore[misc]
        if time.monotonic() < self._refused.get(user.name, 0):
            return False
        try:
            found = await maybe_future(super().refresh_user(user, handler, **more))  # type: ignore[misc]
            is_in = await self._is_still_in(user.name, found) if isinstance(found, dict) else bool(found)
        except (OSError, HTTPClientError) as error:
            self.log.warning("The provider does not say whether %s is still a member, who stays in: %s", user.name, error)
            return True
        if not is_in:
            self.log.warning("%s has to log in again: the provider does not vouch for them any more", user.name)
            self._refused[user.name] = time.monotonic() + REFUSED_SECONDS
        return found if is_in else False

    async def _is_still_in(self, name: str, model: Any) -> bool:
        if model["name"] != name or not self._is_same(name, account_of(self, model)):
            return False
        return bool(await maybe_future(self.check_allowed(name, model)))  # type: ignore[attr-defined]

    async def run_post_auth_hook(self, handler: Any, auth_model: Any) -> Any:
        """Keep who got in by neither the userlist nor the console: a membership that ends has to count.

        Raises:
            HTTPError: it is another account than the one that had the name before.

        """
        account = account_of(self, auth_model)  # a hook may take it away
        return self.entered(await super().run_post_auth_hook(handler, auth_model), account)  # type: ignore[misc]

    def entered(self, allowed: Any, account: tuple[str, str] | None) -> Any:
        """Keep who got in, if somebody did.

        Raises:
            HTTPError: it is another account than the one that had the name before.

        """
        if allowed:
            self._refused.pop(allowed["name"], None)
            self._require_same(allowed["name"], account)
        if allowed and allowed["name"] not in self.allowed_users:
            listed.remember(self.folder, allowed["name"])
        return allowed

    def add_user(self, user: Any) -> Any:
        """Let somebody in from now on, who is in the database; not whom the provider vouches for: it is asked each time."""
        self._welcome(user.name, anybody=True)
        if user.name not in listed.by_provider(self.folder):
            return super().add_user(user)  # type: ignore[misc]
        return None

    def delete_user(self, user: Any) -> Any:
        """Keep that somebody was deleted, who may be added again."""
        listed.forget(self.folder, user.name, self.provider)
        self.blocked_users.discard(user.name)
        for part in getattr(self, "_authenticators", ()):  # MultiAuthenticator's
            part.delete_user(user)
        return super().delete_user(user)  # type: ignore[misc]

    def _require_same(self, name: str, account: tuple[str, str] | None) -> None:
        if not self._is_same(name, account):
            self.log.error("%s is refused: their account at %s is another one than before, %s", name, self.provider, account)
            raise HTTPError(HTTPStatus.FORBIDDEN, ANOTHER)
        self._welcome(name, anybody=False)

    def _is_same(self, name: str, account: tuple[str, str] | None) -> bool:
        return account is None or listed.is_same(self.folder, f"{self.provider} {account[0]}", name, account[1])

    def _welcome(self, name: str, *, anybody: bool) -> None:
        file = self.folder / listed.DELETED
        changed = file.stat().st_ctime_ns if file.exists() else 0
        # A hub that starts asks for each user.
        if changed != self._deleted[0]:
            self._deleted = changed, listed.deleted(self.folder)
        if name in self._deleted[1]:
            listed.welcome(self.folder, name, anybody=anybody)

    def look(self) -> None:
        """Take over what has changed in the userlist since the last look; what others have added to the traits stays."""
        before, now = self._users, listed.load(self.folder, self.provider).current
        self.allowed_users = self.allowed_users - (before.allowed - now.allowed) | now.allowed
        self.admin_users = self.admin_users - (before.admins - now.admins) | now.admins
        self._users = now


def _has_members(access: Mapping[str, Any]) -> bool:
    return bool(access["organizations"] or access["teams"])


def _keep_state(c: Any, section: Any, cookies: Path) -> None:
    """Let JupyterHub keep, encrypted, what the provider says at the login, and the access that each has given it there."""
    secret = cookies.read_bytes() if cookies.exists() else b""
    c.CryptKeeper.keys = [hashlib.sha256(b"auth state" + secret).digest()]
    section.enable_auth_state = True


def _github(section: Any, access: Mapping[str, Any], environ: Mapping[str, str], secrets: Path) -> None:
    section.github_url = environ["GITHUB_URL"]
    section.github_api = environ["GITHUB_API"]
    section.client_id = (secrets / "GITHUB_CLIENT_ID").read_text()
    section.client_secret = (secrets / "GITHUB_CLIENT_SECRET").read_text()
    memberships = {*access["organizations"], *access["teams"]}
    if memberships:
        section.allowed_organizations = memberships
        section.scope = [MEMBERSHIPS]
