"""What can be wrong between hosts, and between them and the world."""
