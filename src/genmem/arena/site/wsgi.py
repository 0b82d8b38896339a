"""What the web server serves: `genmem.arena.site.wsgi:application`, with $GENMEM_ARENA set."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "genmem.arena.settings")
application = get_wsgi_application()
