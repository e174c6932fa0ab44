"""One run of a task: its settings, hosts and connections, what it has seen, and what it says."""
