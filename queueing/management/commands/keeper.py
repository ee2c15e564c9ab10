"""manage.py keeper: makes the keeper's round every KEEPER_INTERVAL seconds."""

import logging
import signal
import threading
import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import close_old_connections, connection

from queueing import logs, shared_clock
from queueing.checks import deployed
from queueing.conf import conf
from queueing.keeper.round import Keeper, logger
from queueing.line.clients import RedisError
from queueing.management.plain import ProcessCommand
from queueing.models.trouble import DATABASE_ERRORS


class Command(ProcessCommand):
    help = "Holds, drops, recovers and reconciles entries once a second. Run one; a second one does no harm."

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._redis_away, self._database_away = logs.Seldom(logger), logs.Seldom(logger)
        self._is_new_redis = True  # nobody has looked yet at how it is set up
        self._redis_since: float | None = None  # the beginning of the outage of Redis, by the monotonic clock

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round, and the counts of what it moved")

    def handle(self, *args: Any, **options: Any) -> None:
        logs.act_as("keeper")
        shared_clock.follow()
        keeper = Keeper()
        if options["once"]:
            counts = keeper.round()
            self.stdout.write(", ".join(f"{count} {step}" for step, count in counts.items()) + ".")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self._say(
            f"keeper: holds, drops and recovers the entries of {', '.join(settings.QUEUEING_TASKS)}, "
            f"each {conf.KEEPER_INTERVAL:g} s"
        )
        while not stop.is_set():
            self._round(keeper)
            stop.wait(conf.KEEPER_INTERVAL)

    def _say(self, sentence: str) -> None:
        """In the log, if that shows it; else at the terminal: many sites log warnings alone."""
        if logs.is_shown(logger, logging.INFO):
            logger.info(sentence)
        else:
            self.stdout.write(sentence)
            self.stdout.flush()

    def _round(self, keeper: Keeper) -> None:
        """Make one round. If Redis or the database fails, log it in one line; the next round tries again."""
        try:
            close_old_connections()
            keeper.round()
            self._redis_is_there()
        except RedisError as error:
            self._redis_since = self._redis_since or time.monotonic()
            self._redis_away.warning("keeper: Redis is away (%s)", error)
        except DATABASE_ERRORS as error:
            self._database_away.warning("keeper: the database is away (%s)", error)
            connection.close()
            keeper.spare_leases()

    def _redis_is_there(self) -> None:
        """Log the end of an outage, as web and workers do, and whether Redis, which may be another one, evicts keys."""
        if self._redis_since is not None:
            logger.warning("keeper: Redis answers again, after %.1f s", time.monotonic() - self._redis_since)
        if self._is_new_redis or self._redis_since is not None:
            for message in deployed.evictions():
                if not message.is_silenced():
                    logger.warning("keeper: %s %s", message.msg, message.hint)
        self._redis_since, self._is_new_redis = None, False
