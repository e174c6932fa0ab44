"""The cluster's lock, taken by the schedule: no deploy, backup or restore by hand goes on meanwhile, and none is disturbed."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from swarmhub.inside.schedule.engine import Engine, EngineError

# As swarmhub.history.lock has them: an operator's run reads this lock, and is read here.
NAME, LABEL, AT = "swarmhub-lock", "swarmhub.lock", "swarmhub.lock.at"
BEAT = f"{LABEL}.beat"
BEAT_SECONDS = 10.0
LOST_SECONDS = 120.0


class Busy(Exception):  # noqa: N818 - it is an answer
    """Something else is at work; what is to be done is tried again soon."""


class Lock:
    """The lock of the cluster, as this container sees it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Whose lock was last in the way, with its last beat, and since when it has been the same.
        self._seen: tuple[str, str] = ("", "")
        self._since = 0.0

    @contextmanager
    def held(self, hub: str, host: str, what: str) -> Iterator[None]:
        """Hold the lock for what the body does.

        Raises:
            Busy: somebody else holds it.

        """
        since = datetime.now(UTC).isoformat(timespec="seconds")
        data = {"who": f"the backup schedule on {host}", "since": since, "what": what, "hub": hub}
        body = {"Name": NAME, "Labels": _labels(), "Data": base64.b64encode(json.dumps(data).encode()).decode()}
        try:
            found = self._engine.post("/configs/create", body)["ID"]
        except EngineError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            self._remove_if_lost()
            raise Busy("the cluster is locked") from None
        over = threading.Event()
        beating = threading.Thread(target=self._beat, args=(found, over), daemon=True)
        beating.start()
        try:
            yield
        finally:
            over.set()
            beating.join(BEAT_SECONDS)
            with suppress(EngineError):
                self._engine.delete(f"/configs/{found}")

    def _beat(self, id_: str, over: threading.Event) -> None:
        while not over.wait(BEAT_SECONDS):
            # Whatever it is: a lock that nobody renews is taken away, and others would change what is being saved.
            with suppress(Exception):
                found = self._engine.get(f"/configs/{id_}")
                body = {**found["Spec"], "Labels": _labels()}
                self._engine.post(f"/configs/{id_}/update", body, version=found["Version"]["Index"])

    def _remove_if_lost(self) -> None:
        """Take away the lock of a run that has died: nobody has renewed it for as long as it was watched."""
        listed: list[dict[str, Any]] = self._engine.get("/configs", filters={"label": [LABEL]})
        found = next((one for one in listed if one["Spec"]["Name"] == NAME), None)
        if found is None:
            return
        seen = (found["ID"], (found["Spec"].get("Labels") or {}).get(BEAT, ""))
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        elif time.monotonic() - self._since > LOST_SECONDS:
            self._engine.delete(f"/configs/{found['ID']}")


def _labels() -> dict[str, str]:
    return {LABEL: NAME, AT: "saving the hub's data", BEAT: str(time.time_ns())}
