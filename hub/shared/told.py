"""What the hub tells the operator: of its servers, in a file of its container; and why it does not start, in its log.

The file has a JSON object: `unknown` are the names of services that are servers and that the hub does not know, which it is
about to remove; `avoided` are the nodes that have refused a server, each with its `host`, `why`, and `until` when the hub
sends no server there, in seconds since 1970.
"""

import sys
from pathlib import Path
from typing import NoReturn

FILE = Path("/run/swarmhub/servers.json")
# So the last line of its log begins; what follows is the cause, and what helps.
REFUSES = "this hub does not start: "


def refuse(why: str) -> NoReturn:
    """End the hub that is starting, and say why in its log."""
    sys.exit(f"{REFUSES}{why}")
