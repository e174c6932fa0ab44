"""The authenticators that there are: found by name, with pages of their own, and several at once."""

import difflib
import inspect
import ssl
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jupyterhub.utils import maybe_future
from traitlets.utils.importstring import import_item

GROUP = "jupyterhub.authenticators"
# jupyterhub-multiauthenticator's, which the image has where hub.packages names it.
SEVERAL = "MultiAuthenticator"
NATIVE = "NativeAuthenticator"
CALLBACK = "oauth_callback"
# For people that the provider knows and no list names; the error page has a way on for just these words.
REFUSED = "You are not among the people who may use this hub. Ask whoever runs it to let you in."
# Of ldapauthenticator's: without it, people's passwords go to anything that answers as the server.
VERIFIED = {"validate": ssl.CERT_REQUIRED, "ca_certs_file": "/etc/ssl/certs/ca-certificates.crt"}


def load(name: str, key: str = "access.provider") -> type[Any]:
    """Return an authenticator by its name in JupyterHub, such as google, or by where it is, such as module.Class.

    Raises:
        ValueError: there is none; it names the `key` of hosts.toml.

    """
    known = {point.name: point for point in entry_points(group=GROUP)}
    try:
        found: type[Any] = known[name].load() if name in known else import_item(name)
        if found.__name__ == NATIVE:
            _mend_login(import_module("nativeauthenticator.handlers").LoginHandler)
    except ImportError:
        names = sorted(known)
        close = [one for one in names if one.startswith(name)] or difflib.get_close_matches(name, names, n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(names)}; hub.packages adds others"
        raise ValueError(f"{key}: {name!r} is no provider; {meant}") from None
    return found


class _NoStatistics:
    """What JupyterHub 6 does not measure any more."""

    def timer(self, _: str) -> "_NoStatistics":
        return self

    def start(self) -> "_NoStatistics":
        return self

    def stop(self, **_: Any) -> None:
        """Send nothing."""


def _mend_login(handler: Any) -> None:
    """Let nativeauthenticator's page work: version 1.3.0, its last, was written for JupyterHub 5."""
    render = handler._render
    if not hasattr(handler, "statsd"):
        handler.statsd = _NoStatistics()
        handler._render = lambda self, login_error=None, username=None, **_: render(self, login_error, username)


def has(kind: type[Any], option: str) -> bool:
    """Tell whether a class has an option: JupyterHub warns of one that it does not know, and the check refuses it."""
    return option in kind.class_trait_names(config=True)


def defaults(kind: type[Any], callback: str) -> dict[str, Any]:
    """Return the options that a class is given unless hosts.toml says otherwise; of them all, those that it has."""
    options = {"oauth_callback_url": callback, "custom_403_message": REFUSED, "tls_kwargs": VERIFIED}
    return {option: value for option, value in options.items() if has(kind, option)}


def is_several(kind: type[Any]) -> bool:
    """Tell whether this is the authenticator of several."""
    return any(one.__name__ == SEVERAL for one in kind.__mro__)


def templates(kinds: Iterable[type[Any]]) -> list[str]:
    """Return the folders of pages that authenticators bring, such as that for signing up."""
    folders = (Path(inspect.getfile(kind)).parent / "templates" for kind in kinds)
    return [str(folder) for folder in folders if folder.is_dir()]


def parts(entries: Iterable[Mapping[str, Any]], callback: str) -> Iterator[dict[str, Any]]:
    """Yield what MultiAuthenticator is given of each provider: it knows nothing of the userlist, and no callback.

    The provider's `url_prefix` is also what its users' names begin with: by itself it would be a word of the provider's.
    """
    for entry in entries:
        kind = load(entry["authenticator_class"], "access.options.authenticators")
        name = entry["url_prefix"].strip("/")
        config = {**defaults(kind, callback.replace(f"/{CALLBACK}", f"/{name}/{CALLBACK}")), **entry.get("config", {})}
        own = {"service_name": name, "__module__": __name__}
        listed = type(f"Part{kind.__name__}", (_Part, kind), own)
        # LTI 1.3's has a word of its own in its addresses; MultiAuthenticator would change two of three, one of them twice.
        prefix = "/" if hasattr(kind, "callback_url") else f"/{name}"
        yield {**entry, "authenticator_class": listed, "url_prefix": prefix, "config": config}


def _stripped(trait: str) -> Any:
    """Return a property with those of the whole's names that are a part's, as the part itself knows them."""

    def of(part: Any) -> set[str]:
        prefix = part.username_prefix
        return {name.removeprefix(prefix) for name in getattr(part.parent, trait) if name.startswith(prefix)}

    return property(of)


def _whole(trait: str) -> Any:
    return property(lambda part: getattr(part.parent, trait))


class _Part:
    """One of several providers: who may log in by it is decided by the authenticator that has them all, its `parent`."""

    parent: Any
    # Of MultiAuthenticator's class above this one, which puts it before each name.
    username_prefix: str
    allowed_users = _stripped("allowed_users")
    blocked_users = _stripped("blocked_users")
    admin_users = _stripped("admin_users")
    enable_auth_state = _whole("enable_auth_state")
    _deprecated_db_session = _whole("_deprecated_db_session")

    async def authenticate(self, handler: Any, data: Any = None, **more: Any) -> Any:
        """Log somebody in, by the userlist as it is now."""
        self.parent.look()
        return await maybe_future(super().authenticate(handler, data, **more))  # type: ignore[misc]

    def is_admin(self, _: Any, auth_model: Any) -> bool | None:
        """Tell whether somebody is an admin, by the name that the hub knows them by."""
        return True if auth_model["name"] in self.parent.admin_users else None

    async def run_post_auth_hook(self, handler: Any, auth_model: Any) -> Any:
        """Let the whole keep who got in, and refuse another account with a known name."""
        account = account_of(self, auth_model)
        return self.parent.entered(await super().run_post_auth_hook(handler, auth_model), account)  # type: ignore[misc]

    async def refresh_user(self, user: Any, handler: Any = None, **more: Any) -> Any:
        """Go by what the whole says."""
        return await self.parent.refresh_user(user, handler, **more)

    def add_user(self, user: Any) -> Any:
        """Let somebody in from now on, as the whole does."""
        return self.parent.add_user(user)

    def delete_user(self, user: Any) -> None:
        """Forget what the part itself keeps of one of its people, such as a password."""
        if user.name.startswith(self.username_prefix):
            super().delete_user(SimpleNamespace(name=user.name.removeprefix(self.username_prefix)))  # type: ignore[misc]


# Where a provider says which account it is: OpenID Connect's name for it, that of most others, and LTI 1.1's.
NUMBERS = ("sub", "id", "user_id")


def account_of(authenticator: Any, auth_model: Any) -> tuple[str, str] | None:
    """Return what the provider calls the account's number, and the number, if it says one."""
    state = auth_model.get("auth_state") or {}
    key = getattr(authenticator, "user_auth_state_key", "")
    about = (state.get(key) or {}) if key else state
    return next(((key, str(about[key])) for key in NUMBERS if about.get(key)), None)
