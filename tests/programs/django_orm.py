"""Migrations, the ORM and the management commands of a Django project."""

import asyncio
import datetime
import decimal
import io
import json
import logging
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_settings")
django.setup()

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.postgres.aggregates import ArrayAgg, BoolAnd, JSONBAgg
from django.contrib.postgres.fields import HStoreField
from django.contrib.postgres.operations import HStoreExtension
from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import (
    Error,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    models,
    transaction,
)
from django.db.backends.postgresql.psycopg_any import Range
from django.db.migrations.state import ProjectState
from django.db.models import Avg, Count, Exists, F, Max, Min, OuterRef, Prefetch, Q, Subquery, Sum, Value, Window
from django.db.models.functions import (
    Cast,
    Coalesce,
    Concat,
    Extract,
    JSONObject,
    Now,
    RowNumber,
    Trunc,
    TruncMonth,
)
from django.test import Client
from django.test.runner import DiscoverRunner
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from shop.models import Booking, Customer, Label


def moment(*args):
    at = datetime.datetime(*args)
    return timezone.make_aware(at, datetime.timezone.utc) if settings.USE_TZ else at


def command(*args, **kwargs):
    """The output of a management command."""
    output = io.StringIO()
    call_command(*args, stdout=output, no_color=True, **kwargs)
    return output.getvalue().strip()


def raised(function):
    """What is raised within a savepoint."""
    try:
        with transaction.atomic():
            function()
    except Error as ex:
        cause = ex.__cause__
        return type(ex).__name__, type(cause).__name__, cause.sqlstate, cause.diag.constraint_name


def migrations():
    print("== migrations")
    print(command("migrate", interactive=False))
    print(command("migrate", interactive=False).splitlines()[-1])
    print(command("showmigrations", "shop"))
    print(list(Label.objects.order_by("id").values_list("name", flat=True)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT t FROM note ORDER BY 1")
        print(cursor.fetchall())
    print(command("migrate", "shop", "zero"))
    print(command("migrate", "shop").splitlines()[-1])
    print(command("sqlmigrate", "shop", "0002"))
    print(command("makemigrations", check=True, dry_run=True))
    print(command("check", databases=["default"]))


def introspection():
    print("== introspection")
    print(sorted(connection.introspection.table_names()))
    with connection.cursor() as cursor:
        print(sorted(connection.introspection.get_constraints(cursor, "shop_customer")))
        print(connection.introspection.get_sequences(cursor, "shop_booking"))
    print(command("inspectdb", "shop_customer", "shop_booking"))
    print(connection.pg_version > 120000, connection.get_database_version() > (12,), connection.display_name)
    print(connection.features.supports_json_field, connection.features.uses_server_side_binding)
    print(command("createcachetable", dry_run=True), connection.timezone_name)


def customers():
    one = Customer.objects.create(
        uid=uuid.UUID(int=1),
        name="Ada",
        level=Customer.Level.REGULAR,
        joined=moment(2024, 3, 31, 0, 30),
        birthday=datetime.date(1815, 12, 10),
        wakes=datetime.time(6, 30, 0, 5),
        online=datetime.timedelta(days=-1, seconds=7, microseconds=9),
        address="2001:db8::1",
        photo=bytes(range(256)),
        balance=decimal.Decimal("1234567.89"),
        rating=0.1,
        visits=7,
        data={"a": [1, 2.5, None, {"b": "% %s {} \u2603"}], "n": 1, "tags": ["x", "y"], "none": None},
        words=["one", 'with "quotes", {braces}', "\\", "%s"],
        grid=[[1, 2], [3, 4]],
    )
    with connection.cursor() as cursor:
        cursor.execute("UPDATE shop_customer SET words = words || %s::varchar[] WHERE name = %s", [[""], "Ada"])
        print(cursor.rowcount)
    one.labels.set(Label.objects.filter(name__in=["first", "100 %"]))
    made = Customer.objects.bulk_create(
        [
            Customer(
                uid=uuid.UUID(int=100 + number),
                name=f"customer {number:03}",
                visits=number,
                joined=moment(2024, 1 + number % 12, 1, 12),
                data={"n": number, "even": number % 2 == 0},
                words=[f"w{number % 3}"],
                balance=number,
                rating=number / 3,
            )
            for number in range(300)
        ],
        batch_size=100,
    )
    print(len({customer.id for customer in made}), made[0].doubled, made[-1].doubled)


def show(customer):
    for field in Customer._meta.concrete_fields:
        value = getattr(customer, field.name)
        if field.name in ("id", "created"):
            value = type(value)
        elif field.name == "photo":
            value = type(value), bytes(value)
        print(f"  {field.name}: {value!r}")


def queries():
    print("== queries")
    objects = Customer.objects
    print(objects.count(), objects.filter(name="Ada").exists(), objects.first(), objects.filter(visits=8).last())
    show(objects.get(name="Ada"))
    print(list(objects.filter(name__icontains="R 00", visits__gt=5).values_list("name", "visits")))
    print([label.name for label in objects.get(name="Ada").labels.order_by("name")])
    print(objects.filter(Q(name__endswith="7") & ~Q(visits__in=[7, 17, 27])).count())
    print(objects.filter(name__regex=r"^customer 0[12]\d$").count(), objects.filter(name__contains="%").count())
    print(objects.filter(visits__in=range(0, 300, 7)).count(), objects.filter(address="2001:db8::1").get())
    print(objects.filter(uid=uuid.UUID(int=105)).get(), objects.filter(photo=bytes(range(256))).get())
    print(objects.aggregate(Sum("balance"), Avg("rating"), Max("joined"), Min("visits"), n=Count("*")))
    by_level = objects.values("level").annotate(n=Count("id"), total=Sum("balance")).order_by("level")
    print(list(by_level))
    months = objects.annotate(month=TruncMonth("joined")).values("month").annotate(n=Count("id")).order_by("month")
    print(list(months.values_list("month", "n")))
    print(list(objects.dates("joined", "month"))[:2], list(objects.datetimes("joined", "year")))
    print(
        objects.filter(joined__year=2024, joined__month=3, joined__hour=13).count(),
        objects.filter(joined__date=datetime.date(2024, 3, 31)).get(),
    )
    window = Window(RowNumber(), partition_by=F("words"), order_by=F("visits").desc())
    print(list(objects.annotate(row=window).filter(row=1).order_by("visits").values_list("name", flat=True)))
    print(
        list(
            objects.annotate(x=F("visits") * 2 + Value(1), y=Concat("name", Value("!")))
            .filter(x=11)
            .values_list("x", "y")
        )
    )
    print(objects.annotate(age=Extract(Now() - F("created"), "epoch")).filter(age__lt=3600).count() > 0)
    print(objects.filter(online__lt=datetime.timedelta()).get(), objects.filter(wakes__hour=6).get())
    print(list(objects.filter(visits__lt=3).annotate(j=JSONObject(n="name", v="visits")).values_list("j", flat=True)))
    print(objects.annotate(c=Coalesce("birthday", Value(datetime.date(2000, 1, 1)))).order_by("c")[0])
    print(objects.annotate(c=Cast("visits", models.CharField())).filter(c="12").get())
    print(objects.annotate(t=Trunc("joined", "day")).order_by("t").values_list("t", flat=True)[0])
    print(str(objects.filter(name="it's", visits=1).only("id").query)[-70:])
    print(list(objects.raw("SELECT * FROM shop_customer WHERE visits < %s AND name LIKE 'c%%' ORDER BY 1", [2])))
    print(list(objects.raw("SELECT id, name FROM shop_customer WHERE name = %(name)s", {"name": "Ada"})))
    print(
        objects.filter(name="Ada").union(objects.filter(visits=3)).order_by("name").values_list("name", flat=True)[:5]
    )
    print(objects.in_bulk([uuid.UUID(int=101), uuid.UUID(int=9)], field_name="uid"))
    print(objects.order_by("-visits")[3:6], objects.none(), objects.distinct("words").order_by("words", "visits")[:2])
    print(objects.filter(name="Ada").explain(format="json")[:10])


def json_and_arrays():
    print("== JSON and arrays")
    objects = Customer.objects
    print(
        objects.filter(data__n=5).get(),
        objects.filter(data__even=True).count(),
        objects.filter(data__a__3__b__icontains="% %S").get(),
    )
    print(objects.filter(data__contains={"n": 1}).count(), objects.filter(data__has_key="tags").get())
    print(objects.filter(data__has_any_keys=["tags", "even"]).count(), objects.filter(data__none=None).get())
    print(objects.filter(data__n__gt=297).count(), objects.filter(data__tags__contains=["x"]).get())
    print(
        objects.values_list("data__a__1", flat=True).get(name="Ada"),
        objects.values_list("data__tags", flat=True).get(name="Ada"),
    )
    objects.filter(name="Ada").update(data=Value(["replaced"], models.JSONField()))
    print(objects.get(name="Ada").data)
    print(objects.filter(words__contains=["one"]).get(), objects.filter(words__overlap=["w1", "one"]).count())
    print(
        objects.filter(words__len=5).get(),
        objects.filter(words__0="w2").count(),
        objects.filter(words__0_2=["w1"]).count(),
    )
    print(
        objects.filter(grid__1__0=3).get(),
        objects.filter(grid=[[1, 2], [3, 4]]).get(),
        objects.filter(words=[]).count(),
    )
    print(objects.filter(visits__lt=4).aggregate(a=ArrayAgg("visits", order_by="-visits"), b=BoolAnd(Q(visits__lt=3))))
    print(objects.filter(visits__lt=3).aggregate(j=JSONBAgg("data", order_by="visits")))
    objects.filter(visits__lt=3).update(search=SearchVector("name"))
    print(objects.filter(search="customer").count())
    ranked = objects.annotate(rank=SearchRank(SearchVector("name"), SearchQuery("ada | 005", search_type="raw")))
    print(list(ranked.filter(rank__gt=0).order_by("-rank", "name").values_list("name", flat=True)))


def ranges():
    print("== ranges")
    ada = Customer.objects.get(name="Ada")
    booking = Booking.objects.create(
        customer=ada,
        rooms=(1, 4),
        numbers=Range(2**40, None),
        days=Range(datetime.date(2024, 1, 1), datetime.date(2024, 1, 31), "[]"),
        times=Range(moment(2024, 1, 1), moment(2024, 1, 2)),
        prices=Range(decimal.Decimal("1.50"), decimal.Decimal("2.50"), "()"),
    )
    booking.refresh_from_db()
    print(booking.rooms, booking.numbers, booking.days, booking.times, booking.prices)
    Booking.objects.create(customer=ada, rooms=Range(10, 20))
    print(Booking.objects.filter(rooms__contains=3).count(), Booking.objects.filter(rooms__overlap=(3, 11)).count())
    print(
        Booking.objects.filter(days__startswith__year=2024).count(),
        Booking.objects.filter(times__contains=moment(2024, 1, 1, 5)).count(),
    )
    print(
        Booking.objects.filter(rooms__fully_lt=(10, 11)).count(),
        Booking.objects.filter(prices__upper_inc=False).count(),
    )
    print(Booking.objects.filter(days__isempty=False).values_list("rooms", flat=True))
    print(raised(lambda: Booking.objects.create(customer=ada, rooms=(2, 3))))
    print(raised(lambda: Booking.objects.create(customer=ada, rooms=(2, 2))))


def hstore():
    print("== hstore, if the server has it")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'")
        if cursor.fetchone() == (0,):
            return

    class Tags(models.Model):
        tags = HStoreField()

        class Meta:
            app_label = "shop"

    with connection.schema_editor() as editor:
        HStoreExtension().database_forwards("shop", editor, ProjectState(), ProjectState())
        editor.create_model(Tags)
    Tags.objects.create(tags={"a": '"1" => \\', "b": None})
    print(Tags.objects.get(tags__a__startswith='"').tags, Tags.objects.filter(tags__has_key="b").count())
    print(Tags.objects.values_list("tags__a", flat=True).get(), Tags.objects.filter(tags__contains={"a": "2"}).count())
    with connection.schema_editor() as editor:
        editor.delete_model(Tags)


def relations():
    print("== relations")
    ada = Customer.objects.get(name="Ada")
    print(ada.bookings.count(), Booking.objects.select_related("customer").order_by("id")[0].customer.name)
    with CaptureQueriesContext(connection) as captured:
        found = Customer.objects.filter(labels__name="first").prefetch_related(
            "labels", Prefetch("bookings", Booking.objects.order_by("id"))
        )
        print([(customer.name, [label.name for label in customer.labels.all()]) for customer in found])
    print(len(captured))
    latest = Booking.objects.filter(customer=OuterRef("pk")).order_by("-id")
    has = Customer.objects.annotate(last=Subquery(latest.values("rooms")[:1]), has=Exists(latest)).filter(has=True)
    print(list(has.values_list("name", "last")))
    print(Customer.objects.annotate(n=Count("bookings")).filter(n__gt=0).values_list("name", "n"))
    print(Label.objects.get_or_create(name="third")[1], Label.objects.get_or_create(name="third")[1])
    print(Label.objects.update_or_create(name="third", defaults={"name": "3rd"})[1])
    print(Label.objects.bulk_create([Label(name="3rd"), Label(name="4th")], ignore_conflicts=True)[1].name)
    upserted = [Customer(name="upserted", uid=uuid.UUID(int=1), visits=99)]
    Customer.objects.bulk_create(upserted, update_conflicts=True, unique_fields=["uid"], update_fields=["visits"])
    print(Customer.objects.get(uid=uuid.UUID(int=1)).visits)
    some = list(Customer.objects.filter(visits__lt=5))
    for customer in some:
        customer.rating = customer.visits * 1.5
    print(Customer.objects.bulk_update(some, ["rating"], batch_size=2))
    print(Customer.objects.filter(visits__lt=5).aggregate(Sum("rating")))
    print(
        Customer.objects.filter(visits__lt=5).update(visits=F("visits") + 1000),
        Customer.objects.filter(visits__gt=999).update(visits=F("visits") - 1000),
    )
    print(Label.objects.filter(name="4th").delete())


def transactions():
    print("== transactions")
    calls = []
    try:
        with transaction.atomic():
            Label.objects.create(name="gone")
            transaction.on_commit(lambda: calls.append("never"))
            raise KeyError
    except KeyError:
        pass
    with transaction.atomic():
        Label.objects.create(name="outer")
        transaction.on_commit(lambda: calls.append("outer"))
        try:
            with transaction.atomic():
                Label.objects.create(name="inner")
                transaction.on_commit(lambda: calls.append("inner"))
                raise KeyError
        except KeyError:
            pass
        print(raised(lambda: Label.objects.create(name="outer")))
        with transaction.atomic():
            Label.objects.create(name="after the savepoint")
            transaction.set_rollback(True)
        print(calls, connection.in_atomic_block)
    print(calls, list(Label.objects.filter(name__in=["gone", "outer", "inner", "after the savepoint"])))
    print(raised(lambda: Customer.objects.filter(name="Ada").update(balance=-1000)))
    print(raised(lambda: Customer.objects.create(name="ADA")))
    print(raised(lambda: Customer.objects.create(name="x" * 51)))
    print(raised(lambda: Booking.objects.create(customer_id=10**9, rooms=(90, 91)) and connection.check_constraints()))
    print(raised(lambda: list(Customer.objects.raw("SELECT * FROM nowhere"))))
    print(raised(lambda: list(Customer.objects.extra(where=["1/0 = 1"]))))
    try:
        with transaction.atomic():
            with suppress(ProgrammingError):
                list(Customer.objects.raw("SELEKT"))
            Label.objects.count()
    except InternalError as ex:
        print(type(ex).__name__, type(ex.__cause__).__name__)
    with transaction.atomic():
        locked = Customer.objects.select_for_update(of=("self",)).get(name="Ada")

        def lock_too():
            try:
                with transaction.atomic():
                    return list(Customer.objects.select_for_update(nowait=True).filter(pk=locked.pk))
            except OperationalError as ex:
                return type(ex.__cause__).__name__
            finally:
                connections.close_all()

        with ThreadPoolExecutor(1) as pool:
            print(pool.submit(lock_too).result())
    transaction.set_autocommit(False)
    Label.objects.create(name="undone")
    transaction.rollback()
    Label.objects.create(name="done")
    transaction.commit()
    transaction.set_autocommit(True)
    print(Label.objects.filter(name__in=["undone", "done"]))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        print(cursor.fetchone())


def iterators():
    print("== server-side cursors")
    print(sum(1 for _ in Customer.objects.iterator(chunk_size=50)))
    with CaptureQueriesContext(connection) as captured:
        names = [customer.name for customer in Customer.objects.order_by("visits", "id").iterator(chunk_size=7)]
    print(len(names), names[:2], len(captured))
    with transaction.atomic():
        rows = Customer.objects.values_list("visits", "name").order_by("visits").iterator(chunk_size=10)
        print(next(rows), next(rows))
        print(Label.objects.count() > 0, next(rows))
        rows.close()
    prefetched = Customer.objects.prefetch_related("labels").order_by("name").iterator(chunk_size=100)
    print(sum(len(customer.labels.all()) for customer in prefetched))
    with connection.chunked_cursor() as cursor:
        cursor.execute("SELECT generate_series(1, %s)", [5])
        print(cursor.fetchmany(2), cursor.fetchall())


def cursors():
    print("== cursors")
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int + 1, %s, %s::jsonb", [1, "100%", json.dumps({"a": 1})])
        print(cursor.fetchone(), [column.name for column in cursor.description])
        cursor.execute("SELECT '100%%' WHERE %(a)s = %(b)s", {"a": 1, "b": 1})
        print(cursor.fetchall(), cursor.rowcount)
        cursor.execute("SELECT '100%'")
        print(cursor.fetchall())
        cursor.executemany("INSERT INTO note VALUES (%s)", [["x"], ["y"]])
        print(cursor.rowcount)
        cursor.execute("CREATE PROCEDURE empty_notes() LANGUAGE sql AS 'DELETE FROM note'")
        cursor.execute("CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b'")
        cursor.callproc("add", [1, 2])
        print(cursor.fetchone())
        cursor.execute("CALL empty_notes()")
        with cursor.copy("COPY note FROM STDIN") as copy:
            copy.write_row(["copied"])
        cursor.execute("TABLE note")
        print(list(cursor))
        cursor.execute("SELECT now() AS n, now()::timestamp, current_setting('TimeZone')")
        row = cursor.fetchone()
        print(row[0].tzinfo, row[1].tzinfo, row[2])
        print(cursor.mogrify("SELECT %s, %s", ["it's", [1, 2]]) if hasattr(cursor, "mogrify") else None)
    with connection.execute_wrapper(
        lambda execute, sql, params, many, context: execute(f"/* w */ {sql}", params, many, context)
    ):
        print(Label.objects.count() > 0)
    print(connection.ops.compose_sql("SELECT %s", ["it's"]))


def commands():
    print("== commands")
    call_command("createsuperuser", username="root", email="root@example.com", interactive=False, verbosity=0)
    user = User.objects.create_user("ada", "ada@example.com", "sesame")
    print(user.check_password("sesame"), User.objects.filter(is_superuser=True).get().username)
    session = SessionStore()
    session["key"] = {"value": 1}
    session.save()
    print(SessionStore(session.session_key)["key"])
    dumped = command("dumpdata", "shop.label", "shop.booking", indent=1)
    print(len(json.loads(dumped)))
    with open("labels.json", "w", encoding="utf-8") as file:
        file.write(dumped)
    try:
        print(command("loaddata", "labels.json"))
    finally:
        os.remove("labels.json")
    print(command("sqlsequencereset", "shop"))
    print(command("sqlflush")[:15])
    client = Client()
    print(client.get("/customers").json()["names"][:2])
    with suppress(KeyError):
        client.get("/raise")
    print(Customer.objects.filter(level="x").count(), connection.settings_dict["ATOMIC_REQUESTS"])


def lost_connections():
    print("== lost connections")

    def kill():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()

        def run():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            connections.close_all()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(run).result()

    kill()
    try:
        Label.objects.count()
    except (OperationalError, InterfaceError) as ex:
        print(type(ex).__name__, type(ex.__cause__).__name__, connection.is_usable())
    connection.close_if_unusable_or_obsolete()
    print(Label.objects.count() > 0)
    connection.close()
    print(Label.objects.count() > 0, connection.is_usable())
    if settings.DATABASES["default"].get("CONN_HEALTH_CHECKS"):
        kill()
        connection.close_if_unusable_or_obsolete()  # as at the start of a request
        connection.health_check_done = False
        print(Label.objects.count() > 0)


async def asynchronous():
    print("== asyncio")
    label = await Label.objects.acreate(name="async")
    print(await Label.objects.aget(pk=label.pk), await Customer.objects.acount())
    print([customer.name async for customer in Customer.objects.order_by("visits")[:3]])
    found = 0
    async for _ in Customer.objects.aiterator(chunk_size=40):
        found += 1
    print(found)
    label.name = "renamed"
    await label.asave()
    print(await Label.objects.filter(name="renamed").aexists(), await Customer.objects.aaggregate(Max("visits")))

    @sync_to_async
    @transaction.atomic
    def in_a_transaction():
        Label.objects.create(name="from a thread")
        return Label.objects.count() > 0

    print(await asyncio.gather(in_a_transaction()))
    print(await label.adelete())
    await sync_to_async(connections.close_all)()


def tests():
    print("== tests")
    logging.disable(logging.CRITICAL)

    class Runner(DiscoverRunner):
        def run_suite(self, suite, **kwargs):
            result = super().run_suite(suite, **kwargs)
            print(result.testsRun, len(result.failures), len(result.errors))
            return result

    with open(os.devnull, "w") as nowhere:
        runner = Runner(verbosity=0, interactive=False)
        runner.test_runner.stream = nowhere
        runner.get_test_runner_kwargs = lambda: {"verbosity": 0, "stream": nowhere}
        print(runner.run_tests(["shop"]))


migrations()
introspection()
customers()
queries()
json_and_arrays()
ranges()
hstore()
relations()
transactions()
iterators()
cursors()
commands()
asyncio.run(asynchronous())
lost_connections()
tests()
connections.close_all()
if connection.settings_dict["OPTIONS"].get("pool"):
    print(connection.pool.get_stats()["pool_size"] >= 1)
    connection.close_pool()
