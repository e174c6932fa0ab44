"""Where things are in the container, and the words that all of it uses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

JOB = Path("/swarmhub-backup.json")
# In memory: the secrets are on no disk while restic runs.
SECRETS = Path("/dev/shm/swarmhub")  # noqa: S108 - in a container of its own
STAGE, DATA, CERTIFICATES, CACHE = Path("/backup"), Path("/data"), Path("/etc/letsencrypt"), Path("/cache")
HOMES, EVIDENCE = Path("/homes"), Path("/evidence")
DATABASE, COOKIES, MANIFEST = "jupyterhub.sqlite", "jupyterhub_cookie_secret", "manifest.json"
# As swarmhub.inside.parcel leaves them: not all of the hub's data have come here yet; the hub runs on another node now.
COMING_HERE, MOVED = ".swarmhub-coming", ".swarmhub-moved"

Job = Mapping[str, Any]
Found = dict[str, Any]


class Failed(Exception):  # noqa: N818 - it is an answer
    """What was to be done cannot be; `kind` tells what helps."""

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)
