"""The lab's hosts.toml with people and groups as a university's identity provider sends them, and servers on workers only."""

from pathlib import Path

from lab import topology
from tests.lab.support import variant

# Keycloak's, AD's and LDAP's ways of writing groups.
COURSE, DOMAIN = "/ml-course", "Domain Users"
PERSON, OTHER = "miles o'brien", "伊藤"
USERLIST = f'ada admin\ngrace\n"Miles O\'Brien"\n{OTHER}\n'
# A stub whose Python finds the packages of the home first, as that of a conda image does.
FRAGILE = (
    "import runpy, site, sys; site.ENABLE_USER_SITE and sys.path.insert(0, site.getusersitepackages()); "
    "sys.path.append('/opt/venv/lib/python3.13/site-packages'); runpy.run_path('/opt/stub/bin/jupyterhub-singleuser')"
)
TABLES = f"""
[[profiles]]
name = "Course"
groups = ["{COURSE}"]

[[profiles]]
name = "Own command"
command = ["/opt/stub/bin/jupyterhub-singleuser"]

[[profiles]]
name = "Plain JupyterLab"
command = ["jupyter", "lab", "--ip=0.0.0.0"]

[[profiles]]
name = "Packages of the home first"
command = ["/usr/bin/python3", "-c", "{FRAGILE}"]

[[overrides]]
groups = ["{DOMAIN}"]
environment = {{TEAM = "domain"}}

[groups]
"{COURSE}" = ["ada", "{PERSON}"]
"{DOMAIN}" = ["{OTHER}"]

[access]
provider = "generic-oauth"

[access.options]
login_service = "the University"
client_id = {{secret = "GITHUB_CLIENT_ID"}}
client_secret = {{secret = "GITHUB_CLIENT_SECRET"}}
authorize_url = "{topology.GITHUB_URL}/login/oauth/authorize"
token_url = "{topology.GITHUB_URL}/login/oauth/access_token"
userdata_url = "{topology.GITHUB_URL}/api/v3/user"
username_claim = "login"

[github]
"""


def make(folder: Path) -> Path:
    """Write it into a folder."""
    (folder / "people").write_text(USERLIST)
    return variant(
        folder,
        ('state/oauth.env"', 'state/oauth.env"\nnames = ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"]'),
        ('"userlist"', f'"{folder / "people"}"'),
        ("[notebook]\n", '[notebook]\nnodes = "workers"\n'),
        ("[github]\n", TABLES),
    )
