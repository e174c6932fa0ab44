"""Stand between the hub and the Docker Engine: what the hub does not need is refused."""
