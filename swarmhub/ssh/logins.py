"""The operator's own logins to registries: those of this machine's Docker configuration that can be read."""

import base64
import json
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

import docker.utils.config
from docker.auth import AuthConfig
from docker.credentials import CredentialsNotFound, StoreError
from docker.errors import DockerException

# One that asks in a window or a terminal waits for ever where nobody is.
HELPER_SECONDS = 20
WITHOUT = "note: registries are asked without the logins that a credential helper keeps"

# docker-py's own words on a helper that is not installed name a line of its source.
warnings.filterwarnings("ignore", module="docker.credentials")
# Its client would end with whatever is wrong in that file, where public images need nothing of it: it is read below instead.
docker.utils.config.load_general_config = lambda *_: {"auths": {}}


class Logins(AuthConfig):
    """The operator's own logins. Where a credential helper does not work, those in Docker's configuration file alone."""

    # docker-py reads the file by itself where there seems to be none.
    is_empty = False

    def resolve_authconfig(self, registry: str | None = None) -> Any:
        """Return the login to a registry, or None."""
        stored = AuthConfig({"auths": dict(self.auths)})
        return _unless_broken(super().resolve_authconfig, registry) or stored.resolve_authconfig(registry)

    def get_all_credentials(self) -> Any:
        """Return the logins to all registries."""
        return _unless_broken(super().get_all_credentials) or dict(self.auths)


def load() -> Logins:
    """Read them; the operator is told once what cannot be read, and does without."""
    file = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser() / "config.json"
    found: Any = None
    try:
        # Docker takes an empty file for one without logins.
        found = json.loads(file.read_text("utf-8-sig").strip() or "{}")
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        _note(f"note: registries are asked without a login: {file} cannot be read: {error}")
    said = found if isinstance(found, dict) else {}
    auths, stores, helpers = (said.get(key) for key in ("auths", "credsStore", "credHelpers"))
    tables = {
        "auths": dict(_stored(auths, file)) if isinstance(auths, dict) else {},
        **({"credsStore": stores} if stores and isinstance(stores, str) else {}),
        **({"credHelpers": helpers} if isinstance(helpers, dict) else {}),
    }
    return Logins(tables)


def _stored(entries: dict[str, Any], file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each registry with its login as an engine takes it; nothing of it, where a helper keeps it."""
    for registry, entry in entries.items():
        said = entry if isinstance(entry, dict) else {}
        user, password = said.get("username"), said.get("password")
        if said.get("identitytoken"):
            yield registry, {"IdentityToken": said["identitytoken"]}
            continue
        if said.get("auth"):
            try:
                user, colon, password = base64.b64decode(said["auth"]).decode().partition(":")
            except (ValueError, TypeError):
                colon = ""
            if not colon:
                _note(f"note: {registry} is asked without a login: its entry in {file} cannot be read. docker login {registry}")
                user = ""
        yield registry, {"username": user, "password": (password or "").strip("\0"), "serveraddress": registry} if user else {}


_has_hung = threading.Event()


def _unless_broken(ask: Callable[..., Any], *arguments: str | None) -> Any:
    """Ask a credential helper; one that is not there, fails, prints something else or waits for somebody has no logins."""
    if _has_hung.is_set():
        return None
    answer: Future[Any] = Future()
    threading.Thread(target=_answer, args=(answer, ask, *arguments), daemon=True).start()
    try:
        return answer.result(HELPER_SECONDS)
    except TimeoutError:
        _has_hung.set()
        _note(f"{WITHOUT}: it does not answer within {HELPER_SECONDS} s")
    except (LookupError, TypeError, AttributeError):  # docker-py takes any JSON for a login
        _note(f"{WITHOUT}: what it prints is no login")
    except (DockerException, StoreError, ValueError, OSError) as error:
        # docker-py wraps what its store raises in another.
        cause = error.__context__ if type(error) is DockerException and error.__context__ else error
        if not isinstance(cause, CredentialsNotFound):
            _note(f"{WITHOUT}: {' '.join(str(cause).split())}")
    return None


def _answer(answer: "Future[Any]", ask: Callable[..., Any], *arguments: str | None) -> None:
    try:
        answer.set_result(ask(*arguments))
    except BaseException as error:
        answer.set_exception(error)


@cache
def _note(text: str) -> None:
    """Tell the operator something once, and not for every host."""
    logging.getLogger(__name__).warning(text)
