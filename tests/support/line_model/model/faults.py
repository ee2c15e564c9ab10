"""Faults of Redis."""

from tests.support.line_model.model.places import Places


class Faults(Places):
    """A flush. A single lost place is `remove_place`."""

    def flush_redis(self) -> None:
        for member in self.members:
            self.put(member, "")
            member.is_present, member.keeps_long, member.note = False, False, None
        self.inbox.clear()
        self.claims.clear()
        self.watch, self.flush, self.newest = "", "unseen", None
