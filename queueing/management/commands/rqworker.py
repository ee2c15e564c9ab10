"""manage.py rqworker: django-rq's command. By default it serves every line, in the order of QUEUEING_TASKS."""

from django_rq.management.commands.rqworker import Command as RqWorker

from queueing.management.plain import LinesCommand, ProcessCommand


class Command(ProcessCommand, LinesCommand, RqWorker):
    pass
