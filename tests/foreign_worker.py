"""A worker that may run one function more than the runner."""

from queueing.worker import PresenceWorker


class ForeignWorker(PresenceWorker):
    allowed_functions = PresenceWorker.allowed_functions | {"tests.foreign.note"}
