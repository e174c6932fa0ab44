"""What the container of a backup answers, and a repository to ask."""

import io
import json
import tarfile
from typing import Any

from pydantic import SecretStr

from swarmhub.backup.repository import JOB, Repository
from tests.unit.support.fakes import FakeHost, once

PASSWORD = "hush-hush"


def repository(address: str = "sftp:backup@nas.example.org:/srv/backup", **more: Any) -> Repository:
    """Return a repository."""
    return Repository(address, "jupyterhub_restic:1", "jupyterhub", SecretStr(PASSWORD), **more)


def answering(*answers: dict[str, Any]) -> dict[str, Any]:
    """Return how an engine answers for containers that answer so in turn: in two pieces, after a word on the way."""
    left = list(answers)

    def logs(_: Any) -> list[str]:
        text = json.dumps(left.pop(0) if len(left) > 1 else left[0])
        progress = json.dumps({"done": 5, "total": 10})
        return [progress, *(json.dumps({"part": part}) for part in (text[:9], text[9:]))]

    return once() | {"GET /containers/once/logs": logs}


def jobs(host: FakeHost) -> list[dict[str, Any]]:
    """Return the jobs that containers on a host were given."""
    sent = [one.body for one in host.engine.requests if str(one) == "PUT /containers/once/archive"]
    return [json.loads(found[JOB]) for content in sent if JOB in (found := files(content))]


def files(content: bytes) -> dict[str, bytes]:
    """Return what is in a tar."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = {one.name: tar.extractfile(one) for one in tar.getmembers()}
        return {name: one.read() for name, one in found.items() if one}
