"""The keeper's round."""

from collections import Counter

from tests.support.line_model.model.workers import Workers


class Keeper(Workers):
    """Hold, drop, recover, restore, purge."""

    def round(self) -> Counter[str]:
        """One round; returns the number of members that each step moves."""
        counts: Counter[str] = Counter()
        if not self.flush:
            counts["held"] = self._hold_absent()
            counts["dropped"] = self._drop()
        counts["claims returned"] = self.recover_claims()
        if self.flush == "unseen":
            self.missing = self._without_place()
            self.flush = "pause" if self.missing else "over"
            if self.missing:
                self.newest = max(each.number for each in self.members if each.id in self.missing)
        if self.flush == "over":
            self.missing = self._without_place()
        if self.flush != "pause":
            counts["restored"] = self._restore_lost()
            self._remove_ghosts()
            self.flush = ""
        counts["orphaned"] = self.recover_leases()
        counts["purged"] = self.purge_rows()
        return counts

    def recover_claims(self) -> int:
        returned = 0
        for worker, claim in list(self.claims.items()):
            member = claim.member
            if not claim.is_old:
                continue
            if not member.has_row or member.is_waiting:
                returned += bool(self.release(worker, member, by_row=member.has_row))
            else:
                self.end_claim(worker, member)
        return returned

    def recover_leases(self) -> int:
        orphans = [member for member in self.members if member.is_running and member.lease_is_over]
        for member in orphans:
            self.settle_orphan(member)
        return len(orphans)

    def purge_rows(self) -> int:
        stale = [member for member in self.members if member.is_final and member.is_stale]
        for member in stale:
            member.status = "deleted"
        return len(stale)

    def purge_keys(self) -> None:
        for member in self.members:
            if not member.is_live and not member.is_foreign:
                member.is_present, member.note = False, None

    def _hold_absent(self) -> int:
        absent = [member for member in self.line() if not member.is_present]
        for member in absent:
            self.hold(member, "lost")
        return len(absent)

    def _drop(self) -> int:
        """The number of rows that waited until now. While no web process beats, nobody is dropped."""
        if self.watch != "old":
            return 0
        dropped = 0
        for member in self.absent():
            if member.absence is None or not member.absence.is_over:
                continue
            if member.is_present:
                self.put(member, "line")
                continue
            if member.is_waiting:
                member.status, member.reason = "abandoned", member.absence.why
                dropped += 1
            self.put(member, "")
            member.keeps_long = False
        return dropped

    def _restore_lost(self) -> int:
        """A place that is missing for the first time may still be on its way."""
        before, self.missing = self.missing or set(), self._without_place()
        lost = [each for each in self.members if each.id in self.missing & before]
        for member in lost:
            if member.is_seen or not member.needs_presence:
                self.set_terms(member)
        return len(self.restore(lost))

    def _without_place(self) -> set[str]:
        return {each.id for each in self.members if each.is_waiting and not each.place}

    def _remove_ghosts(self) -> None:
        """The place of a row that is running goes; of one that has ended, all of its keys."""
        for member in [*self.line(), *self.absent(), *(claim.member for claim in self.claims.values())]:
            if member.is_foreign or member.is_waiting:
                continue
            if member.is_running:
                self.remove_place(member)
            else:
                self.clear(member)
