"""Who may use the running hub, and their servers, through the hub's own API."""
