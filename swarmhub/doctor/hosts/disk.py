"""Free disk where the engine keeps images, against the images still to come."""

from collections.abc import Mapping

from swarmhub.doctor.finding import Finding, failure, ok, warning

CHECK = "disk"
GB = 1_000_000_000
FAILS, WARNS = 1 * GB, 5 * GB


def judge(free: Mapping[str, Mapping[str, int]], coming: Mapping[str, int | None]) -> list[Finding]:
    """Judge the free bytes by host and folder; `coming` are the bytes of notebook images to come, None where unknown."""
    return [_of(host, folder, left, coming.get(host)) for host, folders in free.items() for folder, left in folders.items()]


def _of(host: str, folder: str, left: int, coming: int | None) -> Finding:
    text = f"{left / GB:.1f} GB free in {folder}"
    if coming is None:
        text += " (no node has the notebook images yet to tell their size)"
    elif coming:
        text += f", and notebook images of up to {coming / GB:.1f} GB are still to come"
    remedy = "Free some there (fab prune; docker system df), or give it a larger disk"
    rest = left - (coming or 0)
    if rest < FAILS:
        return failure(CHECK, host, text, remedy)
    if rest < WARNS:
        return warning(CHECK, host, text, remedy)
    return ok(CHECK, host, text)
