"""The tables, as `makemigrations` writes it."""

import uuid

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Label",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=30, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("name", models.CharField(max_length=50)),
                ("level", models.CharField(choices=[("n", "New"), ("r", "Regular")], default="n", max_length=1)),
                ("joined", models.DateTimeField(null=True)),
                ("created", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("birthday", models.DateField(null=True)),
                ("wakes", models.TimeField(null=True)),
                ("online", models.DurationField(null=True)),
                ("address", models.GenericIPAddressField(null=True)),
                ("photo", models.BinaryField(default=b"")),
                ("active", models.BooleanField(default=True)),
                ("balance", models.DecimalField(decimal_places=2, default=0, max_digits=12)),
                ("rating", models.FloatField(null=True)),
                ("visits", models.PositiveSmallIntegerField(default=0)),
                ("data", models.JSONField(default=dict)),
                (
                    "words",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), default=list, size=None
                    ),
                ),
                (
                    "grid",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=django.contrib.postgres.fields.ArrayField(
                            base_field=models.IntegerField(), size=None
                        ),
                        null=True,
                        size=None,
                    ),
                ),
                (
                    "doubled",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            models.F("visits"), "*", models.Value(2)
                        ),
                        output_field=models.IntegerField(),
                    ),
                ),
                ("search", django.contrib.postgres.search.SearchVectorField(null=True)),
                ("labels", models.ManyToManyField(to="shop.label")),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Booking",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rooms", django.contrib.postgres.fields.ranges.IntegerRangeField()),
                ("numbers", django.contrib.postgres.fields.ranges.BigIntegerRangeField(null=True)),
                ("days", django.contrib.postgres.fields.ranges.DateRangeField(null=True)),
                ("times", django.contrib.postgres.fields.ranges.DateTimeRangeField(null=True)),
                ("prices", django.contrib.postgres.fields.ranges.DecimalRangeField(null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="bookings", to="shop.customer"
                    ),
                ),
            ],
            options={
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[("rooms", "&&")], name="rooms_do_not_overlap"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="customer",
            index=django.contrib.postgres.indexes.GinIndex(fields=["data"], name="shop_custom_data_d4eb16_gin"),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=django.contrib.postgres.indexes.GinIndex(fields=["words"], name="shop_custom_words_2c4203_gin"),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=django.contrib.postgres.indexes.BrinIndex(fields=["created"], name="shop_custom_created_682a87_brin"),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(condition=models.Q(("balance__gte", -100)), name="balance_not_too_low"),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower("name"), name="name_without_case"),
        ),
    ]
