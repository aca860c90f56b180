"""One-shot queries over HTTP, as a serverless function makes them.

    neonps local -- python examples/one_shot.py

It connects by the environment variable DATABASE_URL, makes the table `neonps_posts`, and drops it at the end.
"""

import asyncio
import os
import sys

import neonps
from neonps.rows import scalar_row
from neonps.sql import SQL, Identifier

URL = os.environ.get("DATABASE_URL") or sys.exit(
    "Set DATABASE_URL, or run: neonps local -- python examples/one_shot.py"
)

# Nothing is sent yet: this is for the top of a module. The connection is kept alive from one call to the next.
sql = neonps.neon(URL)


def set_up():
    """Several statements in one request are one transaction."""
    sql.transaction(
        [
            "DROP TABLE IF EXISTS neonps_posts",
            "CREATE TABLE neonps_posts (id int PRIMARY KEY, title text NOT NULL, tags text[])",
            ("INSERT INTO neonps_posts VALUES (%s, %s, %s)", [1, "Hello", ["news"]]),
            ("INSERT INTO neonps_posts VALUES (%s, %s, %s)", [2, "Over HTTP", ["news", "http"]]),
        ]
    )


def get_post(post_id):
    """What a function that answers `GET /posts/12` would do."""
    rows = sql("SELECT id, title FROM neonps_posts WHERE id = %s", [post_id])
    return (200, rows[0]) if rows else (404, "not found")


def list_posts(tag=None, order_by="id"):
    """A statement that is composed: names are quoted, values travel beside it."""
    where = SQL("WHERE %(tag)s = ANY (tags)") if tag else SQL("")
    query = SQL("SELECT title FROM neonps_posts {} ORDER BY {}").format(where, Identifier(order_by))
    return sql(query, {"tag": tag} if tag else None, row_factory=scalar_row)


def rename(post_id, title):
    """All that the server says of a statement; `query()` takes the placeholders of Postgres itself."""
    result = sql.query("UPDATE neonps_posts SET title = $2 WHERE id = $1", [post_id, title], full_results=True)
    return f"{result.command} {result.row_count}"


def add(*posts):
    """All or nothing."""
    try:
        sql.transaction(lambda txn: [txn("INSERT INTO neonps_posts VALUES (%s, %s)", post) for post in posts])
    except neonps.errors.UniqueViolation as error:
        return f"nothing added: {error.diag.message_detail}"
    return f"{len(posts)} added"


async def both_at_once():
    """The asynchronous twin: calls run side by side."""
    async with neonps.async_neon(URL, row_factory=scalar_row) as sql:
        return await asyncio.gather(
            sql("SELECT count(*) FROM neonps_posts"), sql("SELECT max(title) FROM neonps_posts")
        )


def main():
    try:
        set_up()
    except neonps.Error as error:
        sys.exit(f"The database of DATABASE_URL cannot be used: {str(error).splitlines()[0]}")
    try:
        print(get_post(1), get_post(7))
        print(list_posts(), list_posts(tag="http", order_by="title"))
        print(rename(2, "Over HTTPS"), "/", rename(7, "Nowhere"))
        print(add((3, "Third"), (1, "First")), "/", add((3, "Third")))
        print(asyncio.run(both_at_once()))
    finally:
        sql("DROP TABLE neonps_posts")


if __name__ == "__main__":
    main()
