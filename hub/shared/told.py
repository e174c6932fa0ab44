"""What the hub tells the operator of its servers, in a file of its container.

A JSON object: `unknown` are the names of services that are servers and that the hub does not know, which it is about to remove;
`avoided` are the nodes that have refused a server, each with its `host`, `why`, and `until` when the hub sends no server
there, in seconds since 1970.
"""

from pathlib import Path

FILE = Path("/run/swarmhub/servers.json")
