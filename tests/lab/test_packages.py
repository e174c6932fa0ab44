"""Packages of the operator's in the hub's image, and what people log in by with them: LDAP, LTI, a password, an own account.

About 75 s on a quiet machine (not measured there): the lock, the image, one update of the hub. All of it is in one hub, with
jupyterhub-multiauthenticator; the examples of docs/logins.md are loaded one by one in its image.
"""

import json
import re
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from oauthlib.oauth1 import SIGNATURE_TYPE_BODY, Client  # type: ignore[import-untyped]

from lab import containers, topology
from swarmhub.engine import context
from swarmhub.settings import handed
from tests.lab.support import HUB, ROOT, Lab, variant
from tests.unit.support.fakes import settings

# That TLS verifies is test_deploy's matter.
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = ROOT / "docs" / "logins.md"
PACKAGES = (
    "jupyterhub-ldapauthenticator",
    "jupyterhub-ltiauthenticator",
    "jupyterhub-nativeauthenticator",
    "jupyterhub-multiauthenticator",
    "jupyterhub-announcement",
    "ngshare",
)
SECRETS = {"WORKSHOP": "for-the-workshop", "ADMINS": "thirty-two-letters-of-the-lab-or-more", "MOODLE": "known-to-the-platform"}
NAMES = ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", *SECRETS]
PEOPLE = (
    "ada admin\ngrace\nldap:ada admin\nldap:grace\nworkshop:ada admin\nworkshop:grace\nlti11:grace\nown:grace\ngithub:grace\n"
)
ISSUER = f"http://{topology.CAMPUS}:8080"
GITHUB = topology.GITHUB_URL
ACCESS = f"""
[access]
provider = "multiauthenticator"

[[access.options.authenticators]]
authenticator_class = "ldap"
url_prefix = "ldap"
config = {{server_address = "{topology.CAMPUS}", bind_dn_template = "uid={{username}},ou=people,dc=campus,dc=lab"}}

[[access.options.authenticators]]
authenticator_class = "shared-password"
url_prefix = "workshop"
config = {{user_password = {{secret = "WORKSHOP"}}, admin_password = {{secret = "ADMINS"}}}}

[[access.options.authenticators]]
authenticator_class = "native"
url_prefix = "own"

[[access.options.authenticators]]
authenticator_class = "ltiauthenticator.LTIAuthenticator"
url_prefix = "lti11"
config = {{consumers = {{moodle = {{secret = "MOODLE"}}}}, username_key = "ext_user_username"}}

[[access.options.authenticators]]
authenticator_class = "ltiauthenticator.lti13.auth.LTI13Authenticator"
url_prefix = "lti13"
[access.options.authenticators.config]
issuer = "{ISSUER}"
client_id = ["the-hub"]
authorize_url = "{ISSUER}/auth"
jwks_endpoint = "{ISSUER}/jwks.json"
username_key = "preferred_username"
allow_all = true

[[access.options.authenticators]]
authenticator_class = "github"
url_prefix = "github"
[access.options.authenticators.config]
client_id = {{secret = "GITHUB_CLIENT_ID"}}
client_secret = {{secret = "GITHUB_CLIENT_SECRET"}}
github_url = "{GITHUB}"
github_api = "{GITHUB}/api/v3"

[[jupyterhub.JupyterHub.services]]
name = "announcement"
url = "http://{HUB}:8888"
command = ["python3", "-m", "jupyterhub_announcement"]
cwd = "/data"

[[jupyterhub.JupyterHub.services]]
name = "ngshare"
url = "http://{HUB}:10101"
command = ["python3", "-m", "ngshare", "--database", "sqlite:////data/ngshare.db", "--storage", "/data/ngshare"]

[github]"""
# In the hub's container: what a deploy would be told of a document.
LOADS = """
import json, sys, tempfile
from pathlib import Path
from hub.check import __main__ as check
documents, names = json.loads(sys.argv[1])
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    (folder / "userlist").write_text("ada admin\\n")
    for one in {*names, "PROXY_TOKEN", "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"}:
        (folder / one).write_text(f"thirty-two-letters-or-more-of-{one}")
    for document in documents:
        (folder / "settings.json").write_text(document)
        origins = check.Origins(check.CONF, folder / "settings.json")
        print(json.dumps(check.check(origins, secrets=folder, userlist=folder / "userlist")))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project's folder, with its hosts.toml and userlist, and no lock."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "people").write_text(PEOPLE)
    replaced = [
        ('state/oauth.env"', f'state/oauth.env"\nnames = {json.dumps(NAMES)}'),
        ("[hub]\n", f"[hub]\npackages = {json.dumps(PACKAGES)}\n"),
        ('"userlist"', f'"{folder / "people"}"'),
        ("[github]", ACCESS),
    ]
    variant(folder, *replaced)
    return folder


@pytest.fixture(scope="module")
def unlocked(used: Lab, folder: Path) -> str:
    """Return what a deploy says before the lock."""
    done = used.fab("deploy", "--yes", hosts=folder / "hosts.toml", **SECRETS)
    assert done.code == 2, done.text
    return done.err


@pytest.fixture(scope="module")
def locked(used: Lab, folder: Path, unlocked: str) -> str:
    """Return what `fab lock-hub` says."""
    done = used.fab("lock-hub", hosts=folder / "hosts.toml")
    assert done.code == 0, unlocked + done.text
    return done.out


@pytest.fixture(scope="module", name="deployed")
def _deployed(used: Lab, folder: Path, locked: str) -> Lab:
    """Give the hub with all of them."""
    done = used.fab("deploy", "--yes", hosts=folder / "hosts.toml", **SECRETS)
    assert done.code == 0, locked + done.text
    return used


def test_a_deploy_without_a_lock_says_what_to_type(unlocked: str) -> None:
    """With the line that names the packages, before anything is connected to."""
    assert re.search(r"hosts\.toml:\d+: hub\.packages: there is no packages\.lock yet\. Run: fab lock-hub", unlocked), unlocked


def test_the_lock_has_versions_and_hashes_and_no_address(folder: Path, locked: str) -> None:
    """Of the packages and of what they need, and of nothing that the hub has anyway."""
    text = (folder / "packages.lock").read_text()
    assert [one for one in PACKAGES if f"\n{one}==" not in text] == []
    assert ("://" in text, "\njupyterhub==" in text) == (False, False)
    assert ("--hash=sha256:" in text, "packages.lock: " in locked) == (True, True)


class Person(requests.Session):
    """Somebody with a browser of their own, at the lab's hub."""

    def __init__(self) -> None:
        super().__init__()
        self.verify = self.trust_env = False  # a bundle that the environment names would count
        self.headers["Host"] = urlsplit(topology.HUB_URL).netloc

    def at(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask the hub; its address is this machine's."""
        at = f"https://127.0.0.1:{topology.MANAGER.ports[443]}/{path.removeprefix(topology.HUB_URL).lstrip('/')}"
        return self.request(method, at, allow_redirects=False, timeout=30, **options)

    def sends(self, path: str, **form: str) -> requests.Response:
        """Open a page with a form, and send it."""
        self.at("GET", path)
        return self.at("POST", path, data={"_xsrf": self.cookies.get("_xsrf", path="/hub/") or "", **form})

    @property
    def name(self) -> str:
        """Return who the hub takes this for."""
        answer = self.at("GET", "/hub/api/user", headers={"Referer": f"{topology.HUB_URL}/hub/home"})
        found = answer.json() if answer.status_code == 200 else {}
        return f"{found.get('name', '')}{' admin' if found.get('admin') else ''}"


def entered(path: str, name: str, password: str) -> str:
    """Return who is logged in by a form."""
    person = Person()
    person.sends(path, username=name, password=password)
    return person.name


def test_people_log_in_by_a_directory(deployed: Lab) -> None:
    """Who is listed, with the password of theirs; not who is not listed, nor with another one. It runs a server."""
    tried = [("ada", "ada-of-the-lab"), ("grace", "grace-of-the-lab"), ("mallory", "mallory-of-the-lab"), ("grace", "wrong")]
    assert [entered("/hub/ldap/login", *one) for one in tried] == ["ldap:ada admin", "ldap:grace", "", ""]


def test_people_log_in_by_the_password_of_a_workshop(deployed: Lab) -> None:
    """Admins by their own alone."""
    tried = [
        ("grace", SECRETS["WORKSHOP"]),
        ("ada", SECRETS["WORKSHOP"]),
        ("ada", SECRETS["ADMINS"]),
        ("linus", SECRETS["WORKSHOP"]),
    ]
    assert [entered("/hub/workshop/login", *one) for one in tried] == ["workshop:grace", "", "workshop:ada admin", ""]


def test_people_sign_up(deployed: Lab) -> None:
    """And log in with the password that they have chosen; who is not listed does not."""
    for name in ("grace", "linus"):
        chosen = {"signup_password": f"of-{name}-alone", "signup_password_confirmation": f"of-{name}-alone"}
        assert Person().sends("/hub/own/signup", username=name, **chosen).status_code == 200
    assert [entered("/hub/own/login", name, f"of-{name}-alone") for name in ("grace", "linus")] == ["own:grace", ""]


def launched(name: str, number: str, secret: str = SECRETS["MOODLE"]) -> str:
    """Return who is logged in by a launch of LTI 1.1."""
    path, person = "/hub/lti11/lti/launch", Person()
    launch = {"lti_message_type": "basic-lti-launch-request", "lti_version": "LTI-1p0", "resource_link_id": "1"}
    signer = Client("moodle", client_secret=secret, signature_type=SIGNATURE_TYPE_BODY)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = launch | {"user_id": number, "ext_user_username": name}
    _, headers, signed = signer.sign(f"{topology.HUB_URL}{path}", "POST", body, form)
    person.at("POST", path, data=signed, headers=headers)
    return person.name


def test_people_come_from_a_course_by_lti_1_1(deployed: Lab) -> None:
    """By the platform's signature; another account there with the same name is refused."""
    assert [launched("grace", "7"), launched("grace", "7", "wrong"), launched("linus", "8"), launched("grace", "9")] == [
        "lti11:grace",
        "",
        "",
        "",
    ]


@pytest.fixture
def platform(deployed: Lab) -> Callable[[str, str], str]:
    """Return what comes from a course by LTI 1.3: a platform that signs with a key which the hub asks it for."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "one", "alg": "RS256", "use": "sig"}
    packed = context.archive({"srv/jwks/jwks.json": json.dumps({"keys": [public]}).encode()})
    deployed.client.put_archive(containers.container_name("campus"), "/", packed)

    def come(name: str, number: str) -> str:
        person, claim = Person(), "https://purl.imsglobal.org/spec/lti/claim/"
        target = f"{topology.HUB_URL}/hub/spawn"
        begun = person.at(
            "POST",
            "/hub/lti13/oauth_login",
            data={
                "iss": ISSUER,
                "login_hint": number,
                "target_link_uri": target,
                "client_id": "the-hub",
                "lti_deployment_id": "1",
            },
        )
        asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
        said = {
            "iss": ISSUER,
            "aud": "the-hub",
            "sub": number,
            "nonce": asked["nonce"],
            "iat": int(time.time()),
            "exp": int(time.time()) + 60,
            "preferred_username": name,
            f"{claim}message_type": "LtiResourceLinkRequest",
            f"{claim}version": "1.3.0",
            f"{claim}deployment_id": "1",
            f"{claim}target_link_uri": target,
            f"{claim}resource_link": {"id": "1"},
            f"{claim}roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"],
        }
        token = jwt.encode(said, key, algorithm="RS256", headers={"kid": "one"})
        person.at("POST", asked["redirect_uri"], data={"id_token": token, "state": asked["state"]})
        return person.name

    return come


def test_people_come_from_a_course_by_lti_1_3(platform: Callable[[str, str], str]) -> None:
    """Everybody of the course, where that is wanted; another account there with the same name is refused."""
    assert [platform("linus", "7"), platform("linus", "8")] == ["lti13:linus", ""]


def test_people_log_in_at_github_as_one_of_several(deployed: Lab) -> None:
    """The callback has the provider's word in it."""
    person = Person()
    asked = person.at("GET", "/hub/github/oauth_login").headers["Location"]
    assert asked.startswith(GITHUB)
    local = asked.replace(GITHUB, f"https://127.0.0.1:{topology.GITHUB_PORT}")
    back = requests.post(local, data={"login": "grace"}, verify=False, allow_redirects=False, timeout=30)  # noqa: S501
    person.at("GET", back.headers["Location"])
    assert person.name == "github:grace"


@pytest.mark.parametrize(("path", "status"), [("announcement/latest", 200), ("ngshare/healthz", 200)])
def test_a_service_of_a_package_answers(deployed: Lab, path: str, status: int) -> None:
    """By the hub's address, in the hub's container."""
    deployed.wait(lambda: Person().at("GET", f"/services/{path}").status_code == status, 20, f"no answer of {path}")


def test_who_is_removed_does_not_log_in_again(deployed: Lab, folder: Path) -> None:
    """Whatever they log in by."""
    (folder / "people").write_text(PEOPLE.replace("ldap:grace\n", ""))
    grace = Person()
    grace.sends("/hub/ldap/login", username="grace", password="grace-of-the-lab")
    done = deployed.fab("users-sync", "--yes", hosts=folder / "hosts.toml", **SECRETS)
    assert (done.code, "remove ldap:grace from the hub" in done.out) == (0, True), done.text
    assert (grace.name, entered("/hub/ldap/login", "grace", "grace-of-the-lab")) == ("", "")


def test_somebody_with_a_providers_word_in_the_name_has_a_server(deployed: Lab) -> None:
    """It is a service like any other."""
    deployed.start_server("ldap:ada")
    deployed.hub_api("DELETE", "users/ldap:ada/server")


def examples() -> Iterator[dict[str, Any]]:
    """Yield the examples of the page that say how people log in or what runs in the hub."""
    for block in BLOCK.findall(PAGE.read_text()):
        tables = tomllib.loads(block)
        if {"access", "jupyterhub"} & set(tables):
            yield tables


def test_each_example_of_the_page_is_loaded_by_the_hub(deployed: Lab) -> None:
    """As a deploy loads it, in an image with all the packages: nothing is unknown, and nothing without effect."""
    found = [*examples()]
    documents = [json.dumps(handed.tables(settings(**one))) for one in found]
    names = sorted({name for one in found for name in one.get("secrets", {}).get("names", [])})
    said = deployed.execute(HUB, "python3", "-c", LOADS, json.dumps([documents, names]))
    assert [json.loads(line) for line in said.splitlines() if line.startswith(("[]", '["'))] == [[] for _ in found], said
