"""A process that forgets its secrets as that of an isolated task does, and tells which of them its objects still hold.

    python -m tests.support.forgotten forget|keep word word

Each word comes in reverse, so that this module holds none itself.
"""

import gc
import sys
from collections.abc import Iterator

import django


def reach_everything() -> None:
    """Use the clients of a worker and of its horse."""
    from django.conf import settings
    from django.core.files.storage import default_storage
    from django_rq import get_connection

    from queueing.line import clients
    from queueing.storage import folders

    default_storage.exists("entries/x")
    folders.warm_up()
    clients.connection().ping()
    clients.share_connection(get_connection(next(iter(settings.RQ_QUEUES))))
    clients.connection().ping()
    clients.patient_for(0.2).ping()
    clients.connection("tables").ping()
    clients.patient_for(0.2, "tables").ping()


def texts() -> Iterator[tuple[str, object]]:
    """All texts that a living object holds, each with the object."""
    for holder in gc.get_objects():
        for held in gc.get_referents(holder):
            if type(held) is str:  # isinstance would wake Django's lazy objects
                yield held, holder
            elif type(held) is bytes:
                yield held.decode(errors="replace"), holder


def main(act: str, *words: str) -> None:
    django.setup()
    reach_everything()
    if act == "forget":
        from queueing.work import forgetting

        forgetting.forget_secrets()
    holders = [type(holder).__name__ for text, holder in texts() if any(word in text[::-1] for word in words)]
    sys.stdout.write(" ".join(holders))


if __name__ == "__main__":
    main(*sys.argv[1:])
