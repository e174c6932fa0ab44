"""What this machine has to give: the files that hosts.toml names, the secrets, the OAuth callback."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from hub.shared.people import userlist
from swarmhub.certificate import certs, own
from swarmhub.doctor.finding import HERE, Finding, failure, ok, warning
from swarmhub.errors import Problem, SettingsError
from swarmhub.images.hub import build
from swarmhub.notebooks import homes
from swarmhub.services.hub.service import IN_ENVIRONMENT
from swarmhub.settings import Settings
from swarmhub.settings import secrets as secrets_file

CALLBACK_KEY = f"secrets.{IN_ENVIRONMENT}"


def observe(settings: Settings, file: Path) -> list[Finding]:
    """Read all of it, and say what is wrong."""
    reads = (build.desired, certs.desired, partial(own.desired, now=datetime.now(UTC)))
    files = [problem for read in reads for problem in _problems(partial(read, settings))]
    secrets = _problems(lambda: secrets_file.load(settings, file))
    if settings.backup.every:  # without them no deploy
        secrets += _problems(lambda: secrets_file.of_backup(settings, file))
    found = judge(files, secrets, settings.hub.domain)
    return found if files else [*found, *numbers(settings)]


def numbers(settings: Settings) -> list[Finding]:
    """Return who on the userlist has no number of their own, where a list says them."""
    if settings.owners.passwd is None:
        return []
    users, _ = userlist.parse(settings.hub.userlist.read_text(), settings.access.provider)
    without = sorted(users.allowed - {*settings.owners.handed["users"]})
    remedy = "Add their lines, with the names as the userlist has them, or widen owners.range; then fab deploy"
    cause = f"owners.passwd has no UID in the range for {homes.names(without)}: no server for them"
    return [warning("settings", HERE, cause, remedy)] if without else []


def judge(files: Sequence[Problem], secrets: Sequence[Problem], domain: str) -> list[Finding]:
    """Return a line for each mistake, or for all that is in order."""
    findings = [_of("settings", one) for one in files] or [ok("settings", HERE, "hosts.toml and the files that it names")]
    about_callback = [one for one in secrets if one.key == CALLBACK_KEY]
    others = [one for one in secrets if one.key != CALLBACK_KEY]
    findings += [_of("secrets", one) for one in others] or [ok("secrets", HERE, "all are set")]
    if not any(one.key in ("secrets.file", "secrets.command") for one in others):
        findings += [_of("callback", one) for one in about_callback] or [ok("callback", HERE, f"leads to {domain}")]
    return findings


def deployed(wanted: frozenset[str], found: frozenset[str], manager: str) -> Finding:
    """Compare the secrets that this machine has with those that the swarm has; both by names that change with the value."""
    if wanted <= found:
        return ok("secrets", manager, "the swarm has the same secrets")
    return warning(
        "secrets", manager, "the swarm's secrets differ from this machine's", "If this machine's are right: fab service"
    )


def _of(check: str, problem: Problem) -> Finding:
    wrong, _, remedy = problem.wrong.partition("; ")
    where = f"{problem.file}:{problem.line}: {problem.key}".removesuffix(": ")
    typed = remedy.startswith("export ")
    return failure(check, HERE, f"{where}: {wrong}", f"Set it: {remedy}" if typed else remedy[:1].upper() + remedy[1:])


def _problems(read: Callable[[], object]) -> list[Problem]:
    try:
        read()
    except SettingsError as error:
        return list(error.problems)
    return []
