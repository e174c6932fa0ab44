"""What all tests share: children have the signals of a program started by hand, and each worker has a lab of its own."""

import os
import signal

# Before anything of the lab is imported. The first one's is the first lab, which `make demo` makes, too.
if _worker := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw"):
    os.environ["SWARMHUB_LAB"] = str(int(os.environ.get("SWARMHUB_LAB") or "0") + int(_worker))


def pytest_configure() -> None:
    """Handle what a run in the background ignores: a child inherits what is ignored, and would be deaf to a test's Ctrl-C.

    The run itself goes on ignoring it.
    """
    for one in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(one) is signal.SIG_IGN:
            signal.signal(one, lambda *_: None)
