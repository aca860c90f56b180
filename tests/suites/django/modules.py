"""Which of Django's tests are run: those where the backend, the driver or the server makes a difference."""

#: What is run over a WebSocket. It takes a minute or two of two cores; the rest of Django's tests of models and queries
#: passes as well, but there it is Django that makes the difference.
MODULES = (
    # The backend itself: connections, cursors, its options, errors, test databases, psql.
    "backends",
    "dbshell",
    "async",
    # Transactions, savepoints, hooks, locks.
    "transactions",
    "transaction_hooks",
    "select_for_update",
    # What is sent and what comes back, type by type.
    "datatypes",
    "model_fields",
    "timezones",
    "raw_query",
    "custom_pk",
    # Statements of all shapes: parameters, their types, RETURNING, batches.
    "basic",
    "bulk_create",
    "update",
    "delete",
    "get_or_create",
    "queries",
    "lookup",
    "aggregation",
    "expressions",
    "constraints",
    # Introspection, and changes of the schema, whose parameters Django writes into the statements.
    "introspection",
    "inspectdb",
    "schema",
    "migrations.test_executor",
    "migrations.test_operations",
    # Arrays, ranges, hstore, full-text search, exclusion constraints, and other things of Postgres's own.
    "postgres_tests",
)

#: What is run over TCP too, with neonps as psycopg for the process, on the embedded Postgres.
SMALL = (
    "backends",
    "basic",
    "bulk_create",
    "datatypes",
    "raw_query",
    "select_for_update",
    "transactions",
)

#: Modules that need a Postgres with the extensions of its `contrib` directory, and with ICU's collations.
NEED_CONTRIB = ("inspectdb", "introspection", "model_fields", "postgres_tests", "schema")
