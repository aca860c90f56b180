"""Two views: one that reads, and one that fails after it has written."""

from django.http import JsonResponse
from django.urls import path

from .models import Customer


def customers(request):
    return JsonResponse({"names": [customer.name for customer in Customer.objects.all()]})


def write_and_raise(request):
    Customer.objects.update(level="x")
    raise KeyError("undo this")


urlpatterns = [path("customers", customers), path("raise", write_and_raise)]
