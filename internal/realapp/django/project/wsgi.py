import os

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

# The static files come from here too, so that no further server is needed.
application = StaticFilesHandler(get_wsgi_application())
