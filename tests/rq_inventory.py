"""The inventory of the contract with RQ: every name of RQ's and django-rq's that is overridden or relied upon.

To add one, add its entry, and name the tests that show what RQ does with it: bare names are in test_rq_contract.py,
the others in the module before the dot. test_rq_contract.py checks that nothing is missing here, and nothing stale.
"""

from dataclasses import dataclass
from types import FunctionType

from queueing.line import LineQueue
from queueing.worker import PresenceWorker

# What requirements.in allows, and what every entry below was written for.
WRITTEN_FOR = {"rq": ">=3.0,<3.1", "django-rq": ">=4.2,<5"}


@dataclass(frozen=True)
class Override:
    """One name of RQ's that a class of ours replaces."""

    name: str
    parameters: str  # as RQ declares them, in order, without self
    why: str  # what is lost when RQ does not call it any more, or calls it otherwise
    shown_by: str  # the tests of what RQ does with it
    kind: type = FunctionType
    where: str = ""  # of a worker's: the processes in which RQ calls it


OVERRIDES: dict[type, list[Override]] = {
    LineQueue: [
        Override(
            "__init__",
            "args kwargs",
            "every line is JSON and knows its keys",
            "test_line.test_jobs_are_json_whatever_the_caller_asks_for test_django_rq_builds_our_classes_by_setting",
        ),
        Override(
            "dequeue_any",
            "queues timeout connection job_class serializer death_penalty_class",
            "only present entries are handed out",
            "test_a_worker_asks_our_queue_class_for_its_next_job "
            "test_line.test_an_idle_worker_gives_up_after_its_timeout",
            kind=classmethod,
        ),
        Override(
            "count",
            "",
            "the length of a line never counts who is absent",
            "test_what_rq_asks_of_a_queue_reaches_our_override",
            kind=property,
        ),
        Override(
            "get_job_ids",
            "offset length",
            "the line is a sorted set, not RQ's list",
            "test_what_rq_asks_of_a_queue_reaches_our_override",
        ),
        Override(
            "get_job_position",
            "job_or_id",
            "the line is a sorted set, not RQ's list",
            "test_line.test_positions_and_removal",
        ),
        Override(
            "fetch_job",
            "job_id",
            "a missing job hash must not cost the place",
            "test_what_rq_asks_of_a_queue_reaches_our_override test_stock_rq_takes_the_place_of_an_id_without_a_job "
            "test_line.test_fetching_a_job_never_costs_a_place",
        ),
        Override(
            "remove",
            "job_or_id pipeline",
            "a removed entry leaves no presence, place, or job",
            "test_line.test_positions_and_removal",
        ),
        Override(
            "push_job_id",
            "job_id pipeline at_front",
            "an idle worker is woken when RQ enqueues through a line",
            "test_what_rq_asks_of_a_queue_reaches_our_override",
        ),
        Override(
            "empty",
            "",
            "rows are ended before their places go",
            "test_line.test_emptying_ends_the_rows_so_that_nothing_comes_back",
        ),
        Override("delete", "delete_jobs", "all keys of a line go", "test_line.test_deleting_the_queue_leaves_no_key"),
        Override(
            "compact",
            "",
            "an id without a job is no dead id",
            "test_stock_rq_takes_the_place_of_an_id_without_a_job",
        ),
    ],
    PresenceWorker: [
        Override(
            "__init__",
            "queues name default_result_ttl connection exception_handlers maintenance_interval default_worker_ttl "
            "worker_ttl job_class queue_class log_job_description job_monitoring_interval "
            "disable_default_exception_handler prepare_for_work serializer work_horse_killed_handler",
            "a worker serves lines, in JSON, and looks after its lease three times in its life",
            "test_django_rq_builds_our_classes_by_setting test_a_pool_hands_over_plain_queues_and_pickle "
            "test_rq_finds_a_worker_by_its_key",
            where="worker",
        ),
        Override(
            "queue_class",
            "",
            "rqworker-pool names no queue class",
            "test_a_worker_asks_our_queue_class_for_its_next_job test_a_pool_hands_over_plain_queues_and_pickle",
            kind=type,
        ),
        Override(
            "dequeue_timeout",
            "",
            "an idle worker gives a sign of life each 15 s",
            "test_rq_calls_it test_rqs_own_timeouts_of_a_worker_are_too_long",
            kind=property,
            where="worker",
        ),
        Override(
            "connection_timeout",
            "",
            "a Redis that hangs is noticed",
            "test_rqs_own_timeouts_of_a_worker_are_too_long",
            kind=property,
        ),
        Override(
            "heartbeat",
            "timeout pipeline",
            "a worker is counted again after a flush",
            "test_rq_calls_it test_rq_does_not_register_a_worker_again_after_a_flush "
            "test_worker.test_a_worker_is_counted_again_after_a_flush",
            where="horse worker",
        ),
        Override(
            "execute_job",
            "job queue",
            "only allowed functions are run",
            "test_rq_calls_it test_worker.test_a_function_that_is_not_allowed_is_refused",
            where="worker",
        ),
        Override(
            "setup_work_horse_signals",
            "",
            "a horse ends with its parent",
            "test_rq_calls_it test_a_horse_is_set_up_before_its_job_starts "
            "test_worker.test_a_killed_worker_takes_its_horse_along_and_the_entry_runs_again_then_fails",
            where="horse",
        ),
        Override(
            "kill_horse",
            "sig",
            "a worker without a horse must not kill its own process group",
            "test_rq_calls_it test_without_a_horse_rq_kills_its_own_process_group",
            where="worker",
        ),
        Override(
            "maintain_heartbeats",
            "job execution",
            "leases are renewed, and a Redis that is away does not end the worker",
            "test_rq_calls_it test_rq_looks_after_a_running_job_at_each_interval "
            "test_a_redis_that_is_away_ends_rqs_worker_and_not_ours test_heartbeats_write_a_lost_worker_anew "
            "test_worker.test_a_task_that_outlives_many_leases_runs_once",
            where="worker",
        ),
        Override(
            "bootstrap",
            "logging_level date_format log_format",
            "what a horse needs is made once, before the first fork",
            "test_rq_calls_it",
            where="worker",
        ),
        Override(
            "main_work_horse",
            "job queue",
            "a horse has one connection for RQ and the runner",
            "test_rq_calls_it test_a_horse_is_set_up_before_its_job_starts",
            where="horse",
        ),
        Override(
            "wait_for_horse",
            "",
            "the row of a horse that ended well is not asked for; and the worker is called away to renew a lease",
            "test_rq_calls_it test_a_horse_that_ends_is_told_with_its_status "
            "test_rq_looks_after_a_running_job_at_each_interval",
            where="worker",
        ),
        Override(
            "monitor_work_horse",
            "job queue execution",
            "the row of an ended horse is settled at once",
            "test_rq_calls_it test_worker.test_a_horse_that_dies_is_noticed_at_once_and_the_place_is_the_old_one",
            where="worker",
        ),
        Override(
            "_handle_stopped_job",
            "job queue execution",
            "RQ's stop command ends the row",
            "test_rq_calls_it test_worker.test_rqs_stop_command_ends_the_entry",
            where="worker",
        ),
        Override(
            "teardown",
            "",
            "a worker that stops gives its claim back",
            "test_rq_calls_it test_a_worker_that_stops_gives_its_claim_back",
            where="worker",
        ),
    ],
}


@dataclass(frozen=True)
class Reliance:
    """One name of RQ's that is called, or that calls us, without being overridden."""

    path: str
    parameters: str  # those that are passed by us, or that our tests and overrides read by name
    why: str
    shown_by: str


RELIED_UPON = [
    Reliance(
        "rq.job.Job.create",
        "func connection serializer origin status timeout result_ttl failure_ttl",
        "LineQueue.save_job makes an entry's job with it",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.job.Job.to_dict",
        "",
        "LineQueue.save_job stores what it returns, without the empty fields",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.job.Job.fetch",
        "id connection serializer",
        "LineQueue.fetch_job and is_runner read jobs with it",
        "test_a_job_that_cannot_be_fetched_says_so test_data_is_read_compressed_and_plain",
    ),
    Reliance(
        "rq.job.Job.key_for", "job_id", "LineQueue.remove deletes the job's hash", "test_rqs_keys_are_where_ours_point"
    ),
    Reliance("rq.job.Job.perform", "", "it runs the job's function", "test_the_function_of_a_job_can_ask_for_its_job"),
    Reliance(
        "rq.job.get_current_job",
        "",
        "a function without arguments can ask for its job's id",
        "test_the_function_of_a_job_can_ask_for_its_job",
    ),
    Reliance(
        "rq.job.Job.restore",
        "raw_data",
        "entries that wait were saved by this code or by an older one",
        "test_data_is_read_compressed_and_plain",
    ),
    Reliance(
        "rq.job.JobStatus",
        "",
        "LineQueue.save_job makes jobs that are queued",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.queue.Queue",
        "name connection default_timeout is_async job_class serializer",
        "LineQueue passes on what it is given",
        "test_django_rq_builds_our_classes_by_setting",
    ),
    Reliance(
        "rq.queue.Queue.enqueue_job",
        "job pipeline at_front",
        "everything that RQ enqueues goes through it",
        "test_what_rq_asks_of_a_queue_reaches_our_override",
    ),
    Reliance(
        "rq.exceptions.DequeueTimeout",
        "",
        "LineQueue.dequeue_any says with it that nobody came",
        "test_a_worker_asks_our_queue_class_for_its_next_job",
    ),
    Reliance(
        "rq.defaults",
        "",
        "RQ_KEY_PREFIX is the prefix of RQ's keys, which the scripts and LineKeys.inbox name",
        "test_conf.test_another_prefix_of_rqs_keys_is_refused test_rqs_keys_are_where_ours_point",
    ),
    Reliance(
        "rq.exceptions.NoSuchJobError",
        "",
        "a missing hash is an answer, not an error",
        "test_a_job_that_cannot_be_fetched_says_so",
    ),
    Reliance(
        "rq.exceptions.DeserializationError",
        "",
        "a hash that cannot be read is an answer, not an error",
        "test_a_job_that_cannot_be_fetched_says_so",
    ),
    Reliance(
        "rq.serializers.JSONSerializer",
        "",
        "no job is ever unpickled",
        "test_data_is_read_compressed_and_plain test_worker.test_a_pickled_job_is_never_unpickled",
    ),
    Reliance(
        "rq.timeouts.JobTimeoutException",
        "",
        "the runner tells a visitor that the task took too long",
        "test_a_timeout_is_an_exception_like_others test_worker.test_a_task_that_runs_for_too_long_is_failed",
    ),
    Reliance(
        "rq.executions.Execution",
        "id job_id connection worker_name",
        "PresenceWorker hands it on",
        "test_heartbeats_write_a_lost_worker_anew",
    ),
    Reliance(
        "rq.worker_registration.get_keys",
        "queue connection",
        "stats.live_workers counts the workers of a line",
        "test_a_worker_is_counted_from_its_birth_to_its_death",
    ),
    Reliance(
        "rq.worker_registration.register",
        "worker pipeline",
        "PresenceWorker.heartbeat puts itself on the list again",
        "test_rq_does_not_register_a_worker_again_after_a_flush",
    ),
    Reliance(
        "rq.utils.now",
        "",
        "LineQueue.save_job notes when a job was made",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.utils.utcformat",
        "dt",
        "LineQueue.save_job notes when a job was made",
        "test_a_saved_job_has_the_fields_that_scripts_and_workers_read",
    ),
    Reliance(
        "rq.utils.utcparse",
        "string",
        "stats.live_workers reads a worker's last heartbeat",
        "test_a_worker_is_counted_from_its_birth_to_its_death",
    ),
    Reliance(
        "rq.worker.Worker.dequeue_job_and_maintain_ttl",
        "timeout max_idle_time",
        "it calls LineQueue.dequeue_any, and again after a DequeueTimeout",
        "test_a_worker_asks_our_queue_class_for_its_next_job",
    ),
    Reliance(
        "rq.worker.RoundRobinWorker.reorder_queues",
        "reference_queue",
        "no line starves beside a busy one",
        "test_a_worker_serves_its_lines_in_turn",
    ),
    Reliance(
        "rq.worker.Worker.register_birth",
        "",
        "stats.live_workers reads what it writes",
        "test_a_worker_is_counted_from_its_birth_to_its_death",
    ),
    Reliance(
        "rq.worker.Worker.register_death",
        "",
        "stats.live_workers reads what it writes",
        "test_a_worker_is_counted_from_its_birth_to_its_death",
    ),
    Reliance(
        "rq.worker.Worker.find_by_key",
        "worker_key connection job_class queue_class serializer",
        "it makes a PresenceWorker without a queue",
        "test_rq_finds_a_worker_by_its_key",
    ),
    Reliance(
        "rq.worker.Worker.handle_job_success",
        "job queue started_job_registry execution",
        "an entry's job goes when it is done",
        "test_a_job_that_is_done_leaves_no_hash",
    ),
    Reliance(
        "rq.worker.Worker.handle_job_failure",
        "job queue started_job_registry exc_string execution",
        "PresenceWorker._refuse fails a job that is not allowed",
        "test_worker.test_a_function_that_is_not_allowed_is_refused test_a_job_that_raised_is_in_the_failed_registry",
    ),
    Reliance(
        "rq.worker.Worker.fork_work_horse",
        "job queue",
        "the runner reads RQ_WORKER_ID in the horse",
        "test_a_horse_knows_its_worker_and_job",
    ),
    Reliance(
        "rq.worker.Worker.perform_job",
        "job queue execution",
        "it prepares and performs the job in the horse",
        "test_a_horse_is_set_up_before_its_job_starts",
    ),
    Reliance(
        "rq.worker.Worker.horse_pid",
        "",
        "PresenceWorker.kill_horse asks it whether there is a horse",
        "test_a_horse_far_beyond_its_timeout_is_killed_by_the_worker",
    ),
    Reliance(
        "rq.worker.Worker._shutdown",
        "",
        "SIGTERM stops an idle worker at once, and a busy one after its job",
        "test_a_stop_waits_for_a_busy_worker_only test_worker.test_a_worker_told_to_stop_finishes_what_it_runs",
    ),
    Reliance(
        "rq.worker.Worker.request_stop",
        "signum frame",
        "it is what SIGTERM calls",
        "test_worker.test_a_worker_told_to_stop_finishes_what_it_runs",
    ),
    Reliance(
        "django_rq.queues.DjangoRQ",
        "args kwargs",
        'it takes `commit_mode`; a line that answers for itself takes "auto"',
        "test_a_line_enqueues_at_once_and_django_rqs_queue_at_the_commit",
    ),
    Reliance(
        "django_rq.workers.get_worker",
        "queue_names job_class queue_class worker_class kwargs",
        "`manage.py rqworker` builds our worker by setting",
        "test_django_rq_builds_our_classes_by_setting",
    ),
    Reliance(
        "django_rq.management.commands.rqworker.Command.handle",
        "args options",
        "our `rqworker` names every line when none is named",
        "test_django_rqs_commands_are_what_ours_extend "
        "test_worker.test_a_worker_without_a_named_queue_serves_every_line",
    ),
    Reliance(
        "django_rq.management.commands.rqworker-pool.Command.handle",
        "args options",
        "our `rqworker-pool` names every line when none is named",
        "test_django_rqs_commands_are_what_ours_extend "
        "test_worker.test_one_worker_serves_two_lines_and_a_pool_serves_them_too",
    ),
    Reliance(
        "django_rq.management.commands.rqworker-pool.Command.add_arguments",
        "parser",
        "our `rqworker-pool` has another default serializer",
        "test_django_rqs_commands_are_what_ours_extend",
    ),
    Reliance(
        "rq.worker_pool.run_worker",
        "worker_name queue_names worker_class serializer job_class queue_class exception_handlers",
        "rqworker-pool makes our worker in it",
        "test_a_pool_hands_over_plain_queues_and_pickle",
    ),
    Reliance(
        "rq.registry.FailedJobRegistry.requeue",
        "job_or_id at_front",
        "a requeue from the dashboard lands in the inbox",
        "test_line.test_a_requeue_from_the_registry_reaches_the_line",
    ),
    Reliance(
        "rq.scripts.save_unique_job",
        "connection queue_key job enqueue at_front",
        "a unique enqueue lands in the inbox",
        "test_line.test_a_unique_enqueue_reaches_the_line",
    ),
    Reliance(
        "rq.queue.Queue.enqueue_dependents",
        "job",
        "a dependent lands in the inbox",
        "test_dependents_and_schedules_land_in_the_inbox "
        "test_worker.test_stock_rq_on_our_lines_dependents_schedules_and_repeats",
    ),
    Reliance(
        "rq.scheduler.RQScheduler.enqueue_scheduled_jobs",
        "",
        "a scheduled job lands in the inbox",
        "test_dependents_and_schedules_land_in_the_inbox "
        "test_worker.test_stock_rq_on_our_lines_dependents_schedules_and_repeats",
    ),
    Reliance(
        "rq.command.send_stop_job_command",
        "connection job_id serializer",
        "a site's own code may stop an entry with it",
        "test_worker.test_rqs_stop_command_ends_the_entry",
    ),
]

# What is read of RQ's objects by name: class of ours -> variable in its source -> names.
ATTRIBUTES: dict[type, dict[str, set[str]]] = {
    LineQueue: {
        "self": {
            *("connection", "name", "key", "serializer", "job_class", "log"),
            *("redis_queues_keys", "_default_timeout"),
        },
        "job": {"origin", "func_name", "to_dict"},
    },
    PresenceWorker: {
        "self": {"connection", "name", "queues", "log", "horse_pid", "is_horse", "handle_job_failure"},
        "job": {"id", "key", "func_name", "timeout"},
    },
}
