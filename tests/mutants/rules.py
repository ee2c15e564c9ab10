"""The rules that `make mutants` breaks, one at a time: where each is written, how it is broken, and what finds it."""

from typing import NamedTuple


class Mutant(NamedTuple):
    rule: str
    path: str
    old: str  # is in the file exactly once
    new: str
    test: str  # below tests/; it fails when the rule is broken
    soak: str = ""  # the faults of a soak that finds it, too; "": it is not asked


LUA = "queueing/line/lua"
PLACES, MOVES, ROUND = "unit/line/test_places.py", "unit/line/test_moves.py", "unit/keeper/test_round.py"
RECONCILE = "unit/keeper/test_reconcile.py"

MUTANTS = [
    Mutant(
        "fence: a row moves only for the attempt that holds it",
        "queueing/models/entry.py",
        "filter(pk=self.pk, status=status, attempt=self.attempt)",
        "filter(pk=self.pk, status=status)",
        "unit/test_models.py::test_a_late_attempt_can_write_nothing",
        "stop a worker and its horse",
    ),
    Mutant(
        "compare and swap: a row moves only from the status that was read",
        "queueing/models/entry.py",
        "filter(pk=self.pk, status=status, attempt=self.attempt)",
        "filter(pk=self.pk, attempt=self.attempt)",
        "unit/work/test_lease.py::test_a_row_that_ends_between_look_and_renewal_is_no_other_workers",
    ),
    Mutant(
        "a lease that was renewed meanwhile is not taken",
        "queueing/models/entry.py",
        "rows = self._unmoved(origin).lease_over() if overdue else self._unmoved(origin)",
        "rows = self._unmoved(origin)",
        "unit/test_ending.py::test_a_lease_renewed_in_the_last_moment_is_not_taken",
    ),
    Mutant(
        "last look: no start for a visitor who left after the claim",
        "queueing/work/runner.py",
        "start_first_attempt(job_id, worker) if is_there else None",
        "start_first_attempt(job_id, worker)",
        "unit/work/test_runner.py::test_an_entry_whose_visitor_left_between_claim_and_start_is_never_run",
    ),
    Mutant(
        "a start that took long is looked at again",
        "queueing/work/runner.py",
        "if time.monotonic() - began <= SLOW_START or _is_wanted(entry, starts=entry.attempt - 1):",
        "if True:",
        "unit/work/test_starts.py::test_a_visitor_who_leaves_during_a_slow_start_gets_no_work",
    ),
    Mutant(
        "presence: a claim passes the absent",
        f"{LUA}/claim.lua",
        "while passed < #ids and not present[passed + 1] do",
        "while false do",
        f"{PLACES}::test_an_absent_head_is_passed_and_keeps_its_place",
    ),
    Mutant(
        "presence: a goodbye ends it",
        f"{LUA}/close.lua",
        "redis.call('DEL', PRESENCE .. id)",
        "redis.call('EXISTS', PRESENCE .. id)",
        "unit/work/test_runner.py::test_an_entry_whose_visitor_left_between_claim_and_start_is_never_run",
    ),
    Mutant(
        "lost reply: a worker that asks again gets its claim again",
        f"{LUA}/claim.lua",
        "if mine and id_of(mine) ~= '' then",
        "if false then",
        f"{PLACES}::test_a_claim_whose_reply_was_lost_is_given_again",
    ),
    Mutant(
        "epoch: nothing is claimed before the places are back",
        f"{LUA}/claim.lua",
        "if state == 0 and ARGV[4] == '1' then",
        "if false then",
        "unit/line/test_epoch.py::test_a_claim_without_an_epoch_changes_nothing",
    ),
    Mutant(
        "ownership of claims: a release spares a later claim",
        f"{LUA}/release.lua",
        "if not claim or id_of(claim) ~= id then",
        "if not claim then",
        f"{PLACES}::test_a_late_release_spares_a_later_claim_of_the_same_worker",
    ),
    Mutant(
        "order: a claim that was not started goes back to its own place",
        f"{LUA}/release.lua",
        "redis.call('ZADD', line, score, id)",
        "redis.call('ZADD', line, score + 1000, id)",
        f"{PLACES}::test_a_released_claim_goes_back_to_its_place",
    ),
    Mutant(
        "blind: nobody is dropped while nobody watches",
        f"{LUA}/drop.lua",
        "if not since or now - since < tonumber(ARGV[1]) then",
        "if false then",
        f"{ROUND}::test_nobody_is_dropped_while_the_web_tier_is_away_or_young",
        "web processes are cut off",
    ),
    Mutant(
        "blind: a deadline since the last beat does not count yet",
        f"{LUA}/drop.lua",
        "ARGV[3] == '0' and now or beaten",
        "now",
        f"{MOVES}::test_a_deadline_that_passed_since_the_last_beat_of_the_web_processes_does_not_count_yet",
    ),
    Mutant(
        "blind: nobody is dropped by another server's absences",
        f"{LUA}/drop.lua",
        "if not is_of_this_server(redis.call('GET', epoch)) then",
        "if false then",
        f"{RECONCILE}::test_nobody_is_dropped_by_a_server_that_has_taken_over_within_a_round",
    ),
    Mutant(
        "a visitor who is back in the last moment is not dropped",
        f"{LUA}/drop.lua",
        "elseif present[i] then",
        "elseif false then",
        f"{ROUND}::test_a_visitor_who_came_back_in_the_last_moment_is_not_dropped",
    ),
    Mutant(
        "hold: the absent step out of the line",
        f"{LUA}/hold.lua",
        "  if not present[i] then",
        "  if false then",
        f"{ROUND}::test_a_round_holds_absent_entries_and_leaves_a_sign_of_life",
    ),
    Mutant(
        "a claim that was not started goes back after a lease",
        "queueing/keeper/round.py",
        "if claim.seconds < conf.LEASE:",
        "if True:",
        f"{ROUND}::test_a_claim_that_was_not_started_goes_back_to_its_place",
        "kill a worker",
    ),
    Mutant(
        "a Redis that is away keeps the lines of another one from nothing",
        "queueing/keeper/reachable.py",
        "        except RedisError as error:",
        "        except ZeroDivisionError as error:",
        "unit/line/test_servers.py::test_the_keeper_goes_on_with_the_lines_of_another_redis",
    ),
    Mutant(
        "an entry whose worker died comes back",
        "queueing/keeper/round.py",
        "return ending.settle_orphans(until=time.monotonic() + SETTLE_BUDGET, without=away)",
        "return 0",
        f"{ROUND}::test_a_lease_that_ran_out_brings_the_entry_back_once_and_then_fails_it",
        "kill a worker",
    ),
    Mutant(
        "lease: a worker renews it",
        "queueing/work/lease.py",
        "elif not entry.renew_lease():",
        "elif False:",
        "processes/test_worker.py::test_a_task_that_outlives_many_leases_runs_once",
    ),
    Mutant(
        "flush: a row that waits gets its place back",
        "queueing/keeper/reconcile.py",
        "return restore(line, again), remove_ghosts",
        "return 0, remove_ghosts",
        f"{RECONCILE}::test_a_flush_loses_nobody_and_no_order",
        "Valkey is back empty",
    ),
    Mutant(
        "flush: places come back in the old order",
        "queueing/keeper/reconcile.py",
        "Ranked(entry.job_id, entry.score) for entry in seen",
        "Ranked(entry.job_id, -entry.score) for entry in seen",
        f"{RECONCILE}::test_a_flush_loses_nobody_and_no_order",
    ),
    Mutant(
        "kill guard: a worker does not kill its own group",
        "queueing/work/forking.py",
        "if self.horse_pid and horse.has_own_group(self.horse_pid):",
        "if self.horse_pid:",
        "processes/test_deaths.py::test_a_worker_does_not_kill_its_own_process_group",
    ),
    Mutant(
        "a horse ends with its worker",
        "queueing/sandbox.py",
        "LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)",
        "LIBC.prctl(PR_SET_PDEATHSIG, 0)",
        "processes/test_deaths.py::test_the_horse_of_a_killed_worker_ends_before_anybody_takes_its_entry",
    ),
    Mutant(
        "ownership of entries: a page is for the browser that joined",
        "queueing/web/visitor.py",
        "return name is not None and entry.visitor == name",
        "return name is not None",
        "security/test_access.py::test_each_client_gets_what_the_matrix_says[entry/<uuid:code>/status.json]",
    ),
    Mutant(
        "a new browser gets the entry of a form that it was shown, and of no other",
        "queueing/forms.py",
        'return self.once is None and is_signed(self.data.get("code") or "")',
        "return True",
        "unit/web/test_views.py::test_an_entry_is_never_that_of_a_new_browser_by_less_than_its_form",
    ),
    Mutant(
        "purge: a key without a row goes",
        "queueing/keeper/purge.py",
        "stale = _without_live_row(client, job_ids)",
        "stale: list[str] = []",
        "unit/commands/test_purge_stale.py::test_stale_entries_keys_and_folders_go_and_nothing_else",
        "Valkey is back as it was before",
    ),
]
