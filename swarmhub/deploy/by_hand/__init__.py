"""A hub that somebody has made by hand, and what a deploy makes of it."""
