"""The access matrix: the answer of every URL to every kind of client.

A row is a URL, a method, and one status for each kind of client. Every URL of the resolver stands here. A new one
without a row fails the tests.
"""

from collections.abc import Iterator
from typing import NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

# owner      the browser that made the entry
# other      a browser that made another entry
# anonymous  a browser without a session
# staff      may log in to the admin, and nothing else
# view       staff with the permission to see entries
# content    staff with the permissions to see entries, and what is in them
# change     staff with the permission to change entries, and not to see them
# both       staff with both permissions
# member     has both permissions, and is no staff
# root       a superuser
CLIENTS = ("owner", "other", "anonymous", "staff", "view", "content", "change", "both", "member", "root")

TABLE = """
"^admin/r/"                                               GET  404 404 404 404 404 404 404 404 404 404
"^admin/r/"                                               POST 404 404 404 404 404 404 404 404 404 404
"admin/"                                                  GET  302 302 302 200 200 200 200 200 302 200
"admin/"                                                  POST 302 302 302 200 200 200 200 200 302 200
"admin/login/"                                            GET  200 200 200 302 302 302 302 302 200 302
"admin/login/"                                            POST 200 200 200 200 200 200 200 200 200 200
"admin/logout/"                                           GET  302 302 302 405 405 405 405 405 302 405
"admin/logout/"                                           POST 302 302 302 200 200 200 200 200 302 200
"admin/password_change/"                                  GET  302 302 302 200 200 200 200 200 302 200
"admin/password_change/"                                  POST 302 302 302 200 200 200 200 200 302 200
"admin/password_change/done/"                             GET  302 302 302 200 200 200 200 200 302 200
"admin/password_change/done/"                             POST 302 302 302 405 405 405 405 405 302 405
"admin/autocomplete/"                                     GET  302 302 302 403 403 403 403 403 302 403
"admin/autocomplete/"                                     POST 302 302 302 405 405 405 405 405 302 405
"admin/jsi18n/"                                           GET  302 302 302 200 200 200 200 200 302 200
"admin/jsi18n/"                                           POST 302 302 302 405 405 405 405 405 302 405
"admin/r/<path:content_type_id>/<path:object_id>/"        GET  404 404 404 404 404 404 404 404 404 404
"admin/r/<path:content_type_id>/<path:object_id>/"        POST 404 404 404 404 404 404 404 404 404 404
"admin/queueing/entry/workers/"                           GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/workers/"                           POST 302 302 302 403 403 403 403 403 302 400
"admin/queueing/entry/workers/now.json"                   GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/workers/now.json"                   POST 302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/failures/"                          GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/failures/"                          POST 302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/export.csv"                         GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/export.csv"                         POST 302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/<int:pk>/now.json"                  GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/<int:pk>/now.json"                  POST 302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/"                                   GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/"                                   POST 302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/add/"                               GET  302 302 302 403 403 403 403 403 302 403
"admin/queueing/entry/add/"                               POST 302 302 302 403 403 403 403 403 302 403
"admin/queueing/entry/<path:object_id>/history/"          GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/<path:object_id>/history/"          POST 302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/<path:object_id>/delete/"           GET  302 302 302 403 403 403 403 403 302 403
"admin/queueing/entry/<path:object_id>/delete/"           POST 302 302 302 403 403 403 403 403 302 403
"admin/queueing/entry/<path:object_id>/change/"           GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/entry/<path:object_id>/change/"           POST 302 302 302 403 403 403 403 403 302 403
"admin/queueing/entry/<path:object_id>/"                  GET  302 302 302 302 302 302 302 302 302 302
"admin/queueing/entry/<path:object_id>/"                  POST 302 302 302 302 302 302 302 302 302 302
"admin/queueing/line/board.json"                          GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/board.json"                          POST 302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/page/<slug:name>/"                   GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/page/<slug:name>/"                   POST 302 302 302 405 405 405 405 405 302 405
"admin/queueing/line/page/<slug:name>/now.json"           GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/page/<slug:name>/now.json"           POST 302 302 302 405 405 405 405 405 302 405
"admin/queueing/line/page/<slug:name>/past.json"          GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/page/<slug:name>/past.json"          POST 302 302 302 405 405 405 405 405 302 405
"admin/queueing/line/page/<slug:name>/numbers.csv"        GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/page/<slug:name>/numbers.csv"        POST 302 302 302 405 405 405 405 405 302 405
"admin/queueing/line/"                                    GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/"                                    POST 302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/add/"                                GET  302 302 302 403 403 403 403 403 302 403
"admin/queueing/line/add/"                                POST 302 302 302 403 403 403 403 403 302 403
"admin/queueing/line/<path:object_id>/history/"           GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/<path:object_id>/history/"           POST 302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/<path:object_id>/delete/"            GET  302 302 302 403 403 403 403 403 302 403
"admin/queueing/line/<path:object_id>/delete/"            POST 302 302 302 403 403 403 403 403 302 403
"admin/queueing/line/<path:object_id>/change/"            GET  302 302 302 403 200 200 403 200 302 200
"admin/queueing/line/<path:object_id>/change/"            POST 302 302 302 403 403 403 403 403 302 200
"admin/queueing/line/<path:object_id>/"                   GET  302 302 302 302 302 302 302 302 302 302
"admin/queueing/line/<path:object_id>/"                   POST 302 302 302 302 302 302 302 302 302 302
"admin/auth/group/"                                       GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/group/"                                       POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/group/add/"                                   GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/group/add/"                                   POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/group/<path:object_id>/history/"              GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/group/<path:object_id>/history/"              POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/group/<path:object_id>/delete/"               GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/group/<path:object_id>/delete/"               POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/group/<path:object_id>/change/"               GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/group/<path:object_id>/change/"               POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/group/<path:object_id>/"                      GET  302 302 302 302 302 302 302 302 302 302
"admin/auth/group/<path:object_id>/"                      POST 302 302 302 302 302 302 302 302 302 302
"admin/auth/user/<id>/password/"                          GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/user/<id>/password/"                          POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/user/"                                        GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/user/"                                        POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/user/add/"                                    GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/user/add/"                                    POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/user/<path:object_id>/history/"               GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/user/<path:object_id>/history/"               POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/user/<path:object_id>/delete/"                GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/user/<path:object_id>/delete/"                POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/user/<path:object_id>/change/"                GET  302 302 302 403 403 403 403 403 302 200
"admin/auth/user/<path:object_id>/change/"                POST 302 302 302 403 403 403 403 403 302 200
"admin/auth/user/<path:object_id>/"                       GET  302 302 302 302 302 302 302 302 302 302
"admin/auth/user/<path:object_id>/"                       POST 302 302 302 302 302 302 302 302 302 302
"admin/^(?P<app_label>queueing|auth)/$"                   GET  302 302 302 404 200 200 404 200 302 200
"admin/^(?P<app_label>queueing|auth)/$"                   POST 302 302 302 404 200 200 404 200 302 200
"admin/(?P<url>.*)$"                                      GET  302 302 302 404 404 404 404 404 302 404
"admin/(?P<url>.*)$"                                      POST 302 302 302 404 404 404 404 404 302 404
""                                                        GET  200 200 200 200 200 200 200 200 200 200
""                                                        POST 405 405 405 405 405 405 405 405 405 405
"join/<slug:name>/"                                       GET  200 200 200 200 200 200 200 200 200 200
"join/<slug:name>/"                                       POST 422 422 422 422 422 422 422 422 422 422
"join/<slug:name>/preview/"                               GET  405 405 405 405 405 405 405 405 405 405
"join/<slug:name>/preview/"                               POST 422 422 422 422 422 422 422 422 422 422
"entry/<uuid:code>/"                                      GET  200 404 404 404 200 200 404 200 404 200
"entry/<uuid:code>/"                                      POST 405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/card/"                                 GET  200 404 404 404 200 200 404 200 404 200
"entry/<uuid:code>/card/"                                 POST 405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/status.json"                           GET  200 404 404 404 200 200 404 200 404 200
"entry/<uuid:code>/status.json"                           POST 405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/goodbye/"                              GET  405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/goodbye/"                              POST 204 404 404 404 404 404 404 404 404 404
"entry/<uuid:code>/leave/"                                GET  405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/leave/"                                POST 303 404 404 404 404 404 404 303 404 303
"entry/<uuid:code>/keep/"                                 GET  405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/keep/"                                 POST 409 404 404 404 404 404 404 303 404 303
"entry/<uuid:code>/again/"                                GET  405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/again/"                                POST 303 404 404 404 404 404 404 404 404 404
"entry/<uuid:code>/delete/"                               GET  405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/delete/"                               POST 303 404 404 404 404 404 404 303 404 303
"entry/<uuid:code>/input/"                                GET  200 404 404 404 404 200 404 404 404 200
"entry/<uuid:code>/input/"                                POST 405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/result/"                               GET  200 404 404 404 404 200 404 404 404 200
"entry/<uuid:code>/result/"                               POST 405 405 405 405 405 405 405 405 405 405
"entry/<uuid:code>/files/<str:name>"                      GET  200 404 404 404 404 200 404 404 404 200
"entry/<uuid:code>/files/<str:name>"                      POST 405 405 405 405 405 405 405 405 405 405
"healthz"                                                 GET  200 200 200 200 200 200 200 200 200 200
"healthz"                                                 POST 405 405 405 405 405 405 405 405 405 405
"readyz"                                                  GET  503 503 503 503 503 503 503 503 503 503
"readyz"                                                  POST 405 405 405 405 405 405 405 405 405 405
"metrics"                                                 GET  404 404 404 404 200 200 404 200 404 200
"metrics"                                                 POST 405 405 405 405 405 405 405 405 405 405
"""


class Row(NamedTuple):
    """The answers of one URL to one method."""

    route: str
    method: str
    statuses: dict[str, int]


def rows() -> list[Row]:
    """The rows of the table."""
    found = []
    for line in TABLE.strip().splitlines():
        route, method, *statuses = line.split()
        found.append(Row(route.strip('"'), method, dict(zip(CLIENTS, map(int, statuses), strict=True))))
    return found


def routes() -> list[str]:
    """The patterns of all URLs of the site."""
    return list(_routes(get_resolver().url_patterns, ""))


def _routes(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield prefix + str(pattern.pattern)
