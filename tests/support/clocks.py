"""Settings with short durations."""

# For tests with real processes: the relations of the defaults, but quicker.
QUICK = {
    "HEARTBEAT_INTERVAL": 0.5,
    "PRESENCE_TTL": 1.5,
    "POLL_TTL": 11,
    "CLOSE_GRACE": 2,
    "LOST_GRACE": 4,
    "MIN_PRESENCE": 0,
    "KEEPER_INTERVAL": 0.2,
    "LEASE": 3,
}
