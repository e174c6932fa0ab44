"""People's servers, their homes and the files in them, as the swarm has them."""
