"""A sentence in place of a traceback where the packages of the site are not installed. It imports none of them."""

import sys
from importlib.util import find_spec


def require_packages(*names: str) -> None:
    """End the process if one of these cannot be imported."""
    if missing := [name for name in names if find_spec(name) is None]:
        sys.exit(
            f"{' and '.join(missing)} cannot be imported by {sys.executable}. Start with the Python that has them, "
            ".venv/bin/python, or install them there: "
            ".venv/bin/python -m pip install --no-deps --only-binary :all: --require-hashes -r requirements.txt"
        )
