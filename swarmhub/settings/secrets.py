"""Collect the secrets, check them, and give them names that tell nothing but whether they changed."""

import hashlib
import io
import os
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr

from swarmhub.errors import SettingsError
from swarmhub.host import Output
from swarmhub.settings import Settings
from swarmhub.settings.schema.database import check_url
from swarmhub.settings.schema.http_proxy import address

CALLBACK = "OAUTH_CALLBACK_URL"
OF_GITHUB = ("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET")
CALLBACK_PATH = "/hub/oauth_callback"
COMMAND_SECONDS = 60
# Of the backup; the hub gets none of them. A rest-server may want no user.
BACKUP, BACKUP_S3 = "BACKUP_PASSWORD", ("BACKUP_S3_KEY_ID", "BACKUP_S3_KEY")
BACKUP_REST = ("BACKUP_REST_USER", "BACKUP_REST_PASSWORD")

Secrets = Mapping[str, SecretStr]


def load(settings: Settings, file: Path, environ: Mapping[str, str] = os.environ) -> Secrets:
    """Return the secrets by name; the environment wins over the file or command of `hosts.toml`.

    Raises:
        SettingsError: with every secret that is missing or wrong.

    """
    given = _given(settings, file)
    names = dict.fromkeys([*needed(settings), CALLBACK, *settings.secrets.names])
    values = {name: (environ.get(name) or given.get(name) or "").strip() for name in names}
    if CALLBACK not in needed(settings):  # it is then the hub's address, and no more
        values[CALLBACK] = values[CALLBACK] or usual_callback(settings)
    missing = [name for name in names if not values[name]]
    problems = [(name, _missing(name, settings, name == missing[0])) for name in missing]
    callback = values[CALLBACK]
    if callback and not _fits(callback, settings):
        wrong = f"{callback!r} does not lead to this hub; it would be {usual_callback(settings)}"
        problems.append((CALLBACK, wrong))
    problems += _of_proxy(values, settings)
    problems += _wrong_url(settings.database.secret, values.get(settings.database.secret, ""))
    if problems:
        raise _wrong(file, *problems)
    return {name: SecretStr(value) for name, value in values.items()}


def of_backup(settings: Settings, file: Path, environ: Mapping[str, str] = os.environ) -> Secrets:
    """Return the secrets of the backup by name, from where the others come from.

    Raises:
        SettingsError: with every one that is missing, or [backup] names no repository.

    """
    repository = settings.backup.repository
    if repository is None:
        from swarmhub.settings.lines import problem  # only a broken file pays for the parser

        wrong = "is missing: where backups go, such as sftp:backup@nas.example.org:/srv/backup"
        raise SettingsError(problem(file, ("backup", "repository"), wrong))
    given = _given(settings, file)
    required = (BACKUP, *(BACKUP_S3 if repository.startswith("s3:") else ()))
    names = (*required, *(BACKUP_REST if repository.startswith("rest:") else ()))
    values = {name: (environ.get(name) or given.get(name) or "").strip() for name in names}
    if missing := [name for name in required if not values[name]]:
        wrong = "is not set; backups cannot be read without it, so keep it in a safe place, too: export {}=…"
        raise _wrong(file, *((name, wrong.format(name)) for name in missing))
    return {name: SecretStr(value) for name, value in values.items() if value}


def of_database(name: str, settings: Settings, file: Path, environ: Mapping[str, str] = os.environ) -> SecretStr:
    """Return the URL of the database on a PostgreSQL server, from where the others come from, by the name of its secret.

    Raises:
        SettingsError: it is not set, or is none.

    """
    value = (environ.get(name) or _given(settings, file).get(name) or "").strip()
    problems = [] if value else [(name, f"is not set; the hub's database is there: export {name}=…")]
    if problems := problems or _wrong_url(name, value):
        raise _wrong(file, *problems)
    return SecretStr(value)


def _wrong_url(name: str, value: str) -> list[tuple[str, str]]:
    if not value:
        return []
    try:
        check_url(value)
    except ValueError as error:
        return [(name, str(error))]
    return []


def _of_proxy(values: Mapping[str, str], settings: Settings) -> list[tuple[str, str]]:
    name = settings.http_proxy.secret
    try:
        address(values.get(name) or "http://none")
    except ValueError as error:
        return [(name, str(error))]
    return []


def needed(settings: Settings) -> tuple[str, ...]:
    """Return the secrets without which nobody could log in, whatever secrets.names lists."""
    if settings.access.is_github:
        return (*OF_GITHUB, CALLBACK)
    # By it OAuth is told from LDAP, a shared password and others, for which the hub is registered nowhere.
    return (CALLBACK,) if "client_secret" in settings.access.options else ()


@cache
def swarm_name(service: str, name: str, value: SecretStr, cluster: str) -> str:
    """Return a Swarm secret's name: it changes with the value, and a guess at the value is dear to check."""
    salt = f"{cluster}/{service}/{name}".encode()
    version = hashlib.scrypt(value.get_secret_value().encode(), salt=salt, n=2**12, r=8, p=1, dklen=6)
    # Docker's limit is 64 characters; the salt tells apart names that begin alike.
    return f"{service}-{name.lower()[:20]}-{version.hex()}"


def _given(settings: Settings, file: Path) -> Mapping[str, str | None]:
    source = settings.secrets
    if source.file:
        try:
            return dotenv_values(stream=io.StringIO(source.file.read_text()), interpolate=False)
        except (OSError, UnicodeDecodeError) as error:
            names = ", ".join(dict.fromkeys([*needed(settings), *source.names]))
            wrong = f"cannot read {source.file}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}. "
            raise _wrong(file, ("file", f"{wrong}It has NAME=value lines, one for each of {names}")) from None
    if source.command:
        return dotenv_values(stream=io.StringIO(_run(source.command, file)), interpolate=False)
    return {}


@cache  # it may ask for a passphrase
def _run(command: tuple[str, ...], file: Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    except UnicodeDecodeError:
        raise _wrong(file, ("command", f"{command[0]!r} prints what is not UTF-8")) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        wrong = f"{command[0]!r} does not run: {getattr(error, 'strerror', None) or 'no answer within a minute'}"
        raise _wrong(file, ("command", wrong)) from None
    if done.returncode:
        # Its standard output may hold secrets and is not shown.
        said = Output(done.returncode, "", done.stderr).last
        raise _wrong(file, ("command", f"{command[0]!r} failed: {said}"))
    return done.stdout


def _wrong(file: Path, *problems: tuple[str, str]) -> SettingsError:
    from swarmhub.settings.lines import problem  # only a broken file pays for the parser

    return SettingsError(*(problem(file, ("secrets", key), wrong) for key, wrong in problems))


def _missing(name: str, settings: Settings, is_first: bool) -> str:
    callback = usual_callback(settings)
    value = callback if name == CALLBACK else "…"
    where = f"{settings.github.web_url}/settings/applications/new" if settings.access.is_github else "your provider"
    register = f"register the hub at {where} with the callback {callback}, then: "
    return f"is not set; {register if is_first and name in needed(settings) else ''}export {name}={value}"


def usual_callback(settings: Settings) -> str:
    """Return the OAuth callback of a hub on HTTPS's own port."""
    return f"https://{settings.hub.domain}{_path(settings)}"


def _path(settings: Settings) -> str:
    return f"{settings.hub.base_url.rstrip('/')}{CALLBACK_PATH}"


def _fits(callback: str, settings: Settings) -> bool:
    domain, path = re.escape(settings.hub.domain), re.escape(_path(settings))
    found = re.fullmatch(rf"https://{domain}(?::(\d{{1,5}}))?{path}", callback, re.ASCII)
    return bool(found) and 0 < int((found and found[1]) or 443) < 65536
