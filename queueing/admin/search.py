"""The fields that the search box looks through: names of files, codes, visitors, users, and errors."""

import re

from django.contrib.auth import get_user_model
from django.db.models import CharField, F, Q, Value
from django.db.models.functions import Cast, Replace

from queueing.line import faults
from queueing.line.clients import RedisError
from queueing.models import EntryQuerySet, code_of
from queueing.states import Status

HELP = "Part of the name of a file or a user, of a code or a visitor, or of an error; or a reference"
REFERENCE = re.compile(r"(?:reference )?([0-9a-f]{8})", re.IGNORECASE)
MOST_USERS = 50  # whose names match
HEX = frozenset("0123456789abcdef")
TEXTS = ("error_class", "message")  # of a failure
CONTENTS = ("traceback",)  # of a failure; it quotes values of the input


def find_fault(term: str) -> str:
    """A sentence about the fault of the site with this reference; empty if none is known."""
    match = REFERENCE.fullmatch(term.strip())
    try:
        fault = faults.find(match[1].lower()) if match else None
    except RedisError:
        return ""
    if fault is None:
        return ""
    at = fault.at.removesuffix("+00:00")
    return (
        f"Reference {fault.reference} is a fault of the site, on {at} UTC: {fault.request}, {fault.error}. "
        "The traceback is in the log of the web process, above the line with this reference."
    )


def search(rows: EntryQuerySet, term: str, *, may_open: bool = False) -> EntryQuerySet:
    """These rows, if any part of them has the term. Nothing here is a pattern.

    Without `may_open`, contents are left out: the rows that are found would tell what is in them.
    """
    term = re.sub(r"^reference ", "", term.strip().replace("\0", ""), flags=re.IGNORECASE)
    if not term:
        return rows
    wanted = Q(input_name__icontains=term) | _users(term)
    failed = Q()
    for column in TEXTS + CONTENTS if may_open else TEXTS:
        failed |= Q(**{f"{column}__icontains": term})
    wanted |= Q(status=Status.FAILED) & failed
    digits = term.lower().replace("-", "")
    if (whole := code_of(term)) is not None:
        return rows.filter(Q(code=whole) | Q(visitor=whole))  # both have an index
    if digits and set(digits) <= HEX:
        rows = rows.alias(code_text=_digits("code"), visitor_text=_digits("visitor"))
        wanted |= Q(code_text__contains=digits) | Q(visitor_text__contains=digits)
    return rows.filter(wanted)


def has_more_users(term: str) -> bool:
    """True if more users match than the search looks at."""
    return len(_users_named(term.strip(), MOST_USERS + 1)) > MOST_USERS


def _users(term: str) -> Q:
    ids = _users_named(term, MOST_USERS)
    return Q(user__in=ids) if ids else Q(pk=None)


def _users_named(term: str, most: int) -> list[int]:
    model = get_user_model()
    users = model.objects.filter(**{f"{model.USERNAME_FIELD}__icontains": term}).order_by("-pk")
    return list(users.values_list("pk", flat=True)[:most])


def _digits(column: str) -> Replace:
    """A UUID as text without hyphens, in every database."""
    return Replace(Cast(F(column), CharField()), Value("-"), Value(""))
