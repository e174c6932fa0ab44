"""The namespace that `fab` lists and runs."""

from tasks import ns

__all__ = ["ns"]
