"""Start people's servers as services of the swarm, and follow them."""
