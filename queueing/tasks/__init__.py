"""The heavy tasks that come with the site.

No other module imports them: `settings.QUEUEING_TASKS` names them.
"""
