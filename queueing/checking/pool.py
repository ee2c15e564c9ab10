"""The checkers of this process: at most CHECKERS at a time, started when they are needed.

A check, step by step:

1. It takes one of the CHECKERS places (`places.py`). If it gets none within CHECK_SECONDS, it is refused as Busy.
2. It takes an idle checker, or starts one. One that was started for other forms or settings is ended.
3. The checker has CHECK_SECONDS for its answer. One that is late, or dies, refuses the file.
4. A checker is ended after MAX_CHECKS or MAX_AGE, and after any answer but "fine" and "refused": an error, a budget
   that was used up, or none. The next one is started without waiting for a visitor.
"""

import atexit
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from queueing import sandbox
from queueing.checking.checker import Checker, NotStarted
from queueing.checking.messages import Message
from queueing.checking.places import Places
from queueing.conf import conf
from queueing.exceptions import Busy, CheckBroken
from queueing.values import normalized_arguments, to_json

MAX_CHECKS = 200  # by one checker: an intruder in it would see the files of so many visitors at most
MAX_AGE = 900  # seconds, likewise
TOLD = 3_000  # characters of a checker's traceback in the log; a hostile file may have written them
LINES, PERIOD = 20, 60.0  # lines in the log about checks, in so many seconds
OVER_BUDGET = "Looking into this file takes more time or memory than a file may take, so it cannot be used."
NOT_CHECKED = "This file could not be looked into: it may be damaged. Please save it again and retry."
# Settings of Django that a form sees in a checker, beside QUEUEING.
SEEN = ("LANGUAGE_CODE", "TIME_ZONE", "USE_I18N", "USE_TZ")
WANTED = frozenset({sandbox.PRIVILEGES, sandbox.FILES, sandbox.TCP, sandbox.SOCKETS, sandbox.PROCESSES})

logger = logging.getLogger("queueing")


class Checkers:
    """A bounded number of checkers, shared by the threads of this process."""

    def __init__(self) -> None:
        self._changed = Lock()
        self._places = Places()
        self._idle: list[Checker] = []
        self._forms: set[str] = set()  # each checker imports all of them when it starts
        # The kernel ends a checker with the thread that started it, so one thread starts them all, and stays.
        self._starter = ThreadPoolExecutor(1, "checkers")
        self._has_told = False

    def know(self, form: type) -> None:
        """Have checkers import this form when they start. One that is not known becomes so at its first check."""
        with self._changed:
            self._forms.add(name_of(form))

    def check(
        self,
        form: type,
        upload: "UploadedFile[Any]",
        address: str = "",
        options: dict[str, Any] | None = None,
        field: str = "file",
    ) -> None:
        """Have a checker call this form's `check_file`. Addresses share the checkers fairly.

        Raises ValidationError with sentences for the visitor, Busy, or CheckBroken if the form cannot be imported.
        """
        question = {"form": name_of(form), "options": _sent(options or {}), "preview": False, "field": field}
        _judge(self._ask(question, upload, self._places.taken(address)), name_of(form))

    def preview(self, form: type, upload: "UploadedFile[Any]", address: str, options: dict[str, Any]) -> Any:
        """Have a checker call this form's `preview`, while no check waits. Returns any JSON; raises as `check`."""
        question = {"form": name_of(form), "options": _sent(options), "preview": True, "field": "file"}
        answer = self._ask(question, upload, self._places.taken(address, is_preview=True))
        _judge(answer, name_of(form))
        return answer.get("preview")

    def _ask(self, question: Message, upload: "UploadedFile[Any]", place: AbstractContextManager[None]) -> Message:
        with place:
            checker = self._take(question["form"])
            answer: Message = {"died": "the web process gave up"}
            try:
                answer = checker.ask(question, upload, conf.CHECK_SECONDS)
            finally:
                is_kept = self._give_back(checker, answer)
        if not is_kept:
            self._starter.submit(self._start_next, checker.start)
        return answer

    def end(self) -> None:
        """End the idle checkers; a busy one ends with this process."""
        with self._changed:
            idle, self._idle = self._idle, []
        for checker in idle:
            checker.end()

    def pids(self) -> set[int]:
        """The processes of the idle checkers."""
        with self._changed:
            return {checker.pid for checker in self._idle}

    def _take(self, form: str) -> Checker:
        """A checker that is ready and knows this form. Raises Busy if none could be started."""
        with self._changed:
            self._forms.add(form)
            start = self._start_values()
        try:
            checker = self._next_idle(start) or self._starter.submit(self._next_or_new, start).result()
            checker.wait_until_ready()
        except (OSError, NotStarted) as error:
            logger.exception("No checker could be started")
            raise Busy from error
        self._tell_once(checker)
        return checker

    def _next_idle(self, start: Message) -> Checker | None:
        """An idle checker that was started in this way; ends others, and those that are old or have died."""
        while True:
            with self._changed:
                if not self._idle:
                    return None
                checker = self._idle.pop()
            if checker.start == start and checker.is_alive and not _is_old(checker):
                return checker
            checker.end()

    def _next_or_new(self, start: Message) -> Checker:
        """In the starter, so that a checker which is being started in advance is taken, and no second one started."""
        return self._next_idle(start) or Checker(start)

    def _give_back(self, checker: Checker, answer: Message) -> bool:
        """Keep the checker for the next check, or end it. True if it is kept."""
        is_worn = checker.checks >= MAX_CHECKS or _is_old(checker)
        if is_worn or not answer.keys() & {"fine", "refused"}:
            checker.end()
            return False
        with self._changed:
            self._idle.append(checker)
        return True

    def _start_next(self, start: Message) -> None:
        """In the starter: start a checker in advance, unless there are enough."""
        if not self._has_room():
            return
        try:
            checker = Checker(start)
        except OSError:
            logger.exception("No checker could be started")
            return
        with self._changed:
            if self._has_room():  # a busy one may have come back meanwhile
                self._idle.append(checker)
                return
        checker.end()

    def _has_room(self) -> bool:
        return len(self._idle) + self._places.busy < conf.CHECKERS

    def _start_values(self) -> Message:
        """The first message to a new checker: its forms, its budget, and the settings that they see."""
        return {
            "forms": sorted(self._forms),
            "memory": conf.CHECK_MEMORY,
            "seconds": conf.CHECK_SECONDS,
            "settings": {name: getattr(settings, name) for name in SEEN} | {"QUEUEING": dict(settings.QUEUEING)},
            "tasks": sorted(settings.TASKS),
        }

    def _tell_once(self, checker: Checker) -> None:
        if self._has_told or checker.taken is None:
            return
        self._has_told = True
        if missing := WANTED - checker.taken:
            logger.warning(
                "Checkers keep some rights, because this kernel cannot take them: %s", ", ".join(sorted(missing))
            )


def _is_old(checker: Checker) -> bool:
    return time.monotonic() > checker.born + MAX_AGE


def _sent(options: dict[str, Any]) -> Any:
    """The options as JSON. Raises TypeError for a value that cannot travel."""
    return to_json(normalized_arguments(options, "value of the field {!r}"))


def name_of(form: type) -> str:
    """The name by which a checker imports this form."""
    return f"{form.__module__}:{form.__qualname__}"


def _judge(answer: Message, form: str) -> None:
    match answer:
        case {"fine": True}:
            return
        case {"refused": [*sentences]} if sentences:
            raise ValidationError([str(sentence) for sentence in sentences])
        case {"broken": str(trouble)}:
            raise CheckBroken(f"A checker cannot import {form}: {trouble[-TOLD:]!r}")
        case {"error": str(trouble)}:
            _log(logging.ERROR, "A check by %s has failed: %.4000r", form, trouble[-TOLD:])
            raise ValidationError(NOT_CHECKED, code="unchecked")
        case _:
            why = answer.get("died") or answer.get("over")
            _log(logging.WARNING, "A check by %s went beyond its budget: %.200r", form, why)
            raise ValidationError(OVER_BUDGET, code="over_budget")


class _Lines:
    """The lines about checks: hostile files must not fill the log."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._since, self._lines = 0.0, 0

    def may_write(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now - self._since > PERIOD:
                self._since, self._lines = now, 0
            self._lines += 1
            return self._lines <= LINES


_lines = _Lines()


def _log(level: int, text: str, *arguments: object) -> None:
    if _lines.may_write():
        logger.log(level, text, *arguments)


checkers = Checkers()
atexit.register(checkers.end)
# A forked process has none of the threads, and its parent's checkers are not its own.
os.register_at_fork(after_in_child=checkers.__init__)  # type: ignore[misc]
