"""Mounted into every single-user server (`hub.spawner.engine.ensure_config`), besides the image's own configuration.

aiohttp resolves names through aiodns where it is installed, and that keeps an
answer for as long as Docker's DNS lets it: 600 s. A hub that was restarted has
another address (without a service VIP), and for ten minutes its notebooks
would answer every login with error 500. The system's resolver keeps nothing.
"""

try:
    import aiohttp.connector
    from aiohttp.resolver import ThreadedResolver
except ImportError:  # JupyterHub before 6 does not use aiohttp
    pass
else:
    aiohttp.connector.DefaultResolver = ThreadedResolver  # type: ignore[attr-defined]  # it is imported there, not exported
