"""Run the filter: python -m hub.filter, with the policies in their file."""

import asyncio
import os
import sys
from pathlib import Path

from hub.filter import logins, policy, rules
from hub.filter.server import serve, until_terminated

ENGINE = Path("/var/run/docker.sock")


def main(file: Path = policy.FILE) -> int:
    """Serve until the container is stopped; return whether the policy is none."""
    try:
        made = [rules.made(one) for one in policy.load(file.read_text())]
    except (OSError, TypeError, ValueError) as error:
        print(f"{file} is no policy: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    known = logins.load()
    # Who may open the socket may ask: root and its group, which the hub's user has.
    os.umask(0o117)
    asyncio.run(until_terminated(lambda stop: serve(made, ENGINE, Path(policy.SOCKET), stop, logins=known)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
