"""Tests of the app, for `manage.py test`."""

from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

from .models import Label


class RolledBack(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.label = Label.objects.create(name="of the class")

    def test_one(self):
        Label.objects.create(name="of the test")
        self.assertEqual(Label.objects.filter(name__startswith="of the").count(), 2)

    def test_two(self):
        with self.assertNumQueries(1):
            self.assertEqual(Label.objects.filter(name__startswith="of the").count(), 1)
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            transaction.on_commit(lambda: None)
        self.assertEqual(len(callbacks), 1)


class Flushed(TransactionTestCase):
    def test_commits(self):
        with transaction.atomic():
            Label.objects.create(name="committed")
        connection.close()
        self.assertEqual(Label.objects.get(name="committed").name, "committed")
