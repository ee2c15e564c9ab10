"""The permissions of staff, and two groups that have them: a site needs no more to begin with.

A permission counts for active staff only, see `web/visitor.py`.
"""

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions

LOOK = "queueing.view_entry"  # entries, their timelines and the pages of their visitors
CONTENT = "queueing.view_entry_content"  # inputs, results, files, arguments of code, and tracebacks as well
CHANGE = "queueing.change_entry"  # end, retry, put first, delete
LINES = "queueing.view_line"  # the numbers of the lines and the workers
STEER = "queueing.change_line"  # open, close, pause; quiet and stop workers

# The shipped groups. The help desk answers visitors, and reads nothing of theirs; operators run the site.
GROUPS = {
    "Queue help desk": (LINES, LOOK, CHANGE),
    "Queue operators": (LINES, LOOK, CONTENT, CHANGE, STEER),
}


def make_groups(sender: AppConfig, **options: Any) -> None:
    """Make the shipped groups that do not exist. A group that does is left as it is: staff may have changed it.

    A receiver of `post_migrate`. It may be called before the receiver that makes the permissions.
    """
    if not apps.is_installed("django.contrib.auth"):
        return
    from django.contrib.auth.models import Group, Permission

    create_permissions(sender, verbosity=0)
    for name, permissions in GROUPS.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            codenames = [permission.partition(".")[2] for permission in permissions]
            wanted = Permission.objects.filter(content_type__app_label=sender.label, codename__in=codenames)
            # Without the signal of a change, which goes to open pages by Redis: nobody is in this group yet.
            through = Group.permissions.through
            through.objects.bulk_create(through(group=group, permission=permission) for permission in wanted)
