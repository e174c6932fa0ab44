"""Free disk where the engine keeps images, against the image still to come."""

from collections.abc import Mapping

from swarmhub.doctor.finding import Finding, failure, ok, warning

CHECK = "disk"
GB = 1_000_000_000
FAILS, WARNS = 1 * GB, 5 * GB


def judge(free: Mapping[str, Mapping[str, int]], holding: frozenset[str], size: int) -> list[Finding]:
    """Judge the free bytes by host and folder; `size` is that of the notebook image, 0 if no host of `holding` has it."""
    return [
        _of(host, folder, left, host in holding, size) for host, folders in free.items() for folder, left in folders.items()
    ]


def _of(host: str, folder: str, left: int, is_held: bool, size: int) -> Finding:
    coming = 0 if is_held else size
    text = f"{left / GB:.1f} GB free in {folder}"
    if coming:
        text += f", and the notebook image of {coming / GB:.1f} GB is still to come"
    elif not is_held:
        text += " (no node has the notebook image yet to tell its size)"
    remedy = "Free some there (docker system df, docker image prune), or give it a larger disk"
    if left - coming < FAILS:
        return failure(CHECK, host, text, remedy)
    if left - coming < WARNS:
        return warning(CHECK, host, text, remedy)
    return ok(CHECK, host, text)
