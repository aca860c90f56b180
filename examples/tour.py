"""A tour of neonps: one database, by HTTP and by WebSocket.

    neonps local -- python examples/tour.py

It connects by the environment variable DATABASE_URL, makes the table `neonps_tour`, and drops it at the end.
"""

import os
import sys
import warnings

import neonps


def heading(text):
    print(f"\n{text}\n{'-' * len(text)}")


def show(cursor):
    """Print the rows of a cursor as a table."""
    rows = [[column.name for column in cursor.description], *cursor]
    widths = [max(len(str(value)) for value in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [v.ljust(w) if isinstance(v, str) else str(v).rjust(w) for v, w in zip(row, widths, strict=True)]
        print("  ", "  ".join(cells).rstrip())


def connect(url):
    """Connect over both transports, and see that the server answers."""
    try:
        http = neonps.connect(url, transport="http", autocommit=True)
        websocket = neonps.connect(url, transport="websocket", autocommit=True)
        for conn in (http, websocket):
            (version,) = conn.execute("SHOW server_version").fetchone()
            print(f"{conn.info.transport:<10} PostgreSQL {version}, database {conn.info.dbname}")
    except neonps.Error as error:
        sys.exit(f"The database of DATABASE_URL cannot be used: {str(error).splitlines()[0]}")
    return http, websocket


def parametrised_query(http):
    """Values go beside the statement, never into it. A list is an array."""
    heading("A query with parameters, over HTTP")
    names = ["max_connections", "server_encoding", "TimeZone"]
    show(http.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY name", [names]))


def batch(http):
    """Several statements in one request are one transaction: all take effect, or none."""
    heading("A batch as a transaction, over HTTP")
    _, inserted = http.batch(
        [
            "CREATE TABLE neonps_tour (owner text PRIMARY KEY, balance numeric(9, 2) CHECK (balance >= 0))",
            ("INSERT INTO neonps_tour VALUES (%s, %s), (%s, %s)", ("Ada", 100, "Grace", 250)),
        ]
    )
    print(f"   {inserted.rowcount} accounts are opened.")
    add = "UPDATE neonps_tour SET balance = balance + %s WHERE owner = %s"
    try:
        http.batch([(add, (500, "Ada")), (add, (-500, "Grace"))])
    except neonps.IntegrityError as error:
        print(f"   Grace cannot pay 500: {error.diag.message_primary}")
    show(http.execute("SELECT owner, balance FROM neonps_tour ORDER BY owner"))


def interactive_transaction(websocket):
    """A session can look at a result, and then decide how the transaction goes on."""
    heading("An interactive transaction with a rollback, over WebSocket")
    balances = "SELECT owner, balance FROM neonps_tour ORDER BY owner"
    with websocket.transaction():
        (balance,) = websocket.execute("SELECT balance FROM neonps_tour WHERE owner = 'Ada' FOR UPDATE").fetchone()
        print(f"   Ada has {balance}. Inside of the transaction she gives all of it away:")
        websocket.execute("UPDATE neonps_tour SET balance = balance - %s WHERE owner = 'Ada'", [balance])
        show(websocket.execute(balances))
        raise neonps.Rollback
    print("   After the rollback:")
    show(websocket.execute(balances))


def cursor_loop(websocket):
    """A cursor is an iterator over its rows, on every transport."""
    heading("A cursor loop, over WebSocket")
    cursor = websocket.execute("SELECT owner, balance FROM neonps_tour ORDER BY balance DESC")
    for number, (owner, balance) in enumerate(cursor, 1):
        print(f"   {number}. {owner:<6} {balance:>7}")


def data_frame(http):
    """What takes a DB-API connection takes this one."""
    heading("pandas.read_sql, over HTTP")
    try:
        import pandas
    except ImportError:
        print("   left out: pandas is not installed")
        return
    # It is said of every connection that is not SQLAlchemy's; reading works nevertheless.
    warnings.filterwarnings("ignore", "pandas only supports SQLAlchemy")
    print(pandas.read_sql("SELECT owner, balance::float8 FROM neonps_tour ORDER BY owner", http))


def main():
    url = os.environ.get("DATABASE_URL")
    if not url:
        sys.exit("Set DATABASE_URL to the URL of a database, or run: neonps local -- python examples/tour.py")
    http, websocket = connect(url)
    with http, websocket:
        websocket.execute("DROP TABLE IF EXISTS neonps_tour")  # of a tour that was broken off
        try:
            parametrised_query(http)
            batch(http)
            interactive_transaction(websocket)
            cursor_loop(websocket)
            data_frame(http)
        finally:
            websocket.execute("DROP TABLE IF EXISTS neonps_tour")


if __name__ == "__main__":
    main()
