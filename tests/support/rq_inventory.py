"""The inventory of the contract with RQ: each name of RQ's and django-rq's that is overridden or relied upon, and why.

To add a name, add its entry, and name the tests that show what RQ does with it. Bare names are in tests/unit/rq and
tests/processes/test_rq_worker.py; the others are in the module before the last dot. tests/unit/rq/test_inventory.py
checks that no entry is missing and none is stale. Kinds and signatures have no entry: mypy compares them with RQ's own
annotations.
"""

from dataclasses import dataclass

from queueing.line.jobs import LineJob
from queueing.line.queue import LineQueue
from queueing.work.books import BookkeepingWorker
from queueing.work.forking import HorseWorker
from queueing.work.outage import PatientWorker
from queueing.work.ready import ReadyWorker
from queueing.work.worker import PresenceWorker

# What requirements.in allows, and what every entry below was written for.
WRITTEN_FOR = {"rq": ">=3.0,<3.1", "django-rq": ">=4.2,<5"}

WORKERS = (PatientWorker, BookkeepingWorker, ReadyWorker, HorseWorker, PresenceWorker)

# Attributes of RQ's objects that our classes write, as RQ does: the pid of a horse that was not forked for its job; and
# the state, which is known here before Redis hears of it.
WRITTEN_TOO = {"_horse_pid", "_state"}


@dataclass(frozen=True)
class Override:
    """A name of RQ's that a class of ours replaces."""

    name: str
    why: str  # what is lost when RQ does not call it any more, or calls it otherwise
    shown_by: str  # the tests of what RQ does with it
    where: str = ""  # for a worker's method: the processes in which RQ calls it


OVERRIDES: dict[type, list[Override]] = {
    LineJob: [
        Override(
            "restore",
            "a hash names no function that is called but the job's own, and no address",
            "test_data_is_read_compressed_and_plain test_a_hash_names_nothing_that_is_called "
            "processes.test_writers_of_redis.test_an_abandoned_job_in_a_registry_calls_nothing",
        ),
    ],
    LineQueue: [
        Override(
            "__init__",
            "every job is JSON, and the queue has its Line",
            "unit.line.test_queue.test_jobs_are_json_whatever_the_caller_asks_for "
            "test_django_rq_builds_our_classes_by_setting",
        ),
        Override(
            "dequeue_any",
            "only present entries are handed out",
            "test_a_worker_asks_our_queue_class_for_its_next_job "
            "unit.line.test_queue.test_an_idle_worker_gives_up_after_its_timeout",
        ),
        Override(
            "count",
            "the length of a queue never counts absent entries",
            "test_rqs_calls_on_a_queue_reach_our_overrides",
        ),
        Override(
            "get_job_ids",
            "the line is a sorted set, not RQ's list",
            "test_rqs_calls_on_a_queue_reach_our_overrides",
        ),
        Override(
            "get_job_position",
            "the line is a sorted set, not RQ's list",
            "unit.line.test_queue.test_positions_and_removal",
        ),
        Override(
            "fetch_job",
            "a missing job hash must not cost the place",
            "test_rqs_calls_on_a_queue_reach_our_overrides test_stock_rq_takes_the_place_of_an_id_without_a_job "
            "unit.line.test_queue.test_fetching_a_job_never_costs_a_place",
        ),
        Override(
            "remove",
            "a removed entry leaves no presence, place, or job",
            "unit.line.test_queue.test_positions_and_removal",
        ),
        Override(
            "push_job_id",
            "an idle worker is woken when RQ enqueues through a LineQueue",
            "test_rqs_calls_on_a_queue_reach_our_overrides",
        ),
        Override(
            "empty",
            "rows end before their places go",
            "unit.line.test_queue.test_emptying_ends_the_rows_so_that_nothing_comes_back",
        ),
        Override("delete", "all keys of a line go", "unit.line.test_queue.test_deleting_the_queue_leaves_no_key"),
        Override(
            "move_dependents_to_ready",
            "no job waits for an entry",
            "processes.test_writers_of_redis.test_nothing_waits_for_an_entry "
            "processes.test_worker.test_stock_rq_on_our_lines_dependents_schedules_and_repeats",
        ),
        Override(
            "compact",
            "an id without a job is no dead id",
            "test_stock_rq_takes_the_place_of_an_id_without_a_job",
        ),
    ],
    PatientWorker: [
        Override(
            "__init__",
            "a worker knows of an outage",
            "test_django_rq_builds_our_classes_by_setting",
        ),
        Override(
            "bootstrap",
            "a worker that is started in an outage waits",
            "test_rq_calls_it processes.test_redis_outages.test_a_worker_that_is_started_in_an_outage_waits",
            where="worker",
        ),
        Override(
            "check_for_suspension",
            "an outage does not end a worker or its suspension",
            "test_rq_calls_it test_a_suspended_worker_stays_suspended_through_an_outage",
            where="worker",
        ),
        Override(
            "dequeue_job_and_maintain_ttl",
            "an outage does not end a worker without work",
            "test_rq_calls_it test_a_worker_asks_our_queue_class_for_its_next_job "
            "processes.test_redis_outages.test_an_idle_worker_waits_and_goes_on",
            where="worker",
        ),
        Override(
            "heartbeat",
            "an outage after a job does not end the worker",
            "test_rq_calls_it "
            "processes.test_redis_outages.test_a_task_runs_to_its_end_with_its_lease_and_the_worker_goes_on",
            where="horse worker",
        ),
        Override(
            "set_state",
            "an outage does not end a worker whose state changes",
            "test_rq_calls_it processes.test_redis_outages.test_an_idle_worker_waits_and_goes_on",
            where="worker",
        ),
        Override(
            "set_shutdown_requested_date",
            "a stop in an outage does not end the running task",
            "processes.test_redis_outages.test_a_stop_in_an_outage_lets_the_task_end_first",
        ),
        Override(
            "run_maintenance_tasks",
            "an outage does not end a worker in its maintenance",
            "test_rq_calls_it processes.test_redis_outages.test_an_idle_worker_waits_and_goes_on",
            where="worker",
        ),
        Override(
            "execute_job",
            "an outage between claim and fork does not end the worker",
            "test_rq_calls_it processes.test_redis_outages.test_an_outage_between_claim_and_start_costs_no_attempt",
            where="worker",
        ),
        Override(
            "monitor_work_horse",
            "an outage at the end of a horse does not end the worker",
            "test_rq_calls_it "
            "processes.test_redis_outages.test_a_task_runs_to_its_end_with_its_lease_and_the_worker_goes_on",
            where="worker",
        ),
        Override(
            "maintain_heartbeats",
            "an outage does not end a worker whose horse runs",
            "test_rq_calls_it "
            "processes.test_redis_outages.test_a_task_runs_to_its_end_with_its_lease_and_the_worker_goes_on",
            where="worker",
        ),
        Override(
            "teardown",
            "a worker that is stopped in an outage ends well",
            "test_rq_calls_it processes.test_redis_outages.test_an_idle_worker_can_be_stopped_in_an_outage",
            where="worker",
        ),
        Override(
            "handle_payload",
            "a command that cannot be read does not end the thread that hears RQ's commands",
            "processes.test_writers_of_redis.test_commands_of_no_sense_do_not_make_a_worker_deaf",
        ),
        Override(
            "_pubsub_exception_handler",
            "an outage does not end the thread that hears RQ's commands",
            "processes.test_redis_outages.test_a_worker_hears_rqs_commands_after_an_outage",
        ),
    ],
    BookkeepingWorker: [
        Override("__init__", "a worker knows the books that it has not written", "test_rq_calls_it", where="worker"),
        Override(
            "prepare_execution",
            "a horse does not wait for RQ's books",
            "test_rq_calls_it processes.test_standby.test_rqs_books_are_right_while_a_task_runs_and_after_it",
            where="worker",
        ),
        Override(
            "prepare_job_execution",
            "the worker writes it for the horse of an entry",
            "test_rq_calls_it processes.test_standby.test_rqs_books_are_right_while_a_task_runs_and_after_it",
            where="horse",
        ),
        Override(
            "handle_execution_ended",
            "the worker writes it for the horse of an entry",
            "test_rq_calls_it processes.test_standby.test_rqs_books_are_right_while_a_task_runs_and_after_it",
            where="horse",
        ),
        Override(
            "handle_job_success",
            "the horse of an entry says that it is over, and the worker writes it",
            "test_rq_calls_it processes.test_standby.test_rqs_books_are_right_while_a_task_runs_and_after_it",
            where="horse",
        ),
        Override(
            "handle_job_failure",
            "the horse of an entry whose runner fails says why, and the worker writes it",
            "test_rq_calls_it processes.test_standby.test_a_runner_that_fails_is_in_rqs_registry_of_failures",
            where="horse worker",
        ),
    ],
    ReadyWorker: [
        Override(
            "__init__",
            "a worker knows its standby",
            "processes.test_standby.test_an_entry_runs_in_the_process_that_stood_by_and_each_has_its_own",
            where="worker",
        ),
        Override(
            "bootstrap",
            "warm modules, queries and caches are made once, before the first fork",
            "test_rq_calls_it",
            where="worker",
        ),
    ],
    HorseWorker: [
        Override(
            "__init__",
            "a worker knows its horse, and its own pid",
            "test_rq_calls_it",
            where="worker",
        ),
        Override(
            "check_for_suspension",
            "a task that has just ended is followed by the next without a further question to Redis",
            "test_rq_calls_it processes.test_standby.test_a_worker_that_is_suspended_while_a_task_runs_starts_no_other",
            where="worker",
        ),
        Override(
            "setup_work_horse_signals",
            "a horse ends with its parent",
            "test_rq_calls_it test_a_horse_is_set_up_before_its_job_starts "
            "processes.test_worker.test_a_killed_worker_takes_its_horse_along_and_the_entry_runs_again_then_fails",
            where="horse",
        ),
        Override(
            "kill_horse",
            "a worker without a horse must not kill its own process group",
            "test_rq_calls_it test_without_a_horse_rq_kills_its_own_process_group",
            where="worker",
        ),
        Override(
            "main_work_horse",
            "a horse has one connection for RQ and the runner, its limits, and its temporary folder",
            "test_rq_calls_it test_a_horse_is_set_up_before_its_job_starts",
            where="horse",
        ),
        Override(
            "wait_for_horse",
            "the row of a horse that ended well is not read again, the wait is broken off to renew a lease, and the "
            "worker kills a horse that is over its time or a limit",
            "test_rq_calls_it test_a_horse_that_ends_is_told_with_its_status "
            "test_rq_looks_after_a_running_job_at_each_interval",
            where="worker",
        ),
        Override(
            "run_maintenance_tasks",
            "the temporary folders of workers that were killed are deleted",
            "test_rq_calls_it processes.test_limits.test_the_folder_of_a_killed_worker_is_deleted_by_another_one",
            where="worker",
        ),
        Override(
            "fork_work_horse",
            "a standby gets the job of an entry without a fork",
            "test_rq_calls_it test_a_job_goes_its_way_in_the_worker "
            "processes.test_standby.test_an_entry_runs_in_the_process_that_stood_by_and_each_has_its_own",
            where="worker",
        ),
        Override(
            "maintain_heartbeats",
            "dead children of a task leave the process table",
            "test_rq_calls_it processes.test_deaths.test_many_dead_children_of_a_task_do_not_hold_up_the_worker",
            where="worker",
        ),
        Override(
            "monitor_work_horse",
            "the next horse gets ready, and nothing is left of this one",
            "test_rq_calls_it processes.test_deaths.test_what_a_task_leaves_running_ends_with_it",
            where="worker",
        ),
        Override(
            "teardown",
            "the standby ends with its worker",
            "test_rq_calls_it processes.test_standby.test_a_standby_ends_with_its_worker_however_it_ends",
            where="worker",
        ),
    ],
    PresenceWorker: [
        Override(
            "handle_payload",
            "a worker hears our two commands, quiet and resume, in RQ's channel",
            "processes.test_quiet.test_a_quiet_worker_takes_no_more_until_it_is_told_to_go_on",
        ),
        Override(
            "__init__",
            "a worker serves LineQueues, in JSON, and renews a lease three times in its life",
            "test_django_rq_builds_our_classes_by_setting test_a_pool_hands_over_plain_queues_and_pickle "
            "test_rq_finds_a_worker_by_its_key",
            where="worker",
        ),
        Override(
            "queue_class",
            "rqworker-pool names no queue class",
            "test_a_worker_asks_our_queue_class_for_its_next_job test_a_pool_hands_over_plain_queues_and_pickle",
        ),
        Override(
            "dequeue_timeout",
            "an idle worker gives a sign of life each 15 s",
            "test_rq_calls_it test_rqs_own_timeouts_of_a_worker_are_too_long",
            where="worker",
        ),
        Override(
            "connection_timeout",
            "a Redis that hangs is noticed",
            "test_rqs_own_timeouts_of_a_worker_are_too_long",
        ),
        Override(
            "register_birth",
            "a worker counts from its birth on",
            "test_a_worker_is_counted_from_its_birth_to_its_death",
            where="worker",
        ),
        Override(
            "heartbeat",
            "a worker is counted again after a flush",
            "test_rq_calls_it test_rq_does_not_register_a_worker_again_after_a_flush "
            "processes.test_worker.test_a_worker_is_counted_again_after_a_flush",
            where="horse worker",
        ),
        Override(
            "execute_job",
            "only allowed functions are run",
            "test_rq_calls_it processes.test_worker.test_a_function_that_is_not_allowed_is_refused",
            where="worker",
        ),
        Override(
            "prepare_execution",
            "the claim of a foreign job ends when RQ's registries look after it",
            "test_rq_calls_it processes.test_worker.test_stock_rq_on_our_lines_dependents_schedules_and_repeats",
            where="worker",
        ),
        Override(
            "maintain_heartbeats",
            "leases are renewed, and a Redis that is away does not end the worker",
            "test_rq_calls_it test_rq_looks_after_a_running_job_at_each_interval "
            "test_a_redis_that_is_away_ends_rqs_worker_and_not_ours test_heartbeats_write_a_lost_worker_anew "
            "processes.test_worker.test_a_task_that_outlives_many_leases_runs_once",
            where="worker",
        ),
        Override(
            "monitor_work_horse",
            "the row of an ended horse is settled at once",
            "test_rq_calls_it "
            "processes.test_worker.test_a_horse_that_dies_is_noticed_at_once_and_the_place_is_the_old_one",
            where="worker",
        ),
        Override(
            "_handle_stopped_job",
            "RQ's stop command ends the row",
            "test_rq_calls_it processes.test_worker.test_rqs_stop_command_ends_the_entry",
            where="worker",
        ),
        Override(
            "teardown",
            "a worker that stops gives its claim back",
            "test_rq_calls_it test_a_worker_that_stops_gives_its_claim_back",
            where="worker",
        ),
    ],
}


@dataclass(frozen=True)
class Reliance:
    """A name of RQ's that the code calls, or that calls the code, without being overridden."""

    path: str
    why: str
    shown_by: str


RELIED_UPON = [
    Reliance(
        "rq.executions.Execution.create",
        "BookkeepingWorker.prepare_execution makes RQ's record of a run with it, and sends it later",
        "processes.test_standby.test_rqs_books_are_right_while_a_task_runs_and_after_it",
    ),
    Reliance(
        "rq.job.Job.prepare_for_execution",
        "BookkeepingWorker.write_start writes with it that a job is started",
        "processes.test_standby.test_rqs_books_are_right_while_a_task_runs_and_after_it",
    ),
    Reliance(
        "rq.results.Result.get_key",
        "BookkeepingWorker.note_end deletes the failures of earlier attempts with a job that is done",
        "processes.test_standby.test_a_runner_that_fails_is_in_rqs_registry_of_failures",
    ),
    Reliance(
        "rq.registry.StartedJobRegistry",
        "BookkeepingWorker.handle_job_success passes it on",
        "processes.test_standby.test_rqs_books_are_right_while_a_task_runs_and_after_it",
    ),
    Reliance(
        "rq.timeouts.HorseMonitorTimeoutException",
        "HorseWorker.wait_for_horse raises it as RQ's alarm does, so that RQ calls maintain_heartbeats",
        "test_rq_looks_after_a_running_job_at_each_interval "
        "processes.test_standby.test_a_start_that_takes_long_is_told_when_it_comes",
    ),
    Reliance(
        "rq.command.send_command",
        "commands.send tells a worker with it: RQ's shutdown, and two commands of ours",
        "processes.test_quiet.test_a_worker_that_is_told_to_stop_finishes_its_task_and_ends",
    ),
    Reliance(
        "rq.command.handle_shutdown_command",
        "the command shutdown is RQ's own",
        "processes.test_quiet.test_a_worker_that_is_told_to_stop_finishes_its_task_and_ends",
    ),
    Reliance(
        "rq.worker.base.WorkerStatus",
        "PatientWorker says with it that it waits for work",
        "test_a_worker_is_counted_from_its_birth_to_its_death",
    ),
    Reliance(
        "rq.job.Job.create",
        "jobs.job_fields stores the hash of such a job for each entry",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.job.Job.to_dict",
        "jobs.job_fields stores its fields, without the empty ones",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.job.Job.fetch",
        "jobs._parse reads a hash as it does",
        "test_a_job_that_cannot_be_fetched_says_so test_data_is_read_compressed_and_plain",
    ),
    Reliance(
        "rq.job.Job.key_for",
        "jobs.job_key names the hash that Line.remove deletes",
        "test_rqs_keys_are_where_ours_point",
    ),
    Reliance("rq.job.Job.perform", "it runs the job's function", "test_the_function_of_a_job_can_ask_for_its_job"),
    Reliance(
        "rq.job.get_current_job",
        "jobs.current_job: the runner has no argument and asks for its job",
        "test_the_function_of_a_job_can_ask_for_its_job",
    ),
    Reliance(
        "rq.job.Job.restore",
        "entries that wait were saved by this code or by an older one",
        "test_data_is_read_compressed_and_plain",
    ),
    Reliance(
        "rq.job.JobStatus",
        "jobs.job_fields makes jobs that are queued",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.queue.Queue",
        "LineQueue passes its arguments on to it",
        "test_django_rq_builds_our_classes_by_setting",
    ),
    Reliance(
        "rq.queue.Queue.DEFAULT_TIMEOUT",
        "jobs.job_fields and lease.timeout_of take it when no task says otherwise",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.queue.Queue.enqueue_job",
        "everything that RQ enqueues goes through it",
        "test_rqs_calls_on_a_queue_reach_our_overrides",
    ),
    Reliance(
        "rq.exceptions.DequeueTimeout",
        "LineQueue.dequeue_any says with it that nobody came",
        "test_a_worker_asks_our_queue_class_for_its_next_job",
    ),
    Reliance(
        "rq.defaults",
        "RQ_KEY_PREFIX is the prefix of RQ's keys in the scripts and in keys.line_keys",
        "unit.test_conf.test_another_prefix_of_rqs_keys_is_refused test_rqs_keys_are_where_ours_point",
    ),
    Reliance(
        "rq.exceptions.NoSuchJobError",
        "a missing hash is an answer, not an error",
        "test_a_job_that_cannot_be_fetched_says_so",
    ),
    Reliance(
        "rq.exceptions.DeserializationError",
        "a hash that cannot be read is an answer, not an error",
        "test_a_job_that_cannot_be_fetched_says_so",
    ),
    Reliance(
        "rq.serializers.JSONSerializer",
        "no job is ever unpickled",
        "test_data_is_read_compressed_and_plain processes.test_worker.test_a_pickled_job_is_never_unpickled",
    ),
    Reliance(
        "rq.timeouts.JobTimeoutException",
        "jobs.TaskTimeout: the runner tells the visitor that the task took too long",
        "test_a_timeout_is_an_exception_like_others processes.test_worker.test_a_task_that_runs_for_too_long_is_failed",
    ),
    Reliance(
        "rq.executions.Execution",
        "PresenceWorker passes it on",
        "test_heartbeats_write_a_lost_worker_anew",
    ),
    Reliance(
        "rq.worker_registration.get_keys",
        "workers.live_workers counts the workers of a line",
        "test_a_worker_is_counted_from_its_birth_to_its_death",
    ),
    Reliance(
        "rq.suspension.is_suspended",
        "workers.are_suspended: no wait is promised while the workers take nothing",
        "test_suspended_workers_are_known",
    ),
    Reliance(
        "rq.worker_registration.register",
        "PresenceWorker.heartbeat puts itself on the list again",
        "test_rq_does_not_register_a_worker_again_after_a_flush",
    ),
    Reliance(
        "rq.job.JOB_ID_PATTERN",
        "jobs.is_job_id: RQ makes no job of any other id",
        "processes.test_writers_of_redis.test_ids_of_no_sense_are_passed_over",
    ),
    Reliance(
        "rq.utils.decode_redis_hash",
        "LineJob.restore leaves fields of a hash out before RQ reads them",
        "test_a_hash_names_nothing_that_is_called",
    ),
    Reliance(
        "rq.exceptions.StopRequested",
        "PatientWorker lets it pass where it survives every other error",
        "test_a_stop_waits_for_a_busy_worker_only",
    ),
    Reliance(
        "rq.utils.now",
        "jobs.job_fields notes when a job was made",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.utils.utcformat",
        "jobs.job_fields notes when a job was made",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.worker.RoundRobinWorker.reorder_queues",
        "no line starves beside a busy one",
        "test_a_worker_serves_its_lines_in_turn test_a_worker_turns_its_queues_after_a_job",
    ),
    Reliance(
        "rq.worker.Worker.register_birth",
        "PresenceWorker.register_birth adds a heartbeat to it",
        "test_a_worker_is_counted_from_its_birth_to_its_death",
    ),
    Reliance(
        "rq.worker.Worker.register_death",
        "workers.live_workers reads what it writes",
        "test_a_worker_is_counted_from_its_birth_to_its_death",
    ),
    Reliance(
        "rq.worker.Worker.find_by_key",
        "it makes a PresenceWorker from a key",
        "test_rq_finds_a_worker_by_its_key",
    ),
    Reliance(
        "rq.worker.Worker.handle_job_success",
        "the job of an entry is deleted when it is done",
        "test_a_job_that_is_done_leaves_no_hash",
    ),
    Reliance(
        "rq.worker.Worker.handle_job_failure",
        "PresenceWorker._refuse fails a job that is not allowed, in the form of jobs.refused_job",
        "processes.test_worker.test_a_function_that_is_not_allowed_is_refused "
        "test_a_job_that_raised_is_in_the_failed_registry",
    ),
    Reliance(
        "rq.worker.Worker.fork_work_horse",
        "the runner reads RQ_WORKER_ID in the horse",
        "test_a_horse_knows_its_worker_and_job",
    ),
    Reliance(
        "rq.worker.Worker.perform_job",
        "it prepares and performs the job in the horse",
        "test_a_horse_is_set_up_before_its_job_starts",
    ),
    Reliance(
        "rq.worker.Worker.horse_pid",
        "PresenceWorker.kill_horse reads it to know whether there is a horse",
        "test_a_horse_far_beyond_its_timeout_is_killed_by_the_worker",
    ),
    Reliance(
        "rq.worker.Worker._shutdown",
        "SIGTERM stops an idle worker at once, and a busy one after its job",
        "test_a_stop_waits_for_a_busy_worker_only "
        "processes.test_worker.test_a_worker_told_to_stop_finishes_what_it_runs",
    ),
    Reliance(
        "rq.worker.Worker.request_stop",
        "SIGTERM calls it",
        "processes.test_worker.test_a_worker_told_to_stop_finishes_what_it_runs",
    ),
    Reliance(
        "django_rq.queues.DjangoRQ",
        'queue.get_queue passes commit_mode="auto"',
        "test_our_queue_enqueues_before_the_commit_and_django_rqs_at_it",
    ),
    Reliance(
        "django_rq.workers.get_worker",
        "`manage.py rqworker` builds our worker by setting",
        "test_django_rq_builds_our_classes_by_setting",
    ),
    Reliance(
        "django_rq.management.commands.rqworker.Command.handle",
        "our `rqworker` names every line when none is named",
        "test_django_rqs_commands_are_what_ours_extend "
        "processes.test_worker.test_a_worker_without_a_named_queue_serves_every_line",
    ),
    Reliance(
        "django_rq.management.commands.rqworker-pool.Command.handle",
        "our `rqworker-pool` names every line when none is named",
        "test_django_rqs_commands_are_what_ours_extend "
        "processes.test_worker.test_one_worker_serves_two_lines_and_a_pool_serves_them_too",
    ),
    Reliance(
        "django_rq.management.commands.rqworker-pool.Command.add_arguments",
        "our `rqworker-pool` has another default serializer",
        "test_django_rqs_commands_are_what_ours_extend",
    ),
    Reliance(
        "django_rq.management.commands.rqstats.Command.handle",
        "our `rqstats` says in one sentence that Redis is away",
        "unit.commands.test_rq.test_the_lines_are_rqs_queues",
    ),
    Reliance(
        "django_rq.management.commands.rqenqueue.Command.handle",
        "our `rqenqueue` has another default line, and refuses what no worker would run",
        "unit.commands.test_rq.test_a_job_is_put_into_the_first_line",
    ),
    Reliance(
        "django_rq.management.commands.rqcron.Command.handle",
        "our `rqcron` says in one sentence why it cannot begin",
        "processes.test_commands.test_jobs_of_a_timetable_come_into_their_line",
    ),
    Reliance(
        "rq.scheduler.RQScheduler.work",
        "our `rqscheduler` is RQ's own",
        "processes.test_commands.test_jobs_come_into_their_line_at_their_time",
    ),
    Reliance(
        "rq.suspension.suspend",
        "our `rqsuspend` writes what RQ's workers and the claim look at",
        "test_suspended_workers_are_known",
    ),
    Reliance(
        "rq.worker_pool.run_worker",
        "rqworker-pool makes our worker in it",
        "test_a_pool_hands_over_plain_queues_and_pickle",
    ),
    Reliance(
        "rq.registry.FailedJobRegistry.requeue",
        "a requeue from the dashboard lands in the inbox",
        "unit.line.test_queue.test_a_requeue_from_the_registry_reaches_the_line",
    ),
    Reliance(
        "rq.scripts.save_unique_job",
        "a unique enqueue lands in the inbox",
        "unit.line.test_queue.test_a_unique_enqueue_reaches_the_line",
    ),
    Reliance(
        "rq.queue.Queue.enqueue_dependents",
        "a dependent lands in the inbox",
        "test_dependents_and_schedules_land_in_the_inbox "
        "processes.test_worker.test_stock_rq_on_our_lines_dependents_schedules_and_repeats",
    ),
    Reliance(
        "rq.scheduler.RQScheduler.enqueue_scheduled_jobs",
        "a scheduled job lands in the inbox",
        "test_dependents_and_schedules_land_in_the_inbox "
        "processes.test_worker.test_stock_rq_on_our_lines_dependents_schedules_and_repeats",
    ),
    Reliance(
        "rq.command.send_stop_job_command",
        "a site's own code may stop an entry with it",
        "processes.test_worker.test_rqs_stop_command_ends_the_entry",
    ),
]
