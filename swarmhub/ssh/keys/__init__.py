"""The keys on both sides: which a host is offered, and which of a host are trusted."""
