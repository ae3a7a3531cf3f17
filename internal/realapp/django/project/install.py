"""Makes the tables and the users, and says 'installed'."""
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django

django.setup()

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connection

with connection.cursor() as cursor:
    # Readers need not wait for a writer then, and nothing need live through a
    # power cut.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=OFF")
call_command("migrate", verbosity=0)

site = settings.GIVEN["site"]
# Both have the same first name, which the admin shows in place of the user name.
User.objects.create_superuser(site["Admin"], password=site["AdminPassword"], first_name="Anna")
editor = User.objects.create_user(site["Editor"], site["EditorMail"], site["EditorPassword"], first_name="Anna", is_staff=True)
editor.user_permissions.add(Permission.objects.get(codename="view_user"))
User.objects.create_user(site["Customer"], password=site["CustomerPassword"])
print("installed")
