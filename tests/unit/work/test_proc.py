"""The small files of /proc."""

import os
import time

from queueing.sandbox import LIBC, PR_SET_NAME
from queueing.work.proc import memory_of


def test_the_memory_of_a_process_with_any_name_is_known() -> None:
    """The kernel cuts a name after 15 bytes, in the midst of a letter, too."""
    ours, its = os.pipe()
    if (pid := os.fork()) == 0:
        LIBC.prctl(PR_SET_NAME, b"caf\xc3", 0, 0, 0)
        os.write(its, b"r")
        time.sleep(600)
    try:
        os.read(ours, 1)
        assert memory_of(pid).keys() == memory_of("self").keys() != set()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(ours)
        os.close(its)
