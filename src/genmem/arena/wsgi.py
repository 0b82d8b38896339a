"""The WSGI application, `genmem.arena.wsgi:application`. $GENMEM_ARENA names the folder."""

import os
import threading
import time

from django.core.wsgi import get_wsgi_application

from genmem.arena.core.configuration import PARENT


def _exit_with(parent: int) -> None:
    """Exit when the parent process is gone; otherwise this one would hold the port for ever."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if os.environ.get(PARENT, "") == str(os.getppid()):
    threading.Thread(target=_exit_with, args=(os.getppid(),), daemon=True).start()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genmem.arena.settings")
application = get_wsgi_application()
