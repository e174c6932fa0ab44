"""hosts.toml read whole: its mistakes, all at once, each with its line and what would be right."""

import textwrap
from pathlib import Path

import pytest

from swarmhub import settings as settings_file
from swarmhub.errors import SettingsError
from swarmhub.settings import Settings, load, read_ca, read_text
from swarmhub.settings.schema.model import Network
from tests.unit.settings.written import edited, good, in_hub, problems
from tests.unit.support.cluster import HOSTS_TOML
from tests.unit.support.fakes import WORKER1, WORKER2

NEEDS_VIP = "'ingress' needs network.endpoint_mode = 'vip'; set publish = 'host', or the mode to 'vip'"
IS_EMPTY = "is empty; it names at least the hosts: '[hosts]\\nmanagers = [\"swarm-manager1\"]'"
CARRIAGE_RETURNS = "has carriage returns; save it with Unix line ends: sed -i 's/\\r$//' hosts.toml"
HAS_BOM = "hosts.toml:1: starts with a byte order mark; save it as UTF-8 without BOM"


def test_hosts_a_domain_and_an_image_are_enough(file: Path) -> None:
    """A cluster needs three tables; everything else has a default, a path beside the file, and nothing changes later."""
    settings = good(file, HOSTS_TOML)
    assert settings.hosts.all == ("swarm-manager1", "swarm-worker1", "swarm-worker2")
    assert (settings.hub.domain, settings.network.name, settings.hub.port) == ("hub.example.org", "jupyter", 443)
    assert settings.hub.userlist == Path.cwd() / "hub" / "userlist"
    with pytest.raises(ValueError, match="frozen"):
        settings.hub.port = 1  # type: ignore[misc]


def test_the_hub_stands_behind_a_proxy_and_a_filter_unless_somebody_wants_otherwise() -> None:
    """What a person gets who starts from the project's own hosts.toml and says nothing of it."""
    own = load(Path(__file__).resolve().parents[3] / "hosts.toml")
    assert (own.manager, own.proxy.separate, own.proxy.http_port, own.hub.engine) == ("swarm-manager1", True, 80, "filter")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", f"hosts.toml:1: {IS_EMPTY}"),
        (b" \n\n", f"hosts.toml:1: {IS_EMPTY}"),
        (b"\xef\xbb\xbf" + HOSTS_TOML.encode(), HAS_BOM),
        (HOSTS_TOML.encode("utf-16"), HAS_BOM),
        (b"[hosts]\n# caf\xe9\n", "hosts.toml:2: is not UTF-8; save it as UTF-8"),
        (HOSTS_TOML.replace("\n", "\r\n").encode(), f"hosts.toml:1: {CARRIAGE_RETURNS}"),
        (b"[hosts]\nmanagers = []\r\n", f"hosts.toml:2: {CARRIAGE_RETURNS}"),
        (b"[hosts]\nmanagers = swarm-manager1\n", "hosts.toml:2: is not TOML: Invalid value at column 12"),
        (b"[hosts]\n\n[hosts]\n", "hosts.toml:3: is not TOML: Cannot declare ('hosts',) twice at column 7"),
        (b'[hosts]\nmanagers = ["a"\n', "hosts.toml:3: is not TOML: Unclosed array at the end of the file"),
    ],
    ids=["empty", "blank", "BOM", "UTF-16", "Latin-1", "CRLF", "one CR", "no string", "twice", "no end"],
)
def test_a_file_that_cannot_be_read_says_where_and_how_to_put_it_right(file: Path, content: bytes, said: str) -> None:
    """An empty file, an editor's byte order mark or line ends, and what is not TOML are told with their line."""
    assert problems(file, content) == [said]


def test_a_wrong_word_alone_in_a_list_is_told_once(file: Path) -> None:
    """The list is not called empty as well."""
    content = HOSTS_TOML.replace('"swarm-manager1"', '"root@swarm-manager1"', 1)
    (said,) = problems(file, content)
    assert "hosts.managers[0]: 'root@swarm-manager1' is not a host name" in said


@pytest.mark.parametrize(
    "table",
    [
        '[backup]\nrepository = "rest:https://me:hunter2@backup.example.org/"',
        '[certs]\nserver = "https://me:hunter2@acme.example.org/dir"',
        '[jupyterhub.Spawner]\nimage = "x"\n[http_proxy]\nurl = ["http://me:hunter2@proxy:3128"]',
    ],
)
def test_an_address_that_is_refused_is_told_without_its_password(file: Path, table: str) -> None:
    """People's terminals and the logs of their CI show it."""
    said = "\n".join(problems(file, f"{HOSTS_TOML}\n{table}\n".encode()))
    assert said
    assert "hunter2" not in said


def test_a_file_that_is_not_there_says_how_to_begin(file: Path, tmp_path: Path) -> None:
    """A missing file is told with the two ways to have one; a path that leads to a folder is told as such."""
    with pytest.raises(SettingsError) as error:
        load(file)
    assert str(error.value) == (
        "hosts.toml:1: no such file or directory; start from the project's own hosts.toml, or let SWARMHUB_HOSTS name yours"
    )
    with pytest.raises(SettingsError, match="is a directory"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["x = 1\n", ""])
def test_text_that_people_edit_is_returned_as_it_is(tmp_path: Path, text: str) -> None:
    """A file without a Windows editor's marks is read unchanged."""
    (tmp_path / "users").write_text(text)
    assert read_text(tmp_path / "users", "missing") == text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[hub]\ndomian = 'x'", "is no setting; did you mean 'domain'?"),
        ("[hub]\nuserlsit = 'x'", "is no setting; did you mean 'userlist'?"),
        ("[certs]\nmail = 'x'", "is no setting; did you mean 'email'?"),
        ("[ssh]\nqqq = 1", "is no setting; known here: config, sudo"),
        ("[volumes]\nname = 'x'", "is no setting; did you mean 'volume'?"),
        ("[network.ipam]\nx = 1", f"is no setting; known here: {', '.join(Network.model_fields)}"),
        ("top = 1", f"is no setting; known here: {', '.join(Settings.model_fields)}"),
    ],
)
def test_a_key_that_nobody_reads_is_refused_with_the_one_that_was_meant(file: Path, more: str, said: str) -> None:
    """A misspelt key is no silent default: the nearest one is named, or all that are known there."""
    content = HOSTS_TOML.replace("[hub]\n", f"{more}\n") if more.startswith("[hub]") else f"{more}\n{HOSTS_TOML}"
    assert [problem.partition(": ")[2].partition(": ")[2] for problem in problems(file, content)] == [said]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[hub]\ndomain = 'a.b'\n[notebook]\nimage = 'x'", "hosts.toml:1: hosts: is missing: add [hosts] with managers"),
        (edited().replace('managers = ["swarm-manager1"]\n', ""), "hosts.toml:1: hosts.managers: is missing: Swarm managers."),
        (edited(managers="[]"), "hosts.toml:2: hosts.managers: is empty; name at least one"),
        (
            edited().replace('domain = "hub.example.org"\n', ""),
            "hosts.toml:5: hub.domain: is missing: The name that people type.",
        ),
        (HOSTS_TOML.partition("[notebook]")[0], "hosts.toml:1: notebook: is missing: add [notebook] with image"),
    ],
    ids=["no hosts", "no managers", "empty managers", "no domain", "no notebook"],
)
def test_what_is_missing_is_told_with_what_it_is(file: Path, content: str, said: str) -> None:
    """A setting that has to be there is asked for at its table, in words."""
    (problem,) = problems(file, content)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("more", "key", "said"),
    [
        ("[network]\nattachable = 'yes'", "network.attachable", "'yes' is a string; it should be a valid boolean"),
        ("[network]\nencrypted = 1", "network.encrypted", "1 is a number; it should be a valid boolean"),
        ("[certs]\nstaging = 'false'", "certs.staging", "'false' is a string; it should be a valid boolean"),
        ("[volume]\nname = 3", "volume.name", "3 is a number; it should be a valid string"),
        ("[volume]\nname = ['a']", "volume.name", "['a'] is an array; it should be a valid string"),
        ("[volume]\nname = {a = 1}", "volume.name", "{'a': 1} is a table; it should be a valid string"),
        ("[volume]\noptions = 'a=b'", "volume.options", "'a=b' is a string; it should be a valid"),
        ("[volume]\nname = 2026-11-15", "volume.name", "it should be a valid string"),
        ("[network]\nsubnet = 5", "network.subnet", ""),
        ("[secrets]\ncommand = 'pass show hub'", "secrets.command", ""),
    ],
)
def test_a_value_of_another_type_is_not_bent_into_shape(file: Path, more: str, key: str, said: str) -> None:
    """A word is no boolean, and a number no name: the type that is there and the one that should be are told."""
    (problem,) = problems(file, edited(more))
    assert (problem.split(": ")[1], said in problem) == (key, True)


@pytest.mark.parametrize("managers", ['"swarm-manager1"', "{}"])
def test_hosts_are_an_array_and_the_message_says_so(file: Path, managers: str) -> None:
    """A single name outside of an array is told in TOML's words, not in Python's."""
    (problem,) = problems(file, edited(managers=managers))
    assert ("hosts.toml:2: hosts.managers: " in problem, "array" in problem, "tuple" in problem) == (True, True, False)


@pytest.mark.parametrize(
    ("managers", "workers", "line", "key", "named"),
    [
        ('["a", "a"]', "[]", 2, "hosts.managers[1]", "a"),
        ('["a"]', '["b", "a"]', 3, "hosts.workers[1]", "a"),
        ('["a"]', '["A"]', 3, "hosts.workers[0]", "A"),
        ('["a"]', '["Node1.Example.org", "node1.example.ORG"]', 3, "hosts.workers[1]", "node1.example.ORG"),
    ],
)
def test_a_host_is_named_once(file: Path, managers: str, workers: str, line: int, key: str, named: str) -> None:
    """A host that stands there twice, as manager and worker or in another case, is told where it stands again."""
    assert problems(file, edited(managers=managers, workers=workers)) == [
        f"hosts.toml:{line}: {key}: '{named}' is named twice; name each host once, as a manager or as a worker"
    ]


def test_ingress_and_dnsrr_clash(file: Path) -> None:
    """The routing mesh needs a virtual address: told with both ways out, also where the mode is the default."""
    for network in ("", '[network]\nendpoint_mode = "dnsrr"\n'):
        assert problems(file, in_hub('publish = "ingress"') + network) == [f"hosts.toml:6: hub.publish: {NEEDS_VIP}"]


def test_servers_on_workers_only_need_a_worker(file: Path) -> None:
    """Without one no server would ever start; that is told before anything is connected to."""
    wanted = edited('nodes = "workers"')
    assert good(file, wanted).notebook.nodes == "workers"
    assert problems(file, wanted.replace(f'workers = ["{WORKER1}", "{WORKER2}"]', "")) == [
        "hosts.toml:15: notebook.nodes: 'workers' leaves no node for a server: hosts.workers names none; "
        "add one, or set nodes = 'all'"
    ]


def test_groups_have_any_name_that_a_provider_sends(file: Path) -> None:
    """In profiles, overrides, folders, culling and [groups], whose members are named as JupyterHub compares them."""
    names = ["/ml-course", "Domain Users", "cn=staff,ou=groups,dc=example,dc=org", "Übung 1"]
    tables = "".join(f'"{name}" = ["Miles O\'Brien", "ada"]\n' for name in names)
    uses = (
        f"[[profiles]]\nname = 'P'\ngroups = {names}\n[[overrides]]\ngroups = {names}\ncpu_limit = 1\n"
        f"[[folders]]\ntype = 'path'\npath = '/srv/f'\nmount = '/f'\ngroups = {names}\n[culling]\nexcept_groups = {names}\n"
    )
    settings = good(file, edited(f"{uses}[groups]\n{tables}"))
    assert settings.groups == dict.fromkeys(names, ("miles o'brien", "ada"))
    assert settings.culling.except_groups == settings.profiles[0].groups == tuple(names)


def test_a_groups_letters_may_be_in_two_parts(file: Path) -> None:
    """As some editors store them; the provider writes one, and both are the same group."""
    settings = good(file, edited('[culling]\nexcept_groups = ["Gru\u0308n"]\n[groups]\n"Gru\u0308n" = ["ada"]\n'))
    assert (settings.culling.except_groups, [*settings.groups]) == (("Gr\u00fcn",), ["Gr\u00fcn"])


@pytest.mark.parametrize("name", ["", " staff", "a\\u0007b", "x" * 256], ids=["empty", "a space", "a bell", "long"])
def test_what_is_no_name_of_a_group_is_told(file: Path, name: str) -> None:
    """JupyterHub would keep it, and nobody could type it."""
    (problem,) = problems(file, edited(f'[culling]\nexcept_groups = ["{name}"]\n'))
    assert "is no name of a group: no space at an end, nothing invisible, at most 255" in problem


def test_groups_have_one_source(file: Path) -> None:
    """JupyterHub does not start with groups of its own where the provider manages them."""
    tables = "[access]\nprovider = 'generic-oauth'\n[access.options]\nmanage_groups = true\n[groups]\nstaff = ['ada']\n"
    (problem,) = problems(file, edited(tables))
    assert problem.startswith("hosts.toml:19: groups: clashes with access.options.manage_groups: the provider says who")


@pytest.mark.parametrize(("publish", "mode"), [("host", "dnsrr"), ("host", "vip"), ("ingress", "vip")])
def test_other_modes_go_together(file: Path, publish: str, mode: str) -> None:
    """Only ingress with dnsrr does not work."""
    settings = good(file, in_hub(f'publish = "{publish}"') + f'[network]\nendpoint_mode = "{mode}"\n')
    assert (settings.hub.publish, settings.network.endpoint_mode) == (publish, mode)


def test_subdomains_need_a_certificate_that_covers_them(file: Path) -> None:
    """No authority gives one by HTTP: that is told before one is asked."""
    wanted = in_hub("subdomains = true")
    for certs in ("", '[certs]\nemail = "ops@example.org"\n'):
        assert problems(file, wanted + certs) == [
            "hosts.toml:6: hub.subdomains: needs a certificate for *.DOMAIN, which no authority gives by HTTP; "
            "set certs.dns, or certs.certificate and key"
        ]
    for certs in ('dns = "rfc2136"\ndns_credentials = "dns.ini"', 'certificate = "chain.pem"\nkey = "key.pem"'):
        assert good(file, f"{wanted}[certs]\n{certs}\n").hub.subdomains


def test_secrets_come_from_one_place(file: Path) -> None:
    """A file and a command at once are refused at the command."""
    assert problems(file, edited('[secrets]\nfile = ".env"\ncommand = ["pass"]')) == [
        "hosts.toml:17: secrets.command: clashes with 'file'; keep one of the two"
    ]


def test_no_secret_is_called_like_our_own(file: Path) -> None:
    """It would be mounted in the place of the proxy's token."""
    assert problems(file, edited('[secrets]\nnames = ["REPORT", "PROXY_TOKEN"]')) == [
        "hosts.toml:16: secrets.names[1]: 'PROXY_TOKEN' is swarmhub's own secret; name yours otherwise"
    ]


@pytest.mark.parametrize("second", ["Extra tools", "extra_tools!"])
def test_profiles_are_told_apart_by_their_names(file: Path, second: str) -> None:
    """Two names that are one in addresses are refused at the second one's line."""
    content = edited(f'[[profiles]]\nname = "Extra tools"\n\n[[profiles]]\nname = "{second}"')
    line = len(content.rstrip().splitlines())
    wrong = f"'{second}' is 'extra-tools' in addresses and in the API, as 'Extra tools' is; give each its own"
    assert problems(file, content) == [f"hosts.toml:{line}: profiles[1].name: {wrong}"]


def test_every_mistake_is_told_at_once_with_its_own_line(file: Path) -> None:
    """One run shows all that is wrong, in the order of the lines."""
    content = textwrap.dedent("""\
        [hosts]
        managers = [
            "swarm-manager1",
            "root@swarm-manager2",
        ]
        workers = ["swarm-worker1", "a b"]

        [hub]
        domain = "Hub.example.org"
        publsh = "host"
        port = 0

        [notebook]

        [network]
        options = { mtu = "$(id)", x = 3 }
        endpoint_mode = "vips"

        [[volume]]
        name = "x"
        """)
    assert [problem.split(": ")[0] + ": " + problem.split(": ")[1] for problem in problems(file, content)] == [
        "hosts.toml:4: hosts.managers[1]",
        "hosts.toml:6: hosts.workers[1]",
        "hosts.toml:9: hub.domain",
        "hosts.toml:10: hub.publsh",
        "hosts.toml:11: hub.port",
        "hosts.toml:13: notebook.image",
        "hosts.toml:16: network.options.mtu",
        "hosts.toml:16: network.options.x",
        "hosts.toml:17: network.endpoint_mode",
        "hosts.toml:19: volume",
    ]


def test_a_clash_is_told_together_with_the_other_mistakes(file: Path) -> None:
    """What one value demands of another is checked also where something else is wrong."""
    told = problems(file, in_hub('publish = "ingress"') + "[ssh]\nsuod = true\n")
    assert [problem.split(": ")[1] for problem in told] == ["hub.publish", "ssh.suod"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("users", "{here}/users"), ("../users", "{here}/../users"), ("/srv/users", "/srv/users"), ("~/users", "{home}/users")],
)
def test_paths_count_from_the_files_folder(tmp_path: Path, empty_home: Path, path: str, expected: str) -> None:
    """A path in hosts.toml is relative to it, wherever one stands; ~ is one's home."""
    (tmp_path / "hosts.toml").write_text(HOSTS_TOML.replace("[hub]\n", f'[hub]\nuserlist = "{path}"\n'))
    assert str(load(tmp_path / "hosts.toml").hub.userlist) == expected.format(here=tmp_path, home=empty_home)


def test_somebodys_home_that_does_not_exist_is_a_mistake_like_others(file: Path) -> None:
    """A path below an unknown user's home is told with its line."""
    (problem,) = problems(file, edited('[secrets]\nfile = "~no-such-user/secrets"'))
    assert problem.startswith("hosts.toml:16: secrets.file: '~no-such-user/secrets'")


def test_the_file_in_use_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step of a run sees the same settings, also if the file is saved meanwhile."""
    file.write_text(HOSTS_TOML)
    first = settings_file.current()
    file.write_text(HOSTS_TOML.replace("hub.example.org", "other.example.org"))
    assert settings_file.current() is first


@pytest.mark.parametrize(("environ", "path"), [(None, "hosts.toml"), ("", "hosts.toml"), ("lab/hosts.toml", "lab/hosts.toml")])
def test_the_file_in_use_is_the_one_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, environ: str | None, path: str
) -> None:
    """SWARMHUB_HOSTS names the file; unset or empty it is hosts.toml in this folder."""
    if environ is not None:
        monkeypatch.setenv("SWARMHUB_HOSTS", environ)
    assert settings_file.path() == Path(path)


def test_a_secret_that_is_not_listed_is_told_with_its_line(file: Path) -> None:
    """However deep in [jupyterhub] it stands; one that secrets.names lists is taken."""
    more = (
        '[secrets]\nnames = ["KNOWN"]\n\n[jupyterhub.JupyterHub]\nservices = [\n'
        '  { name = "a", api_token = { secret = "KNOWN" } },\n'
        '  { name = "b", api_token = { secret = "KNOWM" } },\n]\n'
    )
    content = edited(more)
    line = content.splitlines().index('  { name = "b", api_token = { secret = "KNOWM" } },') + 1
    assert problems(file, content) == [
        f"hosts.toml:{line}: jupyterhub.JupyterHub.services[1].api_token: "
        "'KNOWM' is not in secrets.names: add it there, and set it where the other secrets are"
    ]
    assert good(file, content.replace("KNOWM", "KNOWN")).secrets.names == ("KNOWN",)


def test_a_secret_of_a_providers_that_is_not_listed_is_told(file: Path) -> None:
    """As one of [jupyterhub]."""
    more = '[access]\nprovider = "google"\n\n[access.options]\nclient_secret = { secret = "GOOGLE" }\n'
    (problem,) = problems(file, edited(more))
    assert "access.options.client_secret: 'GOOGLE' is not in secrets.names" in problem


def test_a_second_hub_has_a_volume_and_a_network_of_its_own(file: Path) -> None:
    """By its service's name, unless they are named; the first one's have the names that they always had."""
    names = [
        (found.volume.name, found.network.name)
        for found in (
            good(file, HOSTS_TOML),
            good(file, in_hub('service = "hub-test"')),
            good(file, in_hub('service = "hub-test"') + '[volume]\nname = "kept"\n[network]\nencrypted = true\n'),
        )
    ]
    assert names == [("jupyterhub-data", "jupyter"), ("hub-test-data", "hub-test"), ("kept", "hub-test")]


PEM, KEY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nMIIB\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x30\x82\x05\x4c\x30", "ca.pem:1: holds no certificate in PEM; convert it: openssl x509 -in ca.pem -out NEW"),
        (PEM.encode("utf-16"), "ca.pem:1: holds no certificate in PEM"),
        (b"", "ca.pem:1: holds no certificate in PEM"),
        (f"{PEM}{KEY}".encode(), "ca.pem:4: holds a private key, too; name a file with certificates alone: hub.ca names it"),
        (PEM.replace("\n", "\r\n").encode(), "ca.pem:1: has carriage returns"),
        (None, "ca.pem:1: no such file or directory; hub.ca names it"),
    ],
    ids=["DER", "UTF-16", "empty", "a key", "CRLF", "none"],
)
def test_what_is_no_authority_is_told_by_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    """Windows exports DER; and everybody reads a key that is in the hub's image."""
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("ca.pem").write_bytes(content)
    with pytest.raises(SettingsError) as error:
        read_ca(Path("ca.pem"), "hub.ca")
    assert str(error.value).startswith(said)
