"""One format of moments on the pages for staff: with seconds, and with the zone."""

DATETIME_FORMAT = "Y-m-d H:i:s e"
