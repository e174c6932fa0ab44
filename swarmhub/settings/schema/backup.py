"""Where backups go, how many are kept, and how often the cluster makes and tries them itself."""

from typing import Self

from pydantic import Field, StrictBool, model_validator

from swarmhub.settings.schema.grammar import Duration, FilePath, Keep, Repository, Table, TimeOfDay, misplaced

# What is shorter would hardly end before the next one.
SHORTEST_SECONDS = 3600
DAY_SECONDS = 86400


class Backup(Table):
    """Where `fab backup` saves to, with restic: encrypted, and what the repository already has is not sent again."""

    repository: Repository | None = Field(
        None,
        description="`sftp:USER@HOST:/PATH`, `s3:https://HOST/BUCKET`, `rest:https://HOST/`, or a folder such as a share that "
        "every host mounts. Its password is the secret `BACKUP_PASSWORD`.",
    )
    homes: StrictBool = Field(True, description="Save people's homes, too.")
    keep: Keep | None = Field(
        None,
        description="Which backups stay, such as `7d 4w 6m`: the last of each of 7 days, 4 weeks and 6 months. "
        "`fab backup` removes the others when it has saved. Default: all stay.",
    )
    every: Duration | None = Field(
        None,
        description="How often the cluster itself makes a backup, such as `1d` or `12h`, with nobody's machine switched on. "
        "Days begin at midnight UTC, unless `at` says otherwise. Default: only `fab backup` makes any.",
    )
    at: TimeOfDay | None = Field(
        None,
        description='The time of day in UTC at which the cluster begins a backup, such as `03:00`; with `every = "12h"`, it '
        "begins one at 15:00, too. Default: midnight.",
    )
    verify: Duration | None = Field(
        None,
        description="How often the cluster tries the newest backup, such as `7d`, as `fab backup-verify` does.",
    )
    ssh_key: FilePath | None = Field(None, description="The private key for `sftp:`, without a password.")
    ssh_known_hosts: FilePath | None = Field(None, description="The `known_hosts` file with the host key of `sftp:`.")
    ca: FilePath | None = Field(None, description="PEM file with the CAs of a private `s3:` or `rest:` server.")

    @property
    def begins(self) -> int:
        """Return the seconds after midnight UTC at which the cluster begins a backup."""
        return self.at or 0

    @model_validator(mode="after")
    def _schedule_fits(self) -> Self:
        if self.every is None:
            needs = {"at": "it says when in the day the schedule begins", "verify": "the schedule does it"}
            for key, why in needs.items():
                if getattr(self, key) is not None:
                    raise misplaced(f"needs backup.every: {why}", key)
            return self
        if not self.repository:
            raise misplaced("needs backup.repository: where backups go", "every")
        if self.every < SHORTEST_SECONDS:
            raise misplaced("is too often: an hour is the shortest time between two backups", "every")
        if self.at is not None and self.every % DAY_SECONDS and DAY_SECONDS % self.every:
            raise misplaced("needs a backup.every of whole days, or one that divides a day, such as 12h", "at")
        return self

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        is_sftp = (self.repository or "").startswith("sftp:")
        for key in ("ssh_key", "ssh_known_hosts"):
            if is_sftp and not getattr(self, key):
                raise misplaced("is missing: a repository by sftp: needs it", key)
            if getattr(self, key) and not is_sftp:
                raise misplaced("is for a repository by sftp: only", key)
        return self
