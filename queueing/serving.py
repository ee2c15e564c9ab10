"""The processes that import the ASGI application and serve nobody by it: tests, commands and checks.

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
