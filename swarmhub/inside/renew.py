"""Run certbot at an interval for as long as the container runs; certbot itself decides whether the certificate is due.

The state is in a file next to the certificates, written before each run: a container that starts again waits as long as
the one before it would have, and certbot does not run while the file cannot be written, as on a full disk.
Arguments: certbot's whole command line.
"""

import datetime
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cryptography import x509

DAY = 86400.0
LEAST, MOST = 1.0, DAY / 2
MOST_AFTER_FAILURE = DAY / 4
USUAL_LIFE = 90 * DAY
LOOK_SECONDS = 2.0
LAST_LINES = 40  # certbot names the reason above its summary
CUT_OFF = "certbot was cut off before it had ended"


@dataclass(frozen=True)
class Attempts:
    """What the last runs came to: failures in a row, what certbot said, and when it runs next, in ISO 8601.

    `certificate` identifies the certificate that the state is about; the state does not hold for another one.
    """

    certificate: str = ""
    failures: int = 0
    said: str = ""
    next: str = ""
    is_running: bool = False


def interval(life: float) -> float:
    """Return the seconds between runs for a certificate's life: half a day, as certbot asks, or an eighth of a short life."""
    return max(min(life / 8, MOST), LEAST)


def pause(failures: int, life: float) -> float:
    """Return the seconds to wait after failures in a row: a hundredth of the life, doubled each time, six hours at most."""
    return max(min(life / 100 * 2.0 ** min(failures - 1, 20), life / 20, MOST_AFTER_FAILURE), LEAST)


def left(state: Attempts, now: datetime.datetime) -> float:
    """Return the seconds until the next run; one that is further away than any interval was set by a wrong clock."""
    seconds = (datetime.datetime.fromisoformat(state.next) - now).total_seconds() if state.next else 0
    return seconds if seconds <= MOST else 0


def lifetime(chain: Path) -> float:
    """Return the seconds of a certificate's whole life; of one that cannot be read, which certbot will name, the usual."""
    try:
        leaf = x509.load_pem_x509_certificate(chain.read_bytes())
    except (OSError, ValueError):
        return USUAL_LIFE
    return (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds()


def identify(chain: Path) -> str:
    """Return what tells a certificate from another one, nothing where there is none."""
    try:
        return hashlib.sha256(chain.read_bytes()).hexdigest()
    except OSError:
        return ""


def renew(chain: Path, file: Path, certbot: list[str], limit: float, before: Attempts) -> Attempts:
    """Run certbot once, unless the state cannot be written; return the state after it."""
    life = lifetime(chain)
    later = _after(pause(before.failures + 1, life))
    if not write(file, replace(before, next=later, is_running=True)):
        return replace(before, next=later)
    code, said = run(certbot, limit)
    print(said, end="", flush=True)
    if code == 0:
        state = Attempts(identify(chain), next=_after(interval(lifetime(chain))))
    else:
        last = "\n".join(said.splitlines()[-LAST_LINES:])
        state = Attempts(identify(chain), before.failures + 1, last, _after(pause(before.failures + 1, life)))
    write(file, state)
    return state


def run(command: list[str], limit: float) -> tuple[int, str]:
    """Run a command, end it and its children after `limit` seconds, and return its exit code and what it said."""
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True
        )
    except OSError as error:
        return 1, f"{error}\n"
    with process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = f"{process.communicate()[0]}\ncertbot did not end within {limit:.0f} seconds\n"
    return process.returncode, said


def write(file: Path, state: Attempts) -> bool:
    """Write the state, whole or not at all, and tell whether that was possible."""
    part = file.with_suffix(".part")
    try:
        part.write_text(json.dumps(asdict(state)))
        part.replace(file)
    except OSError as error:
        print(f"{error}; certbot does not run while its state cannot be written", flush=True)
        return False
    return True


def read(file: Path) -> Attempts:
    """Read the state that the container before left; a run that it did not see the end of has failed."""
    try:
        state = Attempts(**json.loads(file.read_text()))
        left(state, datetime.datetime.now(datetime.UTC))
    except (OSError, ValueError, TypeError):
        return Attempts()
    return Attempts(state.certificate, state.failures + 1, CUT_OFF, state.next) if state.is_running else state


def learn(environ: MutableMapping[str, str]) -> None:
    """Take an HTTP proxy's address from its file: it may have a password, and certbot reads its environment only."""
    if file := environ.get("HTTP_PROXY_FILE"):
        environ.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), Path(file).read_text().strip()))


def main(certbot: list[str], ending: threading.Event) -> None:
    """Run certbot whenever it is time, and at once for another certificate; end between two runs."""
    chain, file, limit = Path(os.environ["CHAIN"]), Path(os.environ["STATE"]), float(os.environ["LIMIT"])
    state, told = read(file), ""
    while not ending.is_set():
        certificate = identify(chain)
        if certificate and certificate != state.certificate:
            state = Attempts(certificate)
        seconds = left(state, datetime.datetime.now(datetime.UTC))
        if certificate and seconds <= 0:
            state = renew(chain, file, certbot, limit, state)
            continue
        text = f"certbot runs next at {state.next}" if certificate else "no certificate yet: a deploy gets the first one"
        if text != told:
            print(told := text, flush=True)
        time.sleep(min(seconds, LOOK_SECONDS) if certificate else LOOK_SECONDS)


def _after(seconds: float) -> str:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).isoformat()


if __name__ == "__main__":
    learn(os.environ)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())  # the container's first process has no default handler
    main(sys.argv[1:], stopped)
