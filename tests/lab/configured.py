"""The lab's hosts.toml with a hub of one's own configuration: one for all tests that look at what that does."""

from pathlib import Path

from tests.lab.support import variant

TOKEN = "a-token-of-the-report-service"
# What hosts.toml asks for besides, to whoever runs `fab`.
SECRETS = {"REPORT_TOKEN": TOKEN}
TABLES = """
[jupyterhub.JupyterHub]
services = [{ name = "report", api_token = { secret = "REPORT_TOKEN" } }]
load_roles = [{ name = "report", scopes = ["list:users"], services = ["report"] }]

# So long JupyterHub waits for a server to answer: a test of who is patient is not to take a minute.
[jupyterhub.Spawner]
http_timeout = 10

[groups]
staff = ["ada"]

[culling]
idle = "40s"
open_page = "60s"
warn = "30s"
keep = "10s"
keep_at_most = "10s"
every = "2s"
except_groups = ["staff"]

[limits]
active_servers = 2

[[profiles]]
name = "With sudo"
drop_capabilities = false
environment = {PATH = "/opt/stub/bin:/opt/venv/bin:/usr/bin:/bin"}

[notebook]
"""
# Some users' servers fail, each in a way of its own.
HOOKS = """
c = get_config()


async def fail(spawner):
    if spawner.user.name == "no-image":
        spawner.extra_container_spec = {"image": "registry.lab:5000/none:such"}
    elif spawner.user.name == "no-address":
        spawner.network_name = "lab-tiny"
    elif spawner.user.name == "ends":
        spawner.extra_container_spec = {"args": ["sh", "-c", "echo the last words; exit 7"]}
    elif spawner.user.name == "too-big":
        spawner.mem_guarantee = "900G"
    elif spawner.user.name == "killed":
        spawner.extra_resources_spec = {"mem_limit": 16 * 2**20}
        spawner.extra_container_spec = {"args": ["python3", "-c", "b'x' * 2**26"]}


c.Spawner.pre_spawn_hook = fail
"""


def make(folder: Path) -> Path:
    """Write it into a folder. The engine's filter would refuse what the hooks ask for."""
    (folder / "10-fail.py").write_text(HOOKS)
    return variant(
        folder,
        ("[secrets]", f"[secrets]\nnames = {[*SECRETS]}"),
        ("[notebook]\n", TABLES),
        ("[hub]", f'[hub]\nengine = "socket"\nconf = "{folder}"'),
    )
