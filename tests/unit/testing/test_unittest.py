"""The kit in a TestCase of Django, without the fixtures of pytest."""

import tempfile

from django.conf import settings
from django.test import TestCase, override_settings

from queueing.states import Status
from queueing.testing.beginning import begin, end
from queueing.testing.clock import Clock
from queueing.testing.lines import InProcessLine, keeper_round
from queueing.testing.visitors import Visitor
from tests.support.visitors import upload


class Lines(TestCase):
    """Its setUp is that of docs/testing.md."""

    def setUp(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        local = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}
        self.enterContext(override_settings(MEDIA_ROOT=folder, STORAGES=settings.STORAGES | local))
        self.addCleanup(end)
        begin()

    def test_one_runs_and_one_is_dropped(self) -> None:
        anna, berta = Visitor(), Visitor()
        mine, hers = (visitor.join("probe", file=upload()) for visitor in (anna, berta))
        anna.close(mine)
        assert InProcessLine("probe").run() == [hers]
        Clock().advance(60)
        keeper_round()
        mine.refresh_from_db()
        assert mine.status == Status.ABANDONED
