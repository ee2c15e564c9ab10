"""The computing time for one page. PDFium and Pillow cannot be interrupted, so the kernel ends the whole task."""

import math
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def computing_time(seconds: int) -> Iterator[None]:
    """Within the block, this process may compute for so many seconds (of all threads); then SIGXCPU ends it.

    The limit of the whole task stays where it is, and is in force if it is lower.
    """
    before, hard = resource.getrlimit(resource.RLIMIT_CPU)
    used = resource.getrusage(resource.RUSAGE_SELF)
    wanted = math.ceil(used.ru_utime + used.ru_stime + seconds)
    others = [limit for limit in (before, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_CPU, (min([wanted, *others]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (before, hard))
