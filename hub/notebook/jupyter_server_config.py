"""Mounted into every single-user server (`hub.spawner.engine.ensure_config`), besides the image's own configuration.

aiohttp resolves names through aiodns where it is installed, and that keeps an
answer for as long as Docker's DNS lets it: 600 s. A hub that was restarted has
another address (without a service VIP), and for ten minutes its notebooks
would answer every login with error 500. The system's resolver keeps nothing.

A server asks the hub who somebody is, and by default goes by the answer for
five minutes: so long would an admin get in whose rights were taken away.
"""

try:
    import aiohttp.connector
    from aiohttp.resolver import ThreadedResolver
except ImportError:  # JupyterHub before 6 does not use aiohttp
    pass
else:
    aiohttp.connector.DefaultResolver = ThreadedResolver  # type: ignore[attr-defined]  # it is imported there, not exported

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - Jupyter puts it here
c.HubAuth.cache_max_age = 30
