"""Data, and statements of our own."""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models


def add_labels(apps, schema_editor):
    label = apps.get_model("shop", "Label")
    label.objects.bulk_create([label(name=name) for name in ("first", "second", "100 %")])


def remove_labels(apps, schema_editor):
    apps.get_model("shop", "Label").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]

    operations = [
        migrations.RunPython(add_labels, remove_labels),
        migrations.RunSQL(
            ["CREATE TABLE note (t text); INSERT INTO note VALUES ('50 %')", ("INSERT INTO note VALUES (%s)", ["%s"])],
            "DROP TABLE note",
        ),
        AddConstraintNotValid(
            "booking", models.CheckConstraint(condition=~models.Q(rooms__isempty=True), name="some_rooms")
        ),
        ValidateConstraint("booking", "some_rooms"),
    ]
