"""Mounted into every single-user server (`hub.engine.ensure_configs`), besides the image's own configuration.

aiohttp resolves names through aiodns where it is installed, and that keeps an
answer for as long as Docker's DNS lets it: 600 s. A hub that was restarted has
another address (without a service VIP), and for ten minutes its notebooks
would answer every login with error 500. The system's resolver keeps nothing.

A server asks the hub who somebody is, and by default goes by the answer for
five minutes: so long would an admin get in whose rights were taken away.

Whoever has a home that is full is to get in and to delete. What a server itself
writes there goes elsewhere then, and JupyterLab says why.
"""

import errno
import os
import sys
import tempfile
from pathlib import Path

try:
    import aiohttp.connector
    from aiohttp.resolver import ThreadedResolver
except ImportError:  # JupyterHub before 6 does not use aiohttp
    pass
else:
    aiohttp.connector.DefaultResolver = ThreadedResolver  # type: ignore[attr-defined]  # it is imported there, not exported

try:
    from jupyterlab.handlers.announcements import CheckForUpdateABC as Checker  # type: ignore[import-not-found]
except ImportError:  # before JupyterLab 4
    Checker = object

# What JupyterLab and a kernel want to write at least.
ROOM = 256 * 1024
FULL = (errno.ENOSPC, errno.EDQUOT)
GONE = (errno.ESTALE, errno.ENOTCONN, errno.EIO, errno.EHOSTDOWN)
# The hub shows what comes behind it to the person who waits (`hub.spawner.starts`).
TOLD = "swarmhub: "


def trouble(folder: str) -> int:
    """Return the number of the error that a folder gives who writes there, or 0."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
            file.flush()
            os.fsync(file.fileno())  # a file server may tell only now
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def end(words: str) -> None:
    """End the server, in words for the person who waits."""
    sys.exit(f"{TOLD}{words} Tell your administrator if it stays so.")


def judge(config, folder: str, number: int) -> str:  # type: ignore[no-untyped-def]  # traitlets may be any version
    """Return what to say of a home that gives an error, and let the server do without it; where it cannot, end it."""
    if number == errno.EROFS:
        end("Your home is mounted read-only on this node: nothing that you write would be kept.")
    if number in GONE:
        end("Your home cannot be reached: this node has lost the connection to the file server.")
    if number not in FULL:
        return f"You may not write to your home, {folder}: {os.strerror(number)}. Ask your administrator."
    # A kernel makes files before it answers; what goes to the trash takes room, and needs some.
    os.environ["IPYTHONDIR"] = tempfile.mkdtemp(prefix="ipython-")
    config.FileContentsManager.delete_to_trash = False
    return (
        f"Your home, {folder}, is full: nothing can be saved. Delete what you no longer need, here or in a terminal, then stop "
        "and start your server. Deleted files do not go to the trash."
    )


# The server extension next to this file, and what of it runs in the browser.
FOLDER = str(Path(__file__).parent)
sys.path.append(FOLDER)
c = get_config()  # type: ignore[name-defined]  # noqa: F821 - Jupyter puts it here
c.HubAuth.cache_max_age = 30
c.ServerApp.jpserver_extensions.update({"swarmhub_server": True})
c.LabServerApp.extra_labextensions_path.append(f"{FOLDER}/labextensions")
home = os.environ.get("SWARMHUB_HOME", "")
number = trouble(home) if home else 0
if number:
    notice = judge(c, home, number)
    print(f"{TOLD}{notice}", file=sys.stderr, flush=True)

    class Notice(Checker):  # type: ignore[misc]
        """Instead of a newer version of JupyterLab, tell this: JupyterLab asks when a page is opened, and shows the answer."""

        async def __call__(self) -> str:
            """Return what JupyterLab shows."""
            return notice

    c.LabApp.check_for_updates_class = Notice
