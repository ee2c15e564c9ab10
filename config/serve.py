"""`python -m config.serve`: the web process of this site. See `queueing/serve.py`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from queueing.serve import main

if __name__ == "__main__":
    main()
