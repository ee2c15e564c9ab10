"""A worker that is allowed to run a foreign job, too."""

from queueing.work.worker import PresenceWorker


class ForeignWorker(PresenceWorker):
    allowed_functions = PresenceWorker.allowed_functions | {"tests.support.foreign.note"}
