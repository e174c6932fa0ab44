"""Do one node's part of a transfer, as the job's file says; what is printed is a JSON object a line."""

import http.client
import json
import os
import sys
import tarfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from swarmhub.inside.relay.blobs import Blob, Life, MismatchError, TransferError, in_order
from swarmhub.inside.relay.engine import SECONDS, archive, collect, leave, load
from swarmhub.inside.relay.wire import Peer, Server, fetch
from swarmhub.inside.unix import Unix

# The run that has started this removes it when all is done. Where that run has ended, this ends by itself.
IDLE_SECONDS = 60.0
# What the engine, the disk and the other nodes may do; an answer that is no JSON is a ValueError.
FAILURES = (
    TransferError,
    MismatchError,
    OSError,
    http.client.HTTPException,
    tarfile.TarError,
    zlib.error,
    EOFError,
    ValueError,
)


def say(**what: object) -> None:
    """Print a line for the run that follows this."""
    # In one piece: "print" writes the end of the line apart, and another thread's line may come in between.
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


class Relay:
    """One node's part of a transfer."""

    def __init__(self, job: dict[str, Any], folder: Path) -> None:
        self.job, self.layers = job, list(job["layers"])
        self.before = [Peer(*one) for one in job["before"]]
        self.life, self.came = Life(), 0
        self.blobs = {name: Blob(folder, name, self.life) for name in [*job["wanted"], job["config"]]}
        self.own = {name: Blob(folder, name, self.life) for name in job["own"]}

    def count(self, bytes_: int) -> None:
        """Add what has come from another node."""
        self.came += bytes_

    def work(self) -> None:
        """Do this node's part."""
        engine = Unix(self.job["socket"], SECONDS)
        if not self.before:
            collect(engine, self.job["image"], self.layers, self.blobs)
            say(state="ready")
            return
        with ThreadPoolExecutor(1) as aside:
            coming = aside.submit(self._take)
            try:
                self._give(engine)
            finally:
                coming.result()  # if that has failed, it is why the engine did not get the image
        say(state="ready", came=self.came)

    def _take(self) -> None:
        """Take what is lacking from the nodes before; also what this engine does not want: nodes behind ask for it."""
        try:
            for blob in in_order(self.blobs.values()):
                if not blob.is_whole:
                    fetch(blob, self.before, self.job["token"], self.count)
            say(state="loading", came=self.came)
        finally:
            self._lose()

    def _give(self, engine: Unix) -> None:
        """Give this node's engine the image, layer by layer while the others still come."""
        if self.own:
            collect(engine, self.job["base"], self.job["base_layers"], self.own)
        config = self.blobs[self.job["config"]]
        layers = {name: blob for name, blob in self.blobs.items() if blob is not config}
        load(engine, archive(self.job["name"], self.layers, config, self.own | layers))

    def _lose(self) -> None:
        """Tell all that wait for what is not whole that it does not come."""
        for blob in self.blobs.values():
            blob.lose()

    def run(self) -> int:
        """Work, give to the others meanwhile, and end when nobody has asked for long."""
        server = Server(self.blobs, self.job["token"])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        failed: list[str] = []
        worker = threading.Thread(target=self._report, args=(failed,), daemon=True)
        worker.start()
        while worker.is_alive() or server.busy or time.monotonic() - server.last < IDLE_SECONDS:
            time.sleep(1)
            if worker.is_alive():
                server.last = time.monotonic()
                if not self.before:
                    self.life.beat()
            say(done=sum(blob.length for blob in self.blobs.values()))
        if not failed:
            for blob in (self.blobs | self.own).values():
                blob.path.unlink(missing_ok=True)
        with suppress(OSError, http.client.HTTPException):
            leave(Unix(self.job["socket"], SECONDS), self.job["network"])
        return 1 if failed else 0

    def _report(self, failed: list[str]) -> None:
        try:
            self.work()
        except FAILURES as error:
            failed.append((isinstance(error, OSError) and error.strerror) or str(error))
            self._lose()
            say(error=failed[0])


if __name__ == "__main__":
    code = Relay(json.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])).run()
    # At once: a thread that wakes while Python ends would abort, for want of libgcc, which the packed Python lacks.
    os._exit(code)
