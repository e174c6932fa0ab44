"""jupyterhub-idle-culler reads this file; what it does is in `hub.config.culling`, where the tests reach it."""

import os

from hub.config.culling import configure_culler

configure_culler(get_config(), os.environ)  # type: ignore[name-defined]  # noqa: F821 - traitlets puts it here
