"""What would change, and the one way to change it: pure values, how two specs differ, and the command a person would type."""
