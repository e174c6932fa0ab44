"""Make a profile's name fit for links and the API."""

import hashlib
import re
import unicodedata


def slug(name: str) -> str:
    """Return the name in small letters, digits and hyphens; letters that ASCII lacks become a hash of the whole name."""
    plain = unicodedata.normalize("NFKD", name)
    words = re.findall(r"[a-z0-9]+", plain.encode("ascii", "ignore").decode().lower())
    if not words or any(letter.isalnum() and not letter.isascii() for letter in plain):
        words.append(hashlib.sha256(name.encode()).hexdigest()[:6])
    return "-".join(words)
