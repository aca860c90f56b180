"""Models with a field of each kind that PostgreSQL has in Django."""

import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    ArrayField,
    BigIntegerRangeField,
    DateRangeField,
    DateTimeRangeField,
    DecimalRangeField,
    IntegerRangeField,
    RangeOperators,
)
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Lower, Now


class Label(models.Model):
    name = models.CharField(max_length=30, unique=True)

    def __str__(self):
        return self.name


class Customer(models.Model):
    class Level(models.TextChoices):
        NEW = "n"
        REGULAR = "r"

    uid = models.UUIDField(default=uuid.uuid4, unique=True)
    name = models.CharField(max_length=50)
    level = models.CharField(max_length=1, choices=Level.choices, default=Level.NEW)
    joined = models.DateTimeField(null=True)
    created = models.DateTimeField(db_default=Now())
    birthday = models.DateField(null=True)
    wakes = models.TimeField(null=True)
    online = models.DurationField(null=True)
    address = models.GenericIPAddressField(null=True)
    photo = models.BinaryField(default=b"")
    active = models.BooleanField(default=True)
    balance = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    rating = models.FloatField(null=True)
    visits = models.PositiveSmallIntegerField(default=0)
    data = models.JSONField(default=dict)
    words = ArrayField(models.CharField(max_length=20), default=list)
    grid = ArrayField(ArrayField(models.IntegerField()), null=True)
    labels = models.ManyToManyField(Label)
    doubled = models.GeneratedField(
        expression=models.F("visits") * 2, output_field=models.IntegerField(), db_persist=True
    )
    search = SearchVectorField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=models.Q(balance__gte=-100), name="balance_not_too_low"),
            models.UniqueConstraint(Lower("name"), name="name_without_case"),
        ]
        indexes = [
            GinIndex(fields=["data"]),
            GinIndex(fields=["words"]),
            BrinIndex(fields=["created"]),
            models.Index(fields=["visits", "-rating"], name="visits_and_rating"),
        ]

    def __str__(self):
        return self.name


class Booking(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="bookings")
    rooms = IntegerRangeField()
    numbers = BigIntegerRangeField(null=True)
    days = DateRangeField(null=True)
    times = DateTimeRangeField(null=True)
    prices = DecimalRangeField(null=True)

    class Meta:
        constraints = [
            ExclusionConstraint(name="rooms_do_not_overlap", expressions=[("rooms", RangeOperators.OVERLAPS)]),
            models.CheckConstraint(condition=~models.Q(rooms__isempty=True), name="some_rooms"),
        ]
