"""What whoever has broken into the hub tries otherwise: bodies, calls, queries, configs, and bytes that are no request."""

import base64

from tests.lab.attacks.asked_services import DATABASE, FOREIGN, OTHER, RECORD, SECRET, Tries
from tests.lab.support import FILTER, HUB, PROXY

V = "/v1.44"

BODIES: Tries = {
    "no body": {"line": ["POST", f"{V}/services/create"]},
    "a list": {"body": []},
    "8 MB": {"fill": [" ", 2**23]},
    "1 MB of one name": {"fill": ["a", 2**20 + 1]},
    "100,000 lists in one another": {"fill": ["[", 100_000]},
    "100,000 objects in one another": {"fill": ['{"a":', 100_000]},
    "100,000 digits": {"fill": ["9", 100_000]},
    "zero bytes": {"fill": ["\0", 1000]},
}

CALLS: Tries = {
    f"{method} {called}": {"line": [method, f"{V}/{called}"], "body": {"Image": "x"} if method == "POST" else None}
    for method, paths in {
        "POST": "containers/create containers/x/attach?stream=1 containers/x/exec exec/x/start containers/x/start "
        "containers/x/kill containers/prune images/create?fromImage=alpine images/load build session grpc commit?container=x "
        "secrets/create swarm/init swarm/join swarm/leave?force=true swarm/update?version=1 swarm/unlock nodes/x/update "
        f"volumes/create networks/create networks/jupyter/connect plugins/pull?remote=x services/{PROXY}/update?version=1 "
        f"services/{DATABASE}/update?version=1 services/{HUB}-mallory/update?version=1 configs/x/update auth",
        "GET": "containers/json containers/x/json containers/x/logs containers/x/archive?path=/ containers/x/attach/ws secrets "
        f"secrets/{SECRET} swarm swarm/unlockkey volumes volumes/{HUB}-data networks plugins info events system/df images/json "
        f"images/alpine/json images/get?names=x tasks/x tasks/x/logs services/{HUB} services/{PROXY} services/{FILTER} "
        f"services/{DATABASE} services/{FOREIGN} services/{FOREIGN}/logs configs/{RECORD} configs distribution/alpine/json "
        f"networks/ingress networks/host networks/jupyter-proxy services/{HUB}/logs _ping",
        "DELETE": f"services/{HUB} services/{PROXY} services/{FILTER} services/{DATABASE} services/{FOREIGN} configs/{RECORD} "
        f"secrets/{SECRET} volumes/{HUB}-data nodes/x?force=true networks/jupyter images/alpine containers/x",
        "PUT": "containers/x/archive?path=/ services/create",
        "HEAD": "services containers/x/archive?path=/",
    }.items()
    for called in paths.split()
}

LOGS = "details=False&follow=False&stdout=True&stderr=True&since=0&timestamps=False&tail=10"
QUERIES: Tries = {
    query: {"line": ["GET", f"{V}/{query}"]}
    for query in (
        f'tasks?filters={{"service":["{DATABASE}"]}}',
        f'tasks?filters={{"service":["{FOREIGN}"]}}',
        'tasks?filters={"label":["swarmhub.notebooks"]}',
        f'tasks?filters={{"label":["swarmhub.notebooks={OTHER}"]}}',
        'tasks?filters={"node":["x"]}',
        "tasks?filters={}",
        "tasks?filters=",
        "tasks?status=true",
        'services?filters={"label":["swarmhub.service"]}',
        f'services?filters={{"label":["swarmhub.notebooks={HUB}","a"]}}',
        'services?filters={"id":["x"]}',
        "services?insertDefaults=true",
        "services?",
        "services?Filters={}",
        'configs?filters={"name":["swarmhub"]}',
        'configs?filters={"label":["swarmhub.home"]}',
        f'configs?filters={{"name":["{HUB}-home"],"name":["swarmhub"]}}',
        "nodes?filters={}",
        "nodes/x?force=true",
        "networks/jupyter?verbose=true",
        "networks/jupyter?scope=swarm&scope=local",
        f"services/{HUB}-mallory/logs?{LOGS.replace('follow=False', 'follow=True')}",
        f"services/{HUB}-mallory/logs?{LOGS.replace('tail=10', 'tail=all')}",
        f"services/{FOREIGN}/logs?{LOGS}",
    )
}

DATA = base64.b64encode(b"# another's").decode()
OWN = {"swarmhub.home": HUB, "swarmhub.user": "mallory", "swarmhub.node": "x"}
CONFIGS: Tries = {
    name: {"line": ["POST", f"{V}/configs/create"], "body": body}
    for name, body in {
        "a lock": {"Name": "swarmhub-lock", "Data": "e30=", "Labels": {"swarmhub.lock": "x"}},
        "another hub's home": {"Name": f"{HUB}-home-x", "Data": "e30=", "Labels": OWN | {"swarmhub.home": OTHER}},
        "a home with content": {"Name": f"{HUB}-home-x", "Data": DATA, "Labels": OWN},
        "a home of no node": {"Name": f"{HUB}-home-x", "Data": "e30=", "Labels": OWN | {"swarmhub.node": "{{.Node.ID}}"}},
        "a home with another name": {"Name": f"{HUB}-settings-x", "Data": "e30=", "Labels": OWN},
        "a home and a file": {"Name": f"{HUB}-home-x", "Data": "e30=", "Labels": OWN | {"swarmhub.file": "/x"}},
        "a template": {"Name": f"{HUB}-home-x", "Data": "e30=", "Labels": OWN, "Templating": {"Name": "golang"}},
        "a file by another content's name": {
            "Name": f"{HUB}-notebook-{'0' * 20}",
            "Data": DATA,
            "Labels": {"swarmhub.service": HUB},
        },
        "the hub's policies": {"Name": f"{HUB}-policies-x", "Data": DATA, "Labels": {"swarmhub.service": HUB}},
        "another hub's file": {"Name": f"{OTHER}-notebook-x", "Data": DATA, "Labels": {"swarmhub.service": OTHER}},
    }.items()
}

SECRETS = f"GET {V}/secrets HTTP/1.1\r\nHost: docker\r\n\r\n"
NO = "HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
CREATE = f"POST {V}/containers/create HTTP/1.1\r\nHost: docker\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
SMUGGLED = f"0\r\n\r\n{SECRETS}"


def wire(*texts: str) -> dict[str, str]:
    """Return an attempt that is sent as it is."""
    return {"raw": base64.b64encode("".join(texts).encode("latin-1")).decode()}


WIRE: Tries = {
    "a body in chunks with trailers": wire(
        CREATE, CHUNKED, f"\r\n2\r\n{{}}\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n{SECRETS}"
    ),
    "a request in the trailers": wire(CREATE, CHUNKED, f"\r\n2\r\n{{}}\r\n0\r\n{SECRETS}"),
    "a length and chunks": wire(CREATE, "Content-Length: 5\r\n", CHUNKED, "\r\n", SMUGGLED),
    "chunks and a length": wire(CREATE, CHUNKED, "Content-Length: 5\r\n\r\n", SMUGGLED),
    "two lengths": wire(CREATE, f"Content-Length: 0\r\nContent-Length: {len(SECRETS)}\r\n\r\n", SECRETS),
    "a list of lengths": wire(CREATE, "Content-Length: 0, 0\r\n\r\n", SECRETS),
    "a length with a sign": wire(CREATE, "Content-Length: +5\r\n\r\n", SMUGGLED),
    "a length in base 16": wire(CREATE, "Content-Length: 0x5\r\n\r\n", SMUGGLED),
    "a length below zero": wire(CREATE, "Content-Length: -1\r\n\r\n", SECRETS),
    "chunks that are not the last coding": wire(CREATE, "Transfer-Encoding: chunked, identity\r\n\r\n", SMUGGLED),
    "chunks twice": wire(CREATE, CHUNKED, CHUNKED, "\r\n", SMUGGLED),
    "chunks in a tab": wire(CREATE, "Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n", SMUGGLED),
    "chunks with a blank before the colon": wire(CREATE, "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n", SMUGGLED),
    "chunks on a folded line": wire(CREATE, "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", SMUGGLED),
    "a chunk of negative size": wire(CREATE, CHUNKED, "\r\n-1\r\n", SECRETS),
    "a chunk of too large a size": wire(CREATE, CHUNKED, f"\r\n{'f' * 20}\r\n", SECRETS),
    "a chunk's extension": wire(CREATE, CHUNKED, f"\r\n0;a=\r\n\r\n{SECRETS}"),
    "lines that end in one byte": wire(CREATE.replace("\r\n", "\n"), "\n", SECRETS.replace("\r\n", "\n")),
    "requests one behind the other": wire(
        CREATE, "Content-Length: 2\r\n\r\n{}", SECRETS, f"DELETE {V}/services/{PROXY} {NO}\r\n"
    ),
    "an allowed path in full": wire(f"GET http://docker{V}/nodes {NO}\r\n"),
    "another host in full": wire(f"GET http://10.6.6.6{V}/nodes {NO}\r\n"),
    "an empty part": wire(f"GET /{V}/nodes {NO}\r\n"),
    "an empty part inside": wire(f"GET {V}//nodes {NO}\r\n"),
    "a path with dots": wire(f"GET {V}/services/../secrets {NO}\r\n"),
    "a path with escaped dots": wire(f"GET {V}/services/%2e%2e/secrets {NO}\r\n"),
    "a path with escaped slashes": wire(f"GET {V}/services%2f..%2fsecrets {NO}\r\n"),
    "an escaped letter": wire(f"GET {V}/%73ecrets {NO}\r\n"),
    "an escaped zero byte": wire(f"GET {V}/nodes%00 {NO}\r\n"),
    "a zero byte": wire(f"GET {V}/nodes\0 {NO}\r\n"),
    "a backslash": wire(f"GET {V}\\nodes {NO}\r\n"),
    "a fragment": wire(f"GET {V}/nodes#/../secrets {NO}\r\n"),
    "a parameter in the path": wire(f"GET {V}/nodes;x=1 {NO}\r\n"),
    "no version": wire(f"GET /nodes {NO}\r\n"),
    "an old version": wire(f"GET /v1.24/nodes {NO}\r\n"),
    "a version to come": wire(f"GET /v2.0/nodes {NO}\r\n"),
    "two versions": wire(f"GET {V}{V}/nodes {NO}\r\n"),
    "a version with more digits": wire(f"GET /v1.440/nodes {NO}\r\n"),
    "an upgrade": wire(f"GET {V}/nodes HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"),
    "an upgrade to HTTP/2": wire(f"GET {V}/nodes {NO}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"),
    "HTTP/2 from the start": wire("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/1.0": wire(f"GET {V}/nodes HTTP/1.0\r\n\r\n"),
    "HTTP/0.9": wire(f"GET {V}/nodes\r\n\r\n"),
    "a tunnel": wire(f"CONNECT 10.6.6.6:22 {NO}\r\n"),
    "all of the server": wire(f"OPTIONS * {NO}\r\n"),
    "another method in a header": wire(CREATE, "X-HTTP-Method-Override: GET\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
    "a compressed body": wire(f"POST {V}/services/create {NO}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"),
    "a body where none belongs": wire(f"GET {V}/nodes {NO}Content-Length: {len(SECRETS)}\r\n\r\n", SECRETS),
    "a line of 100 KB": wire(f"GET {V}/nodes/{'a' * 60_000} {NO}\r\n"),
    "TLS": wire("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
}
