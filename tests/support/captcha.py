"""A check of another kind than the one that comes with the brake: a word that the visitor types."""

import uuid

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from queueing.exceptions import CheckFailed


class Captcha:
    def markup(self, request: HttpRequest, queue: str) -> SafeString:
        return format_html('<label>The word for {} <input name="word"></label>', queue)

    def verify(self, request: HttpRequest, queue: str) -> uuid.UUID | None:
        if request.POST.get("word") != "please":
            raise CheckFailed("That was not the word.")
        return None
