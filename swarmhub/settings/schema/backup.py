"""Where backups go, how many are kept, and how often the cluster makes and tries them itself."""

from typing import Self

from pydantic import Field, StrictBool, model_validator

from swarmhub.settings.schema.grammar import Duration, FilePath, Keep, Repository, Table, misplaced

# What is shorter would hardly end before the next one.
SHORTEST_SECONDS = 3600


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
        "Days begin at midnight UTC. Default: only `fab backup` makes any.",
    )
    verify: Duration | None = Field(
        None,
        description="How often the cluster tries the newest backup, such as `7d`, as `fab backup-verify` does.",
    )
    ssh_key: FilePath | None = Field(None, description="The private key for `sftp:`, without a password.")
    ssh_known_hosts: FilePath | None = Field(None, description="The `known_hosts` file with the host key of `sftp:`.")
    ca: FilePath | None = Field(None, description="PEM file with the CAs of a private `s3:` or `rest:` server.")

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        if self.every and not self.repository:
            raise misplaced("needs backup.repository: where backups go", "every")
        if self.every and self.every < SHORTEST_SECONDS:
            raise misplaced("is too often: an hour is the shortest time between two backups", "every")
        if self.verify and not self.every:
            raise misplaced("needs backup.every: the schedule does it", "verify")
        is_sftp = (self.repository or "").startswith("sftp:")
        for key in ("ssh_key", "ssh_known_hosts"):
            if is_sftp and not getattr(self, key):
                raise misplaced("is missing: a repository by sftp: needs it", key)
            if getattr(self, key) and not is_sftp:
                raise misplaced("is for a repository by sftp: only", key)
        return self
