"""Who may log in, what users are called, and as whom their servers run."""
