"""Load the whole configuration as JupyterHub will, up to where it would listen, and say what is wrong with it.

It runs in a container of the hub's image, with the service's environment,
secrets and settings and nothing else: not the hub's networks, no engine, and a database of its own.
"""

import asyncio
import gc
import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from docker.types import ConfigReference
from jupyterhub.crypto import CryptKeeper
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner
from traitlets import TraitError
from traitlets.config import Config

from hub import app as hub_app
from hub.check.origins import Origins
from hub.check.unknown import shadowed, unknown, unused
from hub.config.configure import CONF, SECRETS, configure
from hub.shared import database, own, settings
from hub.shared.database import PostgreSQL
from hub.shared.servers.spec import CONFIG_FILES, CONFIG_FOLDER
from hub.spawner.spawner import SwarmSpawner

# Which option a part of JupyterHub's start reads.
STAGES = {
    "init_services": "services",
    "init_api_tokens": "services",
    "init_role_creation": "load_roles",
    "init_role_assignment": "load_roles",
    "init_groups": "load_groups",
}


def main() -> int:
    """Print the problems as a line of JSON, without any secret; return whether there are some."""
    origins = Origins(CONF, settings.FILE)
    problems = [_without_secrets(problem, SECRETS) for problem in check(origins)]
    print(json.dumps({"problems": problems}), flush=True)
    return bool(problems)


def check(origins: Origins, **given: Any) -> list[str]:
    """Return what is wrong and where it comes from; `given` is what `configure` takes."""
    said = _Said()
    if problems := _of_database(origins, given.get("secrets", SECRETS), given.get("environ", os.environ)):
        return problems
    with TemporaryDirectory() as folder:
        try:
            config = Config()
            mounted = [ConfigReference("id", "name", filename=f"{CONFIG_FOLDER}/{file}") for file in CONFIG_FILES]
            configure(config, data=Path(folder), conf=origins.conf, handed=origins.handed, mounted=mounted, **given)
            app = asyncio.run(_start(config, Path(folder), said))
        except (Exception, SystemExit) as error:
            return [_told(error, said, origins)]
    kinds = (app.authenticator_class, app.spawner_class, app.proxy_class)
    # Not so of authenticators: one may hand their options to others.
    used = {Spawner: app.spawner_class, Proxy: app.proxy_class}
    found = [*unknown(app.config, origins), *unused(app.config, used, origins), *shadowed(app.config, kinds, origins)]
    return [*_repeated_services(app, origins), *_other_spawner(app, origins), *found]


def _of_database(origins: Origins, secrets: Path, environ: Mapping[str, str]) -> list[str]:
    """Return what keeps a hub from working with its database on a server: that is asked, and nothing is changed in it."""
    try:
        found = database.of(settings.load(origins.handed), Path(), secrets)
    except Exception as error:
        return [_text(error)]
    problem = found.check(environ["DOCKER_SERVICE_NAME"]) if isinstance(found, PostgreSQL) else ""
    return [problem] if problem else []


async def _start(config: Any, folder: Path, said: "_Said") -> Any:
    """Return JupyterHub, initialised on a new database, with each class that it would make made once."""
    config.JupyterHub.db_url = "sqlite:///:memory:"
    config.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
    # By itself it has the configuration of JupyterHub's only instance, which this one is not.
    CryptKeeper.clear_instance()
    CryptKeeper.instance(config=config)
    app = JupyterHub(config=config)
    app.log.addHandler(said)
    await app.initialize([])
    user = SimpleNamespace(name="somebody", url="/user/somebody/", escaped_name="somebody", settings=app.tornado_settings)
    app.spawner_class(parent=app, user=user, authenticator=app.authenticator)
    return app


class JupyterHub(hub_app.JupyterHub):
    """JupyterHub with the configuration that it is given instead of a file's."""

    def load_config_file(self, *_: Any, **__: Any) -> None:
        """Read nothing."""


class _Said(logging.Handler):
    """The last error that JupyterHub logged: it ends with no more than an exit code."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.last = record.getMessage()


def _told(error: BaseException, said: _Said, origins: Origins) -> str:
    text = " ".join((said.last if isinstance(error, SystemExit) and said.last else _text(error)).split())
    frames = traceback.extract_tb(error.__traceback__)
    stages = [STAGES[frame.name] for frame in frames if frame.name in STAGES]
    where = origins.raised(error, frames)
    # What a trait refuses comes first: some are made only when such a stage asks for them.
    where = where or origins.of_message(text) or (origins.of("JupyterHub", stages[0]) if stages else "")
    return f"{where}: {text}" if where else text


def _text(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    said = str(error.args[0]) if len(error.args) == 1 else str(error)  # a KeyError's text is a repr
    is_told = isinstance(error, ValueError | KeyError | TraitError | SystemExit)
    return said if is_told else f"{type(error).__name__}: {said}"


def _repeated_services(app: Any, origins: Origins) -> Iterator[str]:
    """Yield each service whose name another one has: JupyterHub would take the last of them."""
    names = [service["name"] for service in app.services]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{origins.of('JupyterHub', 'services')}: two services are named {name!r}; give each its own name"


def _other_spawner(app: Any, origins: Origins) -> Iterator[str]:
    """Yield that servers would be started by another spawner, which knows nothing of hosts.toml."""
    if not issubclass(app.spawner_class, SwarmSpawner):
        yield f"{origins.of('JupyterHub', 'spawner_class')}: {own.SPAWNER}"


def _without_secrets(text: str, folder: Path) -> str:
    for file in folder.iterdir():
        value = file.read_text()
        # As it is, as Python shows it, and as JupyterHub shows a token that is too short.
        for shown in (value, repr(value)[1:-1], f"{value[:4]}..."):
            text = text.replace(shown, f"<{file.name}>")
    return text


if __name__ == "__main__":
    code = main()
    # Before it ends, Python would look for garbage in all that it has loaded: a fifth of the check.
    gc.freeze()
    sys.exit(code)
