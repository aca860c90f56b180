"""An index that is made outside of a transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0002_data")]

    operations = [
        AddIndexConcurrently("customer", models.Index(fields=["visits", "-rating"], name="visits_and_rating")),
    ]
