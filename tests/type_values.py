"""Values of every type, as text that the server takes, for tests that read them in every way."""

from __future__ import annotations

#: For every type that psycopg knows, text of values of it: usual ones, the ends of what it holds, and odd ones.
TEXTS: dict[str, list[str]] = {
    "bool": ["t", "f"],
    "int2": ["0", "1", "-32768", "32767"],
    "int4": ["0", "-2147483648", "2147483647"],
    "int8": ["0", "-9223372036854775808", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "float4": ["1.5", "NaN", "-Infinity", "Infinity", "-0", "1e-45", "3.4028235e38", "0.1"],
    "float8": ["1.5", "NaN", "Infinity", "-Infinity", "-0", "5e-324", "1.7976931348623157e308", "0.1", "1e15", "1e22"],
    "numeric": [
        *["0", "0.000", "1.10", "-12345.678", "NaN", "Infinity", "-Infinity", "0.00001", "10000.00001", "1e20"],
        *["9999", "99990000", "1" + "0" * 50, "-0." + "0" * 50 + "1", "1e1000", "1e-1000", "9" * 500 + "." + "9" * 500],
    ],
    "money": ["1.5", "-92233720368547758.08", "0"],
    "text": ["", "é", "a\nb", "x" * 500, "NULL", "null", '"', "\\", "{", "a,b", " a ", "'", "\t", "\x01", "中文🐘", "%s", "$1"],
    "varchar": ["", "a", "é"],
    "bpchar": ["", "a ", "é"],
    "name": ["", "abc", "é"],
    '"char"': ["a", "", "0"],
    "refcursor": ["abc"],
    "bytea": ["\\x", "\\x00ff5c22", "abc\\\\\\000", "\\x" + bytes(range(256)).hex()],
    "uuid": ["12345678-1234-1234-1234-123456789abc", "00000000-0000-0000-0000-000000000000", "f" * 32],
    "json": ['{"a": [1, 2.5, null, "é"]}', "null", "1", '"a b"', '{"a": 1, "a": 2}', "[]", '"\\ud83d\\udc18"', "1e400"],
    "jsonb": ['{"a": [1, 2.5, null, "é"]}', "null", '"a\\u00e9"', "{}", "[[]]", "true", "123456789012345678901234567890.5"],
    "jsonpath": ["$.a[*]"],
    "xml": ["<a>é</a>", "x"],
    "date": ["2020-01-02", "0001-01-01", "9999-12-31", "0044-03-15 BC", "10000-01-01", "infinity", "-infinity"],
    "time": ["12:34:56.789", "00:00", "23:59:59.999999", "24:00"],
    "timetz": [
        *["12:34:56.789+02", "12:34-03:30", "12:34:56+05:53:28", "12:00-00:00:01", "00:00+00", "1:00+15:59:59"],
        *["24:00+00", "24:00-05:30"],
    ],
    "timestamp": [
        *["2020-01-02 03:04:05.6", "2020-01-02 03:04:05.123456", "0001-01-01", "9999-12-31 23:59:59.999999"],
        *["0044-03-15 12:00:00 BC", "10000-01-01", "infinity", "-infinity", "294276-12-31", "4713-01-01 BC"],
    ],
    "timestamptz": [
        *["2020-01-02 03:04:05.6+00", "2020-07-02 03:04:05+05:30", "0001-01-01 00:00+00", "9999-12-31 23:59:59.9+00"],
        *["10000-01-01 00:00+00", "infinity", "-infinity", "1800-01-01 00:00+00", "2020-10-25 00:30+00"],
    ],
    "interval": [
        *["1 year 2 mons 3 days 04:05:06.7", "-1 day +01:00", "0", "-1 mon +1 day -00:00:00.000001", "1000000 hours"],
        *["999999999 days", "1000000000 days", "-999999999 days -00:00:00.000001", "11 mons", "-13 mons", "1 year -1 mon"],
    ],
    "inet": ["1.2.3.4", "1.2.3.4/24", "0.0.0.0/0", "::1", "::1/64", "::ffff:1.2.3.4", "1.2.3.4/32", "fe80::/10"],
    "cidr": ["1.2.3.0/24", "1.2.3.4/32", "0.0.0.0/0", "::/0", "::1/128", "fe80::/10", "::ffff:1.2.3.0/120"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "bit": ["1", "0"],
    "varbit": ["", "101"],
    "point": ["(1,2)"],
    "lseg": ["[(1,2),(3,4)]"],
    "path": ["((1,2),(3,4))", "[(1,2)]"],
    "box": ["(1,1),(0,0)"],
    "polygon": ["((1,2),(3,4))"],
    "line": ["{1,2,3}"],
    "circle": ["<(1,2),3>"],
    "tsvector": ["a b", "'a ''b':1A,2"],
    "tsquery": ["a & !b"],
    "int2vector": ["1 2", ""],
    "oidvector": ["1 2"],
    "regproc": ["now"],
    "regprocedure": ["now()"],
    "regoper": ["||/"],
    "regoperator": ["+(int4,int4)"],
    "regclass": ["pg_class"],
    "regtype": ["int4", "text[]"],
    "regconfig": ["simple"],
    "regdictionary": ["simple"],
    "regnamespace": ["pg_catalog"],
    "regrole": ["postgres"],
    "regcollation": ['"C"'],
    "tid": ["(1,2)"],
    "xid": ["5"],
    "cid": ["5"],
    "xid8": ["5"],
    "pg_lsn": ["0/1"],
    "txid_snapshot": ["1:1:"],
    "aclitem": ["postgres=r/postgres"],
    "int4range": ["empty", "[1,5]", "(,5)", "[5,)", "(,)", "[-2147483648,2147483647)"],
    "int8range": ["empty", "[1,5]", "(,)", "[-9223372036854775808,9223372036854775807)"],
    "numrange": ["empty", "(1.5,2.50]", "[1,1]", "(,)", "[-Infinity,NaN]"],
    "daterange": ["empty", "[2020-01-01,2020-01-05]", "(,2020-01-01)", "[2020-01-01,infinity)"],
    "tsrange": ["empty", "[2020-01-01,2020-01-05 12:00]", "(-infinity,)"],
    "tstzrange": ["empty", "[2020-01-01 00:00+00,2020-01-05 12:00+02]", "(,)", "(,infinity]"],
    "int4multirange": ["{}", "{[1,2),[5,)}", "{(,)}"],
    "int8multirange": ["{}", "{[1,2),[5,)}"],
    "nummultirange": ["{}", "{[1,1.5],(5,)}"],
    "datemultirange": ["{}", "{[2020-01-01,2020-01-05],[2021-01-01,)}", "{[infinity,)}"],
    "tsmultirange": ["{}", "{[2020-01-01,2020-01-05 12:00)}"],
    "tstzmultirange": ["{}", "{[2020-01-01 00:00+00,2020-01-05 12:00+00)}"],
}

#: Types of which nobody can write a value.
WITHOUT_VALUES = {"gtsvector"}

#: Types whose arrays are written with another delimiter than a comma.
DELIMITERS = {"box": ";"}


def arrays(type: str, value: str) -> list[str]:
    """Text of arrays of a value: of several dimensions, with NULL, and with lower bounds other than 1."""
    delimiter = DELIMITERS.get(type, ",")
    item = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return [
        "{}",
        f"{{{item}}}",
        f"{{{item}{delimiter}NULL{delimiter}{item}}}",
        f"{{{{{item}}}{delimiter}{{NULL}}}}",
        f"[2:3]={{{item}{delimiter}NULL}}",
        f"[-1:0][5:5]={{{{{item}}}{delimiter}{{NULL}}}}",
        "{{{%s}}}" % item,
    ]
