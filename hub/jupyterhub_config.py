"""JupyterHub reads this file; what it does is in `hub.config`, where the tests reach it."""

from hub.config import configure
from hub.engine import wait_until_it_answers

wait_until_it_answers()
configure(get_config())  # type: ignore[name-defined]  # noqa: F821 - JupyterHub puts it here
