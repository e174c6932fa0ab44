"""What all tests share: the children of a run have the signals that a program has which somebody starts by hand."""

import signal


def pytest_configure() -> None:
    """Handle what a run in the background ignores: a child inherits what is ignored, and would be deaf to a test's Ctrl-C.

    The run itself goes on ignoring it.
    """
    for one in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(one) is signal.SIG_IGN:
            signal.signal(one, lambda *_: None)
