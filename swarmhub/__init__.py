"""Deploy and run JupyterHub on Docker Swarm over SSH."""
