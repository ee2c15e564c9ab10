"""The paths of requests, on a site whose pages may be below a folder of its host."""

from typing import Any

from django.core.handlers.asgi import get_script_prefix as script_prefix_of
from django.urls import get_script_prefix

# A header by which a client would name the folder; daphne believes it, whoever sends it.
ROOT_HEADER = b"daphne-root-path"


def path_of(scope: Any) -> str:
    """The path below the site's root, as Django finds it: without FORCE_SCRIPT_NAME, or the server's root path."""
    path: str = scope["path"]
    root = script_prefix_of(scope).rstrip("/")
    is_below = path == root or path.startswith(f"{root}/")
    return path[len(root) :] if is_below else path


def below_root(address: str) -> str:
    """An address that Django has made, as a path below the site's root."""
    return "/" + address.removeprefix(get_script_prefix())
