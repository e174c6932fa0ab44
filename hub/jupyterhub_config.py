"""JupyterHub reads this file; what it does is in `hub.config.configure`, where the tests reach it."""

import atexit
import gc
import os

from hub.config import data
from hub.config.configure import COOKIES, DATA, USERLIST, configure
from hub.config.people import groups
from hub.engine import ensure_configs, wait_until_it_answers
from hub.shared import database, operator_token, settings
from hub.shared.people import listed

# Before it ends, Python would look for garbage in all that the hub has loaded, while people wait for the next one: 0.3 s.
atexit.register(gc.freeze)
c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub puts it here
data.share()
data.require_whole(DATA)
wait_until_it_answers()
mounted = ensure_configs(os.environ["DOCKER_SERVICE_NAME"])
tables = settings.load(settings.FILE)
kept = database.of(tables, DATA, settings.SECRETS)
data.make(kept, DATA / COOKIES)
if not operator_token.FILE.exists():  # else a hub runs in this container, and this is a command such as `jupyterhub token`
    data.require_hubs(kept)
    if isinstance(kept, database.PostgreSQL):
        kept.claim(os.environ["DOCKER_SERVICE_NAME"])
    listed.enforce(DATA / listed.FOLDER, USERLIST.read_text(), kept, tables["access"]["provider"])
configure(c, mounted=mounted)
operator_token.let_in(c, database=kept)
groups.drop_members(DATA, kept, tables["groups"])
