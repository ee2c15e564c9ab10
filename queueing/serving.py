"""Marks of this process: it only looks at the ASGI application, as tests and commands do; it has sockets; it ends.

Nothing of Django is imported here: pytest loads this in every project of an environment.
"""

# True once this process has said that it only looks at the application, or has made its checks already.
_is_looked_at = False


def application_is_looked_at() -> None:
    """From now on, an import of the application makes no checks in this process."""
    global _is_looked_at  # noqa: PLW0603  # of the process
    _is_looked_at = True


def is_application_looked_at() -> bool:
    return _is_looked_at


# True once the queue's own application has answered anything in this process.
_has_sockets = False


def sockets_are_served() -> None:
    """From now on, /readyz says that the pages of this process have sockets."""
    global _has_sockets  # noqa: PLW0603  # of the process
    _has_sockets = True


def has_sockets() -> bool:
    return _has_sockets


# True once this process was told to end.
_is_ending = False


def announce_end() -> None:
    """From now on /healthz says that this process should get no more requests."""
    global _is_ending  # noqa: PLW0603  # of the process
    _is_ending = True


def is_ending() -> bool:
    return _is_ending
