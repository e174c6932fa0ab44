"""How `fab` and `invoke` run the tasks: chosen in `fabric.yaml` and `invoke.yaml`."""

import gc
import signal
from typing import Any

from invoke.executor import Executor as _InvokeExecutor

from swarmhub.run import task
from swarmhub.ssh.executor import HostExecutor

InvokeExecutor: Any = _InvokeExecutor  # its configuration is typed as a table of strings


class Remembering(InvokeExecutor):  # type: ignore[misc]
    """Tell the run what was typed, and when it is over, however it ends."""

    _typed: list[str] = []  # noqa: RUF012 - one executor, one command line

    def normalize(self, tasks: Any) -> Any:
        """Return what was typed as calls."""
        calls = super().normalize(tasks)
        self._typed = [self.collection.transform(call.called_as or call.task.name) for call in calls]
        self.config["swarmhub_tasks"] = self._typed
        for flag in ("yes", "details", "verbose"):
            self.config[f"swarmhub_{flag}"] = any(call.kwargs.get(flag) for call in calls)
        self.config["swarmhub_bundle"] = next((one for call in calls if (one := call.kwargs.get("bundle"))), "")
        self.config["swarmhub_without"] = [host for call in calls for host in call.kwargs.get("without") or []]
        return calls

    def execute(self, *tasks: Any) -> Any:
        """Run what was typed; a cancelled job or a closed terminal ends it as Ctrl-C does."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # under nohup a closed terminal is no end
                signal.signal(number, signal.default_int_handler)
        try:
            results = super().execute(*tasks)
        except BaseException as error:
            task.finish(error)
            if isinstance(error, KeyboardInterrupt):  # between two steps: Invoke itself would end with 1, and say nothing
                raise task.interrupted(", ".join(self._typed) or "command") from None
            raise
        task.finish(None)
        # Before it ends, the interpreter would look for garbage in all that a run has made: a tenth of a short run.
        gc.freeze()
        return results


class Executor(Remembering, HostExecutor):
    """The same for `fab`, with what -H means here."""
