from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

import exports  # noqa: F401, it adds to the admin

urlpatterns = [
    path("", TemplateView.as_view(template_name="home.html")),
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
]
