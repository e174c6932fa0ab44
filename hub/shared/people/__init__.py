"""Who may log in, what users are called, and the UIDs that their servers run with."""
