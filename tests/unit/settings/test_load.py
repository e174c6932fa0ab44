"""hosts.toml read whole: its mistakes, all at once, each with its line and what would be right."""

import textwrap
from pathlib import Path

import pytest

from swarmhub import settings as settings_file
from swarmhub.errors import SettingsError
from swarmhub.settings import Settings, load, read_text
from tests.unit.support.cluster import HOSTS_TOML

SHELL = (
    "$(id)",
    "`id`",
    "a;id",
    "a|id",
    "a&id",
    "a>b",
    "a<b",
    "a b",
    "a\nb",
    'a"b',
    "a'b",
    "a*",
    "a?",
    "$HOME",
    "a\\b",
    "a\tb",
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a hosts.toml in this folder, to be written."""
    monkeypatch.chdir(tmp_path)
    return Path("hosts.toml")


def problems(file: Path, content: str | bytes) -> list[str]:
    """Return the lines that tell what is wrong with a hosts.toml of this content."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as error:
        load(file)
    return [str(problem) for problem in error.value.problems]


def good(file: Path, more: str = "", **replaced: str) -> Settings:
    """Return the settings of a hosts.toml in which lines are replaced by key, and to which lines are added."""
    file.write_text(edited(more, **replaced))
    return load(file)


def edited(more: str = "", **replaced: str) -> str:
    """Return the good hosts.toml with lines replaced by key, and lines added."""
    lines = HOSTS_TOML.splitlines()
    for key, value in replaced.items():
        index = next(number for number, line in enumerate(lines) if line.startswith(f"{key} ="))
        lines[index] = f"{key} = {value}"
    return "\n".join([*lines, "", more, ""])


def toml(text: str) -> str:
    """Return a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def test_hosts_a_domain_and_an_image_are_enough(file: Path) -> None:
    """The document's cluster needs three tables; everything else has a default."""
    settings = good(file)
    assert settings.hosts.all == ("swarm-manager1", "swarm-worker1", "swarm-worker2")
    assert (settings.hub.domain, settings.network.name, settings.hub.port) == ("hub.example.org", "jupyter", 443)


def test_the_projects_own_file_is_in_order() -> None:
    """The hosts.toml that people start from can be loaded as it is."""
    own = Path(__file__).resolve().parents[3] / "hosts.toml"
    assert load(own).manager == "swarm-manager1"


def test_the_hub_stands_behind_a_proxy_and_a_filter_unless_somebody_wants_otherwise() -> None:
    """What a person gets who says nothing of it."""
    own = load(Path(__file__).resolve().parents[3] / "hosts.toml")
    assert (own.proxy.separate, own.proxy.http_port, own.hub.engine) == (True, 80, "filter")


def test_settings_cannot_be_changed_after_they_were_checked(file: Path) -> None:
    """What was checked is what is used: the values are frozen."""
    with pytest.raises(ValueError, match="frozen"):
        good(file).hub.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"",
            "hosts.toml:1: is empty; it names at least the hosts: '[hosts]\\nmanagers = [\"swarm-manager1\"]'",
        ),
        (b" \n\n", "hosts.toml:1: is empty; it names at least the hosts: '[hosts]\\nmanagers = [\"swarm-manager1\"]'"),
        (b"\xef\xbb\xbf" + HOSTS_TOML.encode(), "hosts.toml:1: starts with a byte order mark; save it as UTF-8 without BOM"),
        (HOSTS_TOML.encode("utf-16"), "hosts.toml:1: starts with a byte order mark; save it as UTF-8 without BOM"),
        (b"[hosts]\n# caf\xe9\n", "hosts.toml:2: is not UTF-8; save it as UTF-8"),
        (
            HOSTS_TOML.replace("\n", "\r\n").encode(),
            "hosts.toml:1: has carriage returns; save it with Unix line ends: sed -i 's/\\r$//' hosts.toml",
        ),
        (
            b"[hosts]\nmanagers = []\r\n",
            "hosts.toml:2: has carriage returns; save it with Unix line ends: sed -i 's/\\r$//' hosts.toml",
        ),
        (b"[hosts]\nmanagers = swarm-manager1\n", "hosts.toml:2: is not TOML: Invalid value at column 12"),
        (b"[hosts]\n\n[hosts]\n", "hosts.toml:3: is not TOML: Cannot declare ('hosts',) twice at column 7"),
        (b"[hosts\n", "hosts.toml:1: is not TOML: Expected ']' at the end of a table declaration at column 7"),
        (b'[hosts]\nmanagers = ["a"\n', "hosts.toml:3: is not TOML: Unclosed array at the end of the file"),
    ],
    ids=["empty", "blank", "BOM", "UTF-16", "Latin-1", "CRLF", "one CR", "no string", "twice", "no bracket", "no end"],
)
def test_a_file_that_cannot_be_read_says_where_and_how_to_put_it_right(file: Path, content: bytes, said: str) -> None:
    """An empty file, an editor's byte order mark or line ends, and what is not TOML are told with their line."""
    assert problems(file, content) == [said]


def test_a_file_that_is_not_there_says_how_to_begin(file: Path) -> None:
    """A missing file is told with the two ways to have one."""
    with pytest.raises(SettingsError) as error:
        load(file)
    assert str(error.value) == (
        "hosts.toml:1: no such file or directory; start from the project's own hosts.toml, or let SWARMHUB_HOSTS name yours"
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A path that leads to a folder is told as such."""
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
        ("[network.ipam]\nx = 1", "is no setting; known here: name, attachable, encrypted, subnet, options, endpoint_mode"),
        (
            "top = 1",
            f"is no setting; known here: {', '.join(Settings.model_fields)}",
        ),
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
    ],
)
def test_a_value_of_another_type_is_not_bent_into_shape(file: Path, more: str, key: str, said: str) -> None:
    """A word is no boolean, and a number no name: the type that is there and the one that should be are told."""
    (problem,) = problems(file, edited(more))
    assert (problem.split(": ")[1], said in problem) == (key, True)


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("[network]\nsubnet = 5", "network.subnet"),
        ("[secrets]\ncommand = 'pass show hub'", "secrets.command"),
    ],
)
def test_what_could_be_read_as_the_right_type_is_refused(file: Path, more: str, key: str) -> None:
    """A number could be read as an address, and a line as a list of letters: both are refused."""
    assert [problem.split(": ")[1] for problem in problems(file, edited(more))] == [key]


@pytest.mark.parametrize("managers", ['"swarm-manager1"', "{}"])
def test_hosts_are_an_array_and_the_message_says_so(file: Path, managers: str) -> None:
    """A single name outside of an array is told in TOML's words, not in Python's."""
    (problem,) = problems(file, edited(managers=managers))
    assert ("hosts.toml:2: hosts.managers: " in problem, "array" in problem, "tuple" in problem) == (True, True, False)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "443.5", '"443"', "true"])
def test_a_port_is_a_number_from_1_to_65535(file: Path, port: str) -> None:
    """Anything else is refused at hub.port."""
    (problem,) = problems(file, HOSTS_TOML.replace("[hub]\n", f"[hub]\nport = {port}\n"))
    assert problem.startswith("hosts.toml:6: hub.port: ")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "-oProxyCommand=id",
        "root@swarm-manager1",
        "swarm-manager1:22",
        "swarm_manager1",
        "swarm-manager1.",
        ".swarm-manager1",
        "a..b",
        "swarm-",
        "a" * 64,
        "ſwarm-manager1",
        "swärm-manager1",
        "[::1]",
        "a,b",
        *SHELL,
    ],
)
def test_what_is_no_host_name_is_refused(file: Path, host: str) -> None:
    """A host is a name that SSH and the swarm know: no user, no port, no option, nothing that a shell would act on."""
    (problem,) = problems(file, edited(workers=f'["swarm-worker1", {toml(host)}]'))
    assert problem.startswith(f"hosts.toml:3: hosts.workers[1]: {host!r} is not a host name: ")


@pytest.mark.parametrize("host", ["a", "swarm-manager1", "Swarm-Manager1", "node1.example.org", "10.0.0.21", "a" * 63])
def test_what_is_a_host_name_is_taken(file: Path, host: str) -> None:
    """Short names, domain names and addresses are host names, in any case."""
    assert good(file, managers='["m"]', workers=f'["{host}"]').hosts.workers == (host,)


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


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "hub",
        "Hub.example.org",
        "hub.example.org.",
        "https://hub.example.org",
        "hub.example.org:443",
        "hub_.example.org",
        "-hub.example.org",
        "*.example.org",
        "hub..org",
        "hüb.example.org",
        "../../etc.passwd",
        *SHELL,
    ],
)
def test_what_is_no_domain_is_refused(file: Path, domain: str) -> None:
    """The domain stands in paths, arguments and addresses: only a plain one in lower case is taken."""
    assert problems(file, edited(domain=toml(domain))) == [
        f"hosts.toml:6: hub.domain: {domain!r} is not a domain name in lower case, such as hub.example.org"
    ]


@pytest.mark.parametrize(
    "image",
    [
        "",
        "Debian",
        "debian:",
        ":tag",
        "debian@sha256:abc",
        "debian:a:b",
        "-debian",
        "quay.io//x",
        "https://quay.io/x",
        "x/Y:1",
        "debian:-x",
        f"debian:{'t' * 129}",
        "../x",
        *SHELL,
    ],
)
def test_what_is_no_image_is_refused(file: Path, image: str) -> None:
    """An image is a reference as Docker's grammar has it."""
    (problem,) = problems(file, edited(image=toml(image)))
    assert problem.startswith(f"hosts.toml:13: notebook.image: {image!r} is not an image, such as ")


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("debian", "debian:latest"),
        ("debian:trixie-slim", "debian:trixie-slim"),
        ("quay.io/jupyter/base-notebook", "quay.io/jupyter/base-notebook:latest"),
        ("registry.lab:5000/notebook", "registry.lab:5000/notebook:latest"),
        ("registry.lab:5000/a/b__c/d--e:V1.2_x", "registry.lab:5000/a/b__c/d--e:V1.2_x"),
        ("localhost/x:1", "localhost/x:1"),
        (f"debian@sha256:{'a' * 64}", f"debian@sha256:{'a' * 64}"),
        (f"debian:12@sha256:{'a' * 64}", f"debian:12@sha256:{'a' * 64}"),
    ],
)
def test_an_image_without_a_tag_means_latest(file: Path, image: str, full: str) -> None:
    """An engine pulls every tag of a bare name: the tag is spelt out, and one that is there or a digest is kept."""
    assert good(file, image=f'"{image}"').notebook.image == full


@pytest.mark.parametrize(
    ("more", "key", "line"),
    [
        ("[network]\nname = {}", "network.name", 16),
        ("[volume]\nname = {}", "volume.name", 16),
        ("[volume]\ndriver = {}", "volume.driver", 16),
        ("[volume]\noptions = {{ o = {} }}", "volume.options.o", 16),
        ("[network]\noptions = {{ mtu = {} }}", "network.options.mtu", 16),
        ("[certs]\nemail = {}", "certs.email", 16),
        ("[certs]\nserver = {}", "certs.server", 16),
        ("[certs]\nstaging_server = {}", "certs.staging_server", 16),
        ("[certs]\nimage = {}", "certs.image", 16),
        ("[github]\nurl = {}", "github.url", 16),
        ("[github]\napi = {}", "github.api", 16),
    ],
)
@pytest.mark.parametrize("value", SHELL)
def test_nothing_that_a_shell_would_act_on_is_taken(file: Path, more: str, key: str, line: int, value: str) -> None:
    """A shell's metacharacters, blanks and line ends are refused wherever a word can stand."""
    (problem,) = problems(file, edited(more.format(toml(value))))
    assert problem.startswith(f"hosts.toml:{line}: {key}: {value!r} is not ")


@pytest.mark.parametrize("value", [value for value in SHELL if value != "a b"])
@pytest.mark.parametrize(("table", "key"), [("secrets", "file"), ("ssh", "config"), ("certs", "ca")])
def test_nothing_that_a_shell_would_act_on_is_taken_in_a_path(file: Path, table: str, key: str, value: str) -> None:
    """A path may hold a blank, and nothing else that a shell would act on."""
    (problem,) = problems(file, edited(f"[{table}]\n{key} = {toml(value)}"))
    assert problem.startswith(f"hosts.toml:16: {table}.{key}: {value!r} is not a file's path; ")


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com",
        "github.com",
        "https://",
        "https://user:pw@github.com",
        "https://github.com?x=1",
        "https://github.com/#x",
        "https://git_hub.com",
        "ftp://github.com",
        "https://gıthub.com",
        "https://ſ.example.org",
    ],
)
def test_what_is_no_plain_https_address_is_refused(file: Path, url: str) -> None:
    """An address is https, without password, query or fragment."""
    assert problems(file, edited(f"[github]\nurl = {toml(url)}")) == [
        f"hosts.toml:16: github.url: {url!r} is not an https:// address without query or password"
    ]


@pytest.mark.parametrize("name", ["hub.one", "hub-", "hub_", "-hub", "MyHub", "h" * 63, "", *SHELL])
def test_a_service_is_named_as_swarm_and_docker_take_it(file: Path, name: str) -> None:
    """The service's name is also its image's and a part of its secrets': what one of them would refuse is refused here."""
    (problem,) = problems(file, HOSTS_TOML.replace("[hub]\n", f"[hub]\nservice = {toml(name)}\n"))
    assert problem.startswith("hosts.toml:6: hub.service: ")


@pytest.mark.parametrize("name", ["jupyterhub", "hub2", "my-hub", "my_hub"])
def test_a_plain_service_name_is_taken(file: Path, name: str) -> None:
    """Lower case, digits, hyphens and underscores make a service's name."""
    file.write_text(HOSTS_TOML.replace("[hub]\n", f'[hub]\nservice = "{name}"\n'))
    assert load(file).hub.service == name


@pytest.mark.parametrize(
    "options",
    [
        {"type": "nfs", "o": "addr=10.0.0.9,rw,nfsvers=4", "device": ":/export/hub"},
        {"type": "none", "o": "bind", "device": "/srv/hub"},
        {"type": "cifs", "o": "addr=nas.example.org,vers=3.0", "device": "//nas.example.org/hub"},
    ],
    ids=lambda options: options["type"],
)
def test_the_local_drivers_own_options_are_taken(file: Path, options: dict[str, str]) -> None:
    """A volume on NFS, on a folder or on a Windows share is described as Docker's documentation does it."""
    table = ", ".join(f'{key} = "{value}"' for key, value in options.items())
    assert good(file, f"[volume]\noptions = {{ {table} }}").volume.options == options


def test_a_drivers_option_of_a_wrong_name_is_told_by_its_name(file: Path) -> None:
    """The key of the message is what stands in the file, and nothing else."""
    (problem,) = problems(file, edited('[volume]\noptions = { "a b" = "c" }'))
    assert problem.startswith("hosts.toml:16: volume.options.a b: 'a b' is not ")


def test_ingress_and_dnsrr_clash(file: Path) -> None:
    """The routing mesh needs a virtual address: the clash is told at hub.publish, with both ways out."""
    content = HOSTS_TOML.replace("[hub]\n", '[hub]\npublish = "ingress"\n') + '[network]\nendpoint_mode = "dnsrr"\n'
    assert problems(file, content) == [
        "hosts.toml:6: hub.publish: 'ingress' needs network.endpoint_mode = 'vip'; set publish = 'host', or the mode to 'vip'"
    ]


def test_the_default_of_ingress_clashes_too(file: Path) -> None:
    """Where publish is not written down, the clash is told at its table."""
    assert problems(file, HOSTS_TOML + '[network]\nendpoint_mode = "dnsrr"\n') == [
        "hosts.toml:5: hub.publish: 'ingress' needs network.endpoint_mode = 'vip'; set publish = 'host', or the mode to 'vip'"
    ]


@pytest.mark.parametrize(("publish", "mode"), [("host", "dnsrr"), ("host", "vip"), ("ingress", "vip")])
def test_other_modes_go_together(file: Path, publish: str, mode: str) -> None:
    """Only ingress with dnsrr does not work."""
    file.write_text(HOSTS_TOML.replace("[hub]\n", f'[hub]\npublish = "{publish}"\n') + f'[network]\nendpoint_mode = "{mode}"\n')
    settings = load(file)
    assert (settings.hub.publish, settings.network.endpoint_mode) == (publish, mode)


@pytest.mark.parametrize(
    ("certs", "is_told"),
    [
        ("", True),
        ('[certs]\nemail = "ops@example.org"\n', True),
        ('[certs]\ndns = "rfc2136"\ndns_credentials = "dns.ini"\n', False),
        ('[certs]\ncertificate = "chain.pem"\nkey = "key.pem"\n', False),
    ],
)
def test_subdomains_need_a_certificate_that_covers_them(file: Path, certs: str, is_told: bool) -> None:
    """No authority gives one by HTTP: that is told before one is asked."""
    said = problems(file, HOSTS_TOML.replace("[hub]\n", "[hub]\nsubdomains = true\n") + certs) if is_told else []
    assert (
        said
        == [
            "hosts.toml:6: hub.subdomains: needs a certificate for *.DOMAIN, which no authority gives by HTTP; "
            "set certs.dns, or certs.certificate and key"
        ]
        * is_told
    )
    file.write_text(HOSTS_TOML.replace("[hub]\n", "[hub]\nsubdomains = true\n") + certs)
    assert is_told or load(file).hub.subdomains


def test_secrets_come_from_one_place(file: Path) -> None:
    """A file and a command at once are refused at the command."""
    assert problems(file, edited('[secrets]\nfile = ".env"\ncommand = ["pass"]')) == [
        "hosts.toml:17: secrets.command: clashes with 'file'; keep one of the two"
    ]


@pytest.mark.parametrize(
    ("second", "wrong"),
    [
        ("Extra tools", "'Extra tools' is 'extra-tools' in addresses and in the API, as 'Extra tools' is"),
        ("extra_tools!", "'extra_tools!' is 'extra-tools' in addresses and in the API, as 'Extra tools' is"),
    ],
)
def test_profiles_are_told_apart_by_their_names(file: Path, second: str, wrong: str) -> None:
    """Two names that are one in addresses are refused at the second one's line."""
    more = f'[[profiles]]\nname = "Extra tools"\n\n[[profiles]]\nname = "{second}"'
    (problem,) = problems(file, edited(more))
    line = (
        edited(more).splitlines().index(f'name = "{second}"', edited(more).splitlines().index('name = "Extra tools"') + 1) + 1
    )
    assert problem == f"hosts.toml:{line}: profiles[1].name: {wrong}; give each its own"


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
    told = problems(file, f'{HOSTS_TOML}[network]\nendpoint_mode = "dnsrr"\n[ssh]\nsuod = true\n')
    assert [problem.split(": ")[1] for problem in told] == ["hub.publish", "ssh.suod"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("users", "{here}/users"), ("../users", "{here}/../users"), ("/srv/users", "/srv/users"), ("~/users", "{home}/users")],
)
def test_paths_count_from_the_files_folder(tmp_path: Path, empty_home: Path, path: str, expected: str) -> None:
    """A path in hosts.toml is relative to it, wherever one stands; ~ is one's home."""
    (tmp_path / "hosts.toml").write_text(HOSTS_TOML.replace("[hub]\n", f'[hub]\nuserlist = "{path}"\n'))
    assert str(load(tmp_path / "hosts.toml").hub.userlist) == expected.format(here=tmp_path, home=empty_home)


def test_the_default_userlist_is_beside_the_file(tmp_path: Path) -> None:
    """A default path counts from the file's folder like one that is written down."""
    (tmp_path / "hosts.toml").write_text(HOSTS_TOML)
    assert load(tmp_path / "hosts.toml").hub.userlist == tmp_path / "hub" / "userlist"


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
    assert good(file, more.replace("KNOWM", "KNOWN")).secrets.names == ("KNOWN",)


def test_a_secret_of_a_providers_that_is_not_listed_is_told(file: Path) -> None:
    """As one of [jupyterhub]."""
    more = '[access]\nprovider = "google"\n\n[access.options]\nclient_secret = { secret = "GOOGLE" }\n'
    (problem,) = problems(file, edited(more))
    assert "access.options.client_secret: 'GOOGLE' is not in secrets.names" in problem
