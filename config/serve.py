"""`python -m config.serve`: the web process of this site. See `queueing/serve.py`."""

import os

from config.packages import require_packages

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
require_packages("django", "daphne")

from queueing.serve import main

if __name__ == "__main__":
    main()
