"""Run restic, which finds its secrets in memory only, and find out why it fails."""

import io
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import IO
from urllib.parse import urlsplit

from swarmhub.inside.backup import places
from swarmhub.inside.backup.places import Failed, Found, Job

REACH_SECONDS, ASK_SECONDS = 10.0, 60.0
# A container that is stopped has so long to let restic remove its lock; the schedule's own service has longer.
STOP_SECONDS = 10
PORTS = {"https": 443, "http": 80, "sftp": 22}
# restic's exit codes, since 0.17.
KINDS = {10: "missing", 11: "locked", 12: "password"}
PARTLY, CUT = 3, -9
# While another one thins out, or saves.
PATIENT = ("--retry-lock", "5m")
NO_SESSION = "unable to start the sftp session"
SSH_CONFIG = """\
Host *
  BatchMode yes
  StrictHostKeyChecking yes
  ConnectTimeout 10
  ServerAliveInterval 15
  UserKnownHostsFile {folder}/known_hosts
  IdentityFile {folder}/ssh_key
  IdentitiesOnly yes
"""


def prepare(job: Job) -> None:
    """Write what restic reads its secrets from."""
    places.SECRETS.mkdir(mode=0o700, exist_ok=True)
    ssh = SSH_CONFIG.format(folder=places.SECRETS)
    s3 = "[default]\naws_access_key_id={}\naws_secret_access_key={}\n".format(*job.get("s3") or ("", ""))
    texts = {"repository": job["repository"], "password": job["password"], "ssh_config": ssh, "s3": s3}
    for name, text in (texts | {name: job.get(name) or "" for name in ("ssh_key", "known_hosts", "ca")}).items():
        with open(os.open(places.SECRETS / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)


def reach(repository: str) -> None:
    """Make sure that something answers where the repository is: restic itself would try for a quarter of an hour."""
    address = _address(repository)
    if address is None:
        return
    try:
        socket.create_connection(address, REACH_SECONDS).close()
    except OSError as error:
        raise Failed("silent", f"{address[0]}:{address[1]} does not answer: {error.strerror or error}") from None


def _address(repository: str) -> tuple[str, int] | None:
    """Return host and port of a repository, None of one in a folder."""
    kind, _, rest = repository.partition(":")
    if kind not in ("sftp", "rest", "s3"):
        return None
    if kind == "sftp" and not rest.startswith("//"):  # user@host:path
        return rest.partition(":")[0].rpartition("@")[2], PORTS["sftp"]
    scheme = "sftp" if kind == "sftp" else "https"
    found = urlsplit(rest if "://" in rest else f"{scheme}://{rest.lstrip('/')}", scheme)
    return found.hostname or "", found.port or PORTS.get(found.scheme, PORTS["https"])


def run(*words: str, say: Callable[[Found], None] = lambda _: None, seconds: float | None = None) -> list[str]:
    """Run restic and return the lines that it prints, each told to `say` too if it is JSON.

    Raises:
        Failed: it fails.

    """
    with open(places.SECRETS / "said", "w+") as said:
        process = subprocess.Popen(
            _command(words), stdout=subprocess.PIPE, stderr=said, text=True, errors="replace", env=_environment()
        )
        with process:
            try:
                lines = list(_told(process, say, seconds))
            except BaseException:
                # It removes its lock, which would keep others out for half an hour; its ssh, by which it does that, must go on.
                process.send_signal(signal.SIGINT)
                raise
        said.seek(0)
        errors = said.read().splitlines()
    if seconds and process.returncode == CUT:
        why = f": {errors[-1].rpartition(': ')[2]}" if errors else ""
        raise Failed("silent", f"the repository does not answer within {seconds:.0f} s{why}")
    _require(process.returncode, errors)
    return lines + [line for line in errors if '"during"' in line or line.startswith("Ignoring ")]


def host_name() -> str:
    """Return a host name for a container: by it restic tells whose locks are alive, so no two on a node have the same."""
    return token_hex(6)


def add(*words: str, say: Callable[[Found], None] = lambda _: None) -> list[str]:
    """Run restic to add to the repository, whatever lock a container that was killed has left there.

    A killed thinning out leaves one that bars every backup, and no thinning out comes before the next backup.
    """
    try:
        return run(words[0], *PATIENT, *words[1:], say=say)
    except Failed as error:
        if error.kind != "locked":
            raise
    unlock()
    return run(*words, say=say)


def unlock() -> None:
    """Remove the locks that nobody has renewed for half an hour.

    restic also removes those of its own host whose process it does not see: of another container's it sees none, live or not.
    """
    run("unlock", seconds=ASK_SECONDS)


@contextmanager
def reading(*words: str) -> Iterator[IO[bytes]]:
    """Run restic and give what it writes, as it comes.

    Raises:
        Failed: it fails; of a stream that was cut off, this is the reason.

    """
    with open(places.SECRETS / "said", "w+") as said:
        with subprocess.Popen(_command(words), stdout=subprocess.PIPE, stderr=said, env=_environment()) as process:
            content = process.stdout or io.BytesIO()
            try:
                yield content
                while content.read(1 << 20):  # or what is left would break its pipe
                    pass
            except BaseException:
                process.kill()
                raise
        said.seek(0)
        _require(process.returncode, said.read().splitlines())


def _command(words: Sequence[str]) -> list[str]:
    files = ("--repository-file", f"{places.SECRETS}/repository", "--password-file", f"{places.SECRETS}/password")
    ca = ("--cacert", f"{places.SECRETS}/ca") if (places.SECRETS / "ca").stat().st_size else ()
    ssh = f"sftp.args=-F {places.SECRETS}/ssh_config"
    return ["restic", "--json", *files, *ca, "--cache-dir", str(places.CACHE), "-o", ssh, *words]


def _environment() -> dict[str, str]:
    return {**os.environ, "RESTIC_PROGRESS_FPS": "1", "AWS_SHARED_CREDENTIALS_FILE": f"{places.SECRETS}/s3"}


def _require(code: int, errors: Sequence[str]) -> None:
    if code not in (0, PARTLY):
        cause = _cause(errors)
        raise Failed(KINDS.get(code, "restic"), _said_by_ssh() if NO_SESSION in cause else cause)


def _told(process: "subprocess.Popen[str]", say: Callable[[Found], None], seconds: float | None) -> Iterator[str]:
    if seconds:  # no progress is waited for
        try:
            yield from process.communicate(timeout=seconds)[0].splitlines()
        except subprocess.TimeoutExpired:
            process.kill()
        return
    for line in process.stdout or ():
        yield line.rstrip("\n")
        if found := parsed(line):
            say(found)


def tell(done: int, total: int) -> None:
    """Print how far it is."""
    print(json.dumps({"done": done, "total": total}), flush=True)


def parsed(line: str) -> Found:
    """Return a line that is a table in JSON; nothing of another one."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _cause(lines: Sequence[str]) -> str:
    """Return why restic has failed: the first thing that was wrong with a file, else its last word."""
    found = [one for one in map(parsed, lines) if one]
    errors = [f"{one.get('item', '')}: {one['error']['message']}" for one in found if one.get("message_type") == "error"]
    if errors:
        return errors[0] + (f"; and {len(errors) - 1} more like this" if len(errors) > 1 else "")
    exits = [one["message"] for one in found if one.get("message_type") == "exit_error"]
    plain = [line for line in lines if line.strip() and not parsed(line)]
    panic = next((line for line in plain if line.startswith("panic: ")), "")
    text = panic or (exits or plain[-1:] or ["restic says nothing"])[-1]
    return text.removeprefix("Fatal: ").splitlines()[0]


def _user(address: str) -> str:
    """Return who logs in for a repository by sftp; without a name it is the one who asks."""
    rest = address.removeprefix("sftp:")
    named = urlsplit(address).username if rest.startswith("//") else rest.partition(":")[0].rpartition("@")[0]
    return named or "root"


def _said_by_ssh() -> str:
    """Return why ssh makes no connection: restic loses its words."""
    address = (places.SECRETS / "repository").read_text()
    host, port = _address(address) or ("", 22)
    command = ["ssh", "-F", f"{places.SECRETS}/ssh_config", "-p", str(port), "-l", _user(address), host, "-s", "sftp"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    return f"ssh: {(done.stderr.strip().splitlines() or ['it makes no connection by sftp'])[-1].strip()}"
