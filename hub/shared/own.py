"""Options of JupyterHub's own that swarmhub decides: what says the same in `hosts.toml`."""

NETWORK = "remove it: the hub is reached by its service's name on network.name"
PUBLIC = "use hub.port, hub.base_url and [proxy]"
DATA = "remove it: it is on the hub's volume, [volume]"
UPDATES = "remove it: an update of the hub leaves servers and the proxy as they are"
APART = "remove it: the firewall keeps servers apart, firewall.isolate_servers"
CERTIFICATE = "use certs.certificate and certs.key"

# Of the class JupyterHub. What is a list or a table of ours is no matter: it is kept, whatever an operator sets.
HUB = {
    "base_url": "use hub.base_url",
    "bind_url": PUBLIC,
    "ip": PUBLIC,
    "port": PUBLIC,
    "ssl_key": CERTIFICATE,
    "ssl_cert": CERTIFICATE,
    "hub_bind_url": NETWORK,
    "hub_connect_url": NETWORK,
    "hub_routespec": NETWORK,
    "db_url": "use database.url",
    "db_kwargs": "remove it: options of the driver are in the URL of database.url",
    "cookie_secret": DATA,
    "cookie_secret_file": DATA,
    "cleanup_servers": UPDATES,
    "cleanup_proxy": UPDATES,
    "upgrade_db": UPDATES,
    "internal_ssl": APART,
    "internal_certs_location": APART,
    "subdomain_host": "use hub.subdomains",
    "trusted_downstream_ips": "use proxy.behind",
    "proxy_class": "use proxy.separate",
    "authenticator_class": "use access.provider, which takes a class, too",
}
# One that inherits from swarmhub's is as good.
SPAWNER = "remove it: servers are started by swarmhub's own, whose options are those of SwarmSpawner"
KEPT = ("services", "load_roles", "load_groups", "template_paths", "template_vars")
