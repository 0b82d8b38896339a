"""What the web server serves: `genmem.arena.wsgi:application`, with $GENMEM_ARENA set."""

import os
import threading
import time

from django.core.wsgi import get_wsgi_application

from genmem.arena.core.configuration import PARENT


def _end_with(parent: int) -> None:
    """End this process when that one has gone: else it would hold the port for ever."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if os.environ.get(PARENT, "") == str(os.getppid()):
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genmem.arena.settings")
application = get_wsgi_application()
