"""Renew the certificate when a third of its life is left, for as long as the container runs.

One that cannot be renewed stays in use, and is tried again after a while that
doubles; how it stands is in a file beside the certificates.
Arguments: certbot's whole command line.
"""

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography import x509

LEAST, MOST = 1.0, 3600.0
ABSENT_SECONDS, LOOK_SECONDS = 10.0, 2.0
LAST_LINES = 20


@dataclass(frozen=True)
class State:
    """How often it has failed in a row, what was said then, and when the next try is; times in ISO 8601."""

    failures: int = 0
    said: str = ""
    tried: str = ""
    next: str = ""


def wait(left: float, life: float) -> float:
    """Return the seconds until a certificate is due, an hour at most; all arguments are seconds."""
    return min(max(left - life / 3, 0), MOST)


def pause(failures: int, left: float, life: float) -> float:
    """Return the seconds until the next try: a hundredth of the certificate's life, doubled with each failure.

    Never more than six hours, nor than an eighth of what is left while there is some.
    """
    longest = min(6 * MOST, left / 8) if left > 0 else MOST
    return max(min(life / 100 * 2.0 ** (failures - 1), longest), LEAST)


def ages(chain: Path, now: datetime.datetime) -> tuple[float, float]:
    """Return the seconds that are left of a certificate's life, and those of all its life."""
    leaf = x509.load_pem_x509_certificate(chain.read_bytes())
    end = leaf.not_valid_after_utc
    return (end - now).total_seconds(), (end - leaf.not_valid_before_utc).total_seconds()


def look(chain: Path, file: Path, certbot: list[str], before: State) -> tuple[State, float]:
    """Renew the certificate if it is due; return how it stands and the seconds until the next look."""
    now = datetime.datetime.now(datetime.UTC)
    if not chain.exists():  # somebody has taken it away: the next deploy gets another
        return before, ABSENT_SECONDS
    left, life = ages(chain, now)
    if (due := wait(left, life)) > 0:
        if before.failures:  # somebody else has got another one meanwhile
            write(file, State())
        return State(), max(due, LEAST)
    done = subprocess.run(certbot, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout, end="", flush=True)
    if done.returncode == 0:
        state, seconds = State(tried=now.isoformat()), LEAST
    else:
        failures = before.failures + 1
        seconds = pause(failures, left, life)
        at = now + datetime.timedelta(seconds=seconds)
        state = State(failures, "\n".join(done.stdout.splitlines()[-LAST_LINES:]), now.isoformat(), at.isoformat())
    write(file, state)
    return state, seconds


def write(file: Path, state: State) -> None:
    """Write how it stands, whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(asdict(state)))
    part.replace(file)


def read(file: Path) -> State:
    """Read how it stood when the container ended that was here before."""
    try:
        return State(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return State()


def pass_time(chain: Path, seconds: float) -> None:
    """Wait; another certificate in the file ends it."""
    end, seen = time.monotonic() + seconds, _content(chain)
    while (left := end - time.monotonic()) > 0 and _content(chain) == seen:
        time.sleep(min(left, LOOK_SECONDS))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def main(certbot: list[str]) -> None:
    """Look again and again."""
    chain, file = Path(os.environ["CHAIN"]), Path(os.environ["STATE"])
    state = read(file)
    while True:
        state, seconds = look(chain, file, certbot, state)
        pass_time(chain, seconds)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as the container's first process it would be deaf to it
    main(sys.argv[1:])
