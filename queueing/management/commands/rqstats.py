"""manage.py rqstats: django-rq's command, which ends with one sentence when Redis is away."""

from django_rq.management.commands.rqstats import Command as RqStats

from queueing.management.plain import PlainCommand


class Command(PlainCommand, RqStats):
    pass
