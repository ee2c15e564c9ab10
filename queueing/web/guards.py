"""The headers that every answer has, whether a view made it, WhiteNoise, Django itself, or the server."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.csp import CSP, build_policy

PRIVATE = "private, no-store"  # for an answer that says nothing else about caches


def in_our_frame() -> dict[str, Any]:
    """The policy of a page that other pages of this site may have in a frame."""
    return settings.SECURE_CSP | {"frame-ancestors": [CSP.SELF]}


def guards() -> dict[str, str]:
    """The headers that bind a browser: run no foreign script, frame nothing, guess no type, keep no copy."""
    policy: Any = settings.SECURE_CSP
    return {
        str(CSP.HEADER_ENFORCE): build_policy(policy),
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
        "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
        "Cache-Control": PRIVATE,
    }


def may_frame_ours(page: HttpResponse) -> HttpResponse:
    """The same page, which may have a frame with a page of this site in it."""
    policy: Any = settings.SECURE_CSP | {"frame-src": [CSP.SELF]}
    page.headers[str(CSP.HEADER_ENFORCE)] = build_policy(policy)
    return page
