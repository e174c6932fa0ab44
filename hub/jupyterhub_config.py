"""JupyterHub reads this file; what it does is in `hub.config`, where the tests reach it."""

import os

from hub import access, groups, settings
from hub.config import DATA, DATABASE, configure
from hub.engine import ensure_config, wait_until_it_answers

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub puts it here
wait_until_it_answers()
mounted = ensure_config(os.environ["DOCKER_SERVICE_NAME"])
configure(c, mounted=mounted)
access.let_in(c, database=DATA / DATABASE)
groups.drop_members(DATA, DATA / DATABASE, settings.load(os.environ)["groups"])
