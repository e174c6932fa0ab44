"""JupyterHub's configuration, from the settings that the hub is handed."""
