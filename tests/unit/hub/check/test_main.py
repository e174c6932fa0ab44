"""The check of the whole configuration: what is wrong with it, and where that comes from."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.check import __main__ as check
from hub.check.origins import Origins
from hub.shared import database, settings
from tests.unit.hub.config.test_configure import ENVIRON, hand


@pytest.fixture
def problems(tmp_path: Path) -> Any:
    """Return what checks files of conf.d and tables of [jupyterhub]."""
    (tmp_path / "userlist").write_text("ada admin\n")
    for name, value in {"GITHUB_CLIENT_ID": "id", "GITHUB_CLIENT_SECRET": "hush", "TOKEN": "s3cr3t-t0k3n"}.items():
        (tmp_path / name).write_text(value)
    conf = tmp_path / "conf.d"
    conf.mkdir()

    def find(
        files: dict[str, str] | None = None,
        *,
        access: Any = None,
        variables: Any = None,
        database: Any = None,
        **jupyterhub: Any,
    ) -> list[str]:
        for name, text in (files or {}).items():
            (conf / name).write_text(text)
        given = {"database": database} if database else {}
        file, environ = hand(tmp_path, jupyterhub=jupyterhub, access=access or {}, **given), ENVIRON | (variables or {})
        return check.check(Origins(conf, file), environ=environ, secrets=tmp_path, userlist=tmp_path / "userlist")

    return find


def test_a_configuration_in_order_has_no_problems(problems: Any) -> None:
    """Ours, with a service and a role in hosts.toml and a hook and a class of its own in conf.d."""
    hook = (
        "c = get_config()\n"
        "c.Spawner.pre_spawn_hook = lambda spawner: None\n"
        "from jupyterhub.app import JupyterHub\n"
        "c.JupyterHub.services.append({'name': 'other', 'api_token': 'long-enough'})\n"
    )
    role = {"name": "report", "scopes": ["list:users"], "services": ["report"]}
    service = {"name": "report", "api_token": {"secret": "TOKEN"}}
    assert problems({"10-hook.py": hook}, JupyterHub={"services": [service], "load_roles": [role]}) == []


def test_a_configuration_with_subdomains_has_no_problems(problems: Any) -> None:
    """Neither has a service with a page of its own."""
    service = {"name": "report", "url": "http://report:80", "api_token": "long-enough"}
    assert problems(variables={"SUBDOMAIN_HOST": "https://hub.example.org"}, JupyterHub={"services": [service]}) == []


def test_a_configuration_with_members_has_no_problems(problems: Any) -> None:
    """The hub can keep, encrypted, what each member has given it to ask about them again."""
    assert problems(access={"organizations": ["lab"], "options": {"auth_refresh_age": 1}}) == []


BAD_FILES = {
    "syntax": ("c = get_config()\nc.Spawner.args = [\n", "conf.d/10-x.py:2: '[' was never closed"),
    "name": ("c = get_config()\n\nc.Spawner.args = fooo\n", "conf.d/10-x.py:3: NameError: name 'fooo' is not defined"),
    "import": ("import no_such\n", "conf.d/10-x.py:1: ModuleNotFoundError: No module named 'no_such'"),
    "option": ("c.Spawner.argss = []\n", "conf.d/10-x.py:1: Spawner has no option argss; did you mean args?"),
    "class": ("\nc.Spawnr.args = []\n", "conf.d/10-x.py:2: there is no class Spawnr; did you mean Spawner?"),
    "type": (
        "c.Spawner.start_timeout = 'x'\n",
        "conf.d/10-x.py:1: The 'start_timeout' trait of a SwarmSpawner instance expected an int, not the str 'x'.",
    ),
}


@pytest.mark.parametrize(("text", "problem"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_mistake_in_conf_d_is_told_with_file_and_line(problems: Any, text: str, problem: str) -> None:
    """Whatever it is, the line that it stands in is named, and what may be meant."""
    assert problems({"10-x.py": text}) == [problem]


BAD_TABLES = {
    "option": ({"Spawner": {"argss": []}}, "jupyterhub.Spawner.argss: Spawner has no option argss; did you mean args?"),
    "class": ({"Spawnr": {"args": []}}, "jupyterhub.Spawnr.args: there is no class Spawnr; did you mean Spawner?"),
    "type": (
        {"JupyterHub": {"init_spawners_timeout": "x"}},
        "jupyterhub.JupyterHub.init_spawners_timeout: The 'init_spawners_timeout' trait of a JupyterHub instance",
    ),
    "ours": ({"JupyterHub": {"base_url": "/x/"}}, "JupyterHub.base_url is swarmhub's own: use hub.base_url"),
    "no effect": (
        {"Authenticator": {"admin_users": ["grace"]}},
        "jupyterhub.Authenticator.admin_users: has no effect, swarmhub sets GitHubOAuthenticator.admin_users; set that instead",
    ),
    "another spawner's": (
        {"SystemUserSpawner": {"host_homedir_format_string": "/home/{username}"}},
        "jupyterhub.SystemUserSpawner.host_homedir_format_string: has no effect, the hub uses SwarmSpawner and not SystemUserS",
    ),
    "spawner class": ({"JupyterHub": {"spawner_class": "nobody"}}, "jupyterhub.JupyterHub.spawner_class: "),
    "scope": (
        {"JupyterHub": {"load_roles": [{"name": "report", "scopes": ["list:userz"]}]}},
        "jupyterhub.JupyterHub.load_roles: Scope 'list:userz' for role report does not exist",
    ),
    "role of no service": (
        {"JupyterHub": {"load_roles": [{"name": "report", "services": ["none"]}]}},
        "jupyterhub.JupyterHub.load_roles: Found undefined service none in role report.",
    ),
    "service's field": (
        {"JupyterHub": {"services": [{"name": "report", "api_tokn": "x"}]}},
        "jupyterhub.JupyterHub.services: AttributeError: No such service field: api_tokn",
    ),
    "same service": (
        {"JupyterHub": {"services": [{"name": "idle-culler"}]}},
        "jupyterhub.JupyterHub.services: two services are named 'idle-culler'; give each its own name",
    ),
    "short token": (
        {"JupyterHub": {"services": [{"name": "report", "api_token": "short"}]}},
        "jupyterhub.JupyterHub.services: APIToken.token must be at least 8 characters",
    ),
    "crypt key": ({"Authenticator": {"enable_auth_state": True}}, "auth_state is enabled, but encryption is not available"),
}


@pytest.mark.parametrize(("tables", "problem"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_mistake_in_hosts_toml_is_told_with_its_key(problems: Any, tables: dict[str, Any], problem: str) -> None:
    """What JupyterHub would refuse at its start, or not notice, is told with the key that set it."""
    (found,) = problems(**tables)
    assert found.startswith(problem)


def test_no_secret_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Not as it is, not as Python shows it, not the beginning that JupyterHub shows of a short token."""
    (tmp_path / "TOKEN").write_text("first\nsecond")
    problems = ["it is first\nsecond", "not the str " + repr("first\nsecond"), "got 5: firs..."]
    monkeypatch.setattr(check, "check", lambda _: problems)
    monkeypatch.setattr(check, "SECRETS", tmp_path)
    monkeypatch.setattr(settings, "FILE", hand(tmp_path))
    assert check.main() == 1
    told = ["it is <TOKEN>", "not the str '<TOKEN>'", "got 5: <TOKEN>"]
    assert capsys.readouterr().out == json.dumps({"problems": told}) + "\n"


OIDC = {"client_id": "hub", "client_secret": {"secret": "TOKEN"}, "authorize_url": "https://id.example.org/authorize"}
BAD_ACCESS = {
    "in order": ({"provider": "generic-oauth", "options": OIDC}, []),
    "provider": ({"provider": "generic"}, ["access.provider: 'generic' is no provider; did you mean 'generic-oauth'?"]),
    "option": (
        {"provider": "generic-oauth", "options": {"client_idd": "hub"}},
        ["access.options.client_idd: GenericOAuthenticator has no option client_idd; did you mean client_id?"],
    ),
    "type": (
        {"provider": "google", "options": {"scope": 3}},
        ["access.options.scope: The 'scope' trait of a ListedGoogleOAuthenticator instance expected a list, not the int 3."],
    ),
}


@pytest.mark.parametrize(("access", "told"), BAD_ACCESS.values(), ids=BAD_ACCESS)
def test_a_provider_is_checked_with_its_options(problems: Any, access: Any, told: list[str]) -> None:
    """What is wrong with them is told by their keys in hosts.toml."""
    assert problems(access=access) == told


def test_a_spawner_that_is_not_ours_is_told(problems: Any) -> None:
    """It would know nothing of hosts.toml."""
    told = "jupyterhub.JupyterHub.spawner_class: remove it: servers are started by swarmhub's own"
    assert any(one.startswith(told) for one in problems(JupyterHub={"spawner_class": "simple"}))


def test_a_database_that_cannot_be_asked_is_a_problem(problems: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before all else, with what helps, and without the password."""
    monkeypatch.setattr(database, "MEMORY", tmp_path)
    monkeypatch.setenv("PGPASSFILE", "")
    (tmp_path / "DATABASE_URL").write_text("postgresql://hub:hush@127.0.0.1:1/hub")
    (found,) = problems(database={"url": {"secret": "DATABASE_URL"}})
    assert found.startswith('the database: connection to server at "127.0.0.1", port 1 failed: Connection refused. Is the')
    assert "hush" not in found
