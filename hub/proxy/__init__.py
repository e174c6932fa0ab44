"""The proxy as a service of its own: nginx for TLS, which reloads certificates, before JupyterHub's own proxy."""
