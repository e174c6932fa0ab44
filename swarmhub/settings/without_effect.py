"""Options of JupyterHub that have no effect on a hub like this, such as those of an earlier configuration, or that are its own.

JupyterHub takes them without a word. They are looked for in [jupyterhub] and, by reading its source, in conf.d.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.shared import own
from hub.shared.servers import extras
from swarmhub.errors import Problem, SettingsError
from swarmhub.settings import Settings, read_text

SPAWNERS = {"Spawner", "DockerSpawner", "SwarmSpawner"}
PROXIES = {"ConfigurableHTTPProxy", "SeparateProxy"}
IMAGE, FILES = "notebook.image, or the image of a profile", "[home] and [[folders]]"
SIZED = "memory_limit, cpu_limit, shared_memory, processes or generic_resources of [notebook]"
NETWORK = "network.name: the hub reaches servers by their addresses on it"
# What to set instead.
INSTEAD = {
    "image": IMAGE,
    "container_image": IMAGE,
    "allowed_images": "[[profiles]]",
    "image_whitelist": "[[profiles]]",
    "pull_policy": "no option: fab deploy and fab prepull-all pull the images of hosts.toml on every node",
    "volumes": FILES,
    "read_only_volumes": FILES,
    "mounts": FILES,
    "format_volume_name": "home.name",
    "volume_driver": "home.driver and home.options",
    "volume_driver_options": "home.options",
    "extra_host_config": f"{SIZED}; for mounts, {FILES}",
    "extra_create_kwargs": "extra_container_spec, extra_resources_spec, extra_placement_spec or extra_task_spec",
    "links": NETWORK,
    "host_ip": NETWORK,
    "container_ip": NETWORK,
    "hub_ip_connect": NETWORK,
    "use_internal_ip": NETWORK,
    "use_internal_hostname": NETWORK,
    "post_start_cmd": "command of [notebook] or of a profile",
    "remove": "no option: a server's service is always removed when it stops, and its home stays",
    "remove_containers": "no option: a server's service is always removed when it stops, and its home stays",
    # SwarmSpawner's of cassinyio, of which many swarms were made.
    "container_spec": f"{IMAGE}, command and environment of [notebook], {FILES}",
    "resource_spec": SIZED,
    "placement": "notebook.nodes or node_labels",
    "networks": NETWORK,
    "service_prefix": "hub.service",
    "use_user_options": "[[profiles]]",
    "jupyterhub_service_name": "hub.service",
    **dict.fromkeys(
        ("move_certs_image", "certs_volume_name"), "no option: the firewall keeps servers apart, firewall.isolate_servers"
    ),
    "default_url": "notebook.default_url",
    "start_timeout": "notebook.start_timeout",
}
# These count where [notebook] says nothing.
YIELDS = {
    "mem_limit": "memory_limit",
    "mem_guarantee": "memory_guarantee",
    "cpu_limit": "cpu_limit",
    "cpu_guarantee": "cpu_guarantee",
    "cmd": "command",
}
# What [notebook] calls docker-py's arguments.
SIZES = {
    "mem_limit": "memory_limit",
    "mem_reservation": "memory_guarantee",
    "cpu_limit": "cpu_limit",
    "cpu_reservation": "cpu_guarantee",
    "generic_resources": "generic_resources",
}
PARTS = {trait: part for part, trait in extras.PARTS.items()}
# JupyterHub goes by hub_bind_url and hub_connect_url, which are set.
OF_HUB = {"hub_ip", "hub_port", "hub_connect_ip", "hub_connect_port"}
OF_PROXY = {"command", "should_start", "pid_file", "api_url", "auth_token"}
# Of SwarmSpawner's, swarmhub sets these; a hook may set them for one server.
OF_SPAWNER = {"network_name": "use network.name", **dict.fromkeys(("tables", "configs", "prefix"), "remove it")}
# What changes a table or a list in place.
CHANGES = {"update", "append", "extend", "insert", "setdefault"}
# What a hook calls the server that it changes.
HOOK = "spawner"
# Windows hides the end of such a name, and JupyterHub's own is case-sensitive.
MISNAMED = re.compile(r"(?i).*\.py(?:\.txt)?")

Names = tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """Somebody sets an option of a class, or a hook sets it on a spawner, which is no class.

    `keys` are those of a table, `is_text` tells of a plain text.
    """

    section: str
    option: str
    line: int
    keys: tuple[str, ...] = ()
    is_text: bool = False


def check(settings: Settings, file: Path, folder: str, conf: Mapping[str, bytes]) -> None:
    """Make sure that no option is set that would have no effect; `conf` has the files of conf.d, which is shown as `folder`.

    Raises:
        SettingsError: with each of them, and what to set instead.

    """
    problems = [
        Problem(f"{folder}/{name}", one.line, "", f"{_shown(one)} {wrong}")
        for name, source in conf.items()
        if name.endswith(".py")
        for one in found(source)
        for wrong in _wrongs(settings, one)
    ]
    wrong = "is not read: only names that end in .py are; rename it"
    problems += [
        Problem(f"{folder}/{name}", 1, "", wrong) for name in conf if not name.endswith(".py") and MISNAMED.fullmatch(name)
    ]
    tables: list[tuple[tuple[str, ...], str]] = [
        ((section, option), wrong)
        for section, options in settings.jupyterhub.items()
        for option, value in options.items()
        for wrong in _wrongs(
            settings, Setting(section, option, 0, tuple(value) if isinstance(value, dict) else (), is_text=True)
        )
    ]
    tables += [
        ((section, option, key), f"{value!r} is a text, and has to be a list: [{json.dumps(value)}]")
        for section, options in settings.jupyterhub.items()
        for option, given in options.items()
        for key, value in (given.items() if section in SPAWNERS and option in PARTS and isinstance(given, dict) else ())
        if key in extras.LISTS and isinstance(value, str)
    ]
    if tables:
        from swarmhub.settings.lines import line_of, positions  # only a broken file pays for the parser

        lines = positions(read_text(file, ""))
        problems += [
            Problem(str(file), line_of(("jupyterhub", *key), lines), f"jupyterhub.{'.'.join(key)}", wrong)
            for key, wrong in tables
        ]
    if problems:
        raise SettingsError(*problems)


def found(source: bytes) -> Iterator[Setting]:
    """Yield what a file of conf.d sets; nothing of one that is no Python, which the check in the hub's image tells."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        for line, path in _set(node):
            # `c.CLASS.option`, or a hook's `spawner.option`.
            at = 1 if path[0] == HOOK else 2
            if len(path) > at:
                is_text = isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
                yield Setting(path[at - 1] * (at == 2), path[at], line, path[at + 1 : at + 2] or (*_keys(node),), is_text)


def _set(node: ast.AST) -> Iterator[tuple[int, Names]]:
    """Yield the line and the path of what a statement assigns to or a call changes: `a.b` of `a.b = 1`, `a.b.update(c=1)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
        path = _path(node.func.value)
        if len(path) == 2 and path[0] != HOOK:  # a whole class: `c.CLASS.update(option=1)`
            yield from ((node.lineno, (*path, key)) for key in _keys(node))
        elif path:
            yield node.lineno, path
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else targets
    yield from ((target.lineno, path) for target in targets if (path := _path(target)))


def _path(value: ast.expr) -> Names:
    """Return the names of `a.b["c"]`, however each is written; nothing where it begins with something else."""
    if isinstance(value, ast.Name):
        return (value.id,)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "get_config":
        return (value.func.id,)
    if isinstance(value, ast.Attribute):
        last = value.attr
    elif isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant) and isinstance(value.slice.value, str):
        last = value.slice.value
    elif isinstance(value, ast.Subscript):  # what the key is, is known only as it runs
        return _path(value.value)
    else:
        return ()
    before = _path(value.value)
    return (*before, last) if before else ()


def _keys(node: ast.AST) -> Iterator[str]:
    """Yield the keys of a table that a statement or a call sets, as far as they are written there."""
    if isinstance(node, ast.Call):  # .update({"a": 1}, b=2), .setdefault("c", 3)
        values = node.args
        yield from (one.arg for one in node.keywords if one.arg)
    else:
        values = [node.value] if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value else []
    for value in values:
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
            yield from (one.arg for one in value.keywords if one.arg)
        keys = value.keys if isinstance(value, ast.Dict) else [value]
        yield from (key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def _shown(one: Setting) -> str:
    return f"{one.section or 'spawner'}.{one.option}"


def _wrongs(settings: Settings, one: Setting) -> Iterator[str]:
    """Yield what is wrong with an option: it is swarmhub's own, has no effect, or would replace what the hub itself sets."""
    if found := _own(one.section, one.option, one.is_text):
        yield f"is swarmhub's own: {found}"
    elif found := _without(settings, one.section, one.option):
        yield f"has no effect: {found}"
    # A hook gives one user something else on purpose; what it may not replace is refused as a server starts.
    if one.section in SPAWNERS and (part := PARTS.get(one.option)):
        for key in one.keys:
            if wrong := extras.wrong(part, key) or _twice(settings, part, key):
                yield f"may not have {key}: {wrong}"


def _twice(settings: Settings, part: str, key: str) -> str:
    """Return that a size is set in hosts.toml, too."""
    size = SIZES.get(key, "") if part == "resources" else ""
    servers = (settings.notebook, *settings.profiles, *settings.overrides)
    return f"{size} is set in [notebook], a profile or an override, too; keep it there" * any(
        size and getattr(one, size) for one in servers
    )


def _own(section: str, option: str, is_text: bool) -> str:
    if section == "JupyterHub":
        # A class that conf.d makes may inherit from swarmhub's: the check in the hub's image knows.
        return own.SPAWNER if option == "spawner_class" and is_text else own.HUB.get(option, "")
    return OF_SPAWNER.get(option, "") if section in SPAWNERS else ""


def _without(settings: Settings, section: str, option: str) -> str:
    """Return what to set instead of an option that has no effect; nothing for one that has."""
    if section in PROXIES and option in OF_PROXY and settings.proxy.separate:
        return "the proxy is a service of its own, with settings in [proxy]"
    if section == "JupyterHub" and option in OF_HUB:
        return own.NETWORK
    if section and section not in SPAWNERS:
        return ""
    if instead := INSTEAD.get(option, ""):
        return instead if instead.startswith("no option") else f"use {instead}"
    key = YIELDS.get(option, "")
    return f"notebook.{key} is set, which wins; keep one of the two" if key and getattr(settings.notebook, key) else ""
