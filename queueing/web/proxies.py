"""Headers that a proxy in front leaves out are told in the log: pages break without them, and no error says why."""

import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from queueing import logs
from queueing.web.address import is_proxy

logger = logging.getLogger("queueing")

_without_scheme, _without_upgrade = logs.Seldom(logger, 3600), logs.Seldom(logger, 3600)


def tell_of_scheme(request: HttpRequest, answer: HttpResponse) -> None:
    """Warn of a redirect to https of a request that may have been one: each further one would be sent there, too."""
    header = getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
    if answer.status_code != 301 or not header or header[0] in request.META:  # as Django redirects
        return
    if settings.SECURE_SSL_REDIRECT and is_proxy(peer := request.META.get("REMOTE_ADDR", "")):
        _without_scheme.warning(
            "The proxy %s does not say whether a request came by https, so each page is sent there again and again: it "
            "has to set %s",
            peer,
            header[0].removeprefix("HTTP_").replace("_", "-").title(),
        )


def tell_of_upgrade(scope: Any) -> None:
    """Warn of a plain request at the address of a socket."""
    _without_upgrade.warning(
        "A socket was asked for as a plain page, by %s: where a proxy does not pass Upgrade and Connection on, open "
        "pages ask every few seconds instead",
        (scope.get("client") or ["an unknown address"])[0],
    )
