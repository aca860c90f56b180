"""The types that come with Postgres, and the adapters for them."""

from __future__ import annotations

from collections.abc import Iterator

from .adapters_map import AdapterReference, AdaptersMap
from .pq import Format
from .typeinfo import Row, TypesRegistry

#: What `pg_type` and `pg_range` of PostgreSQL 18 say of the types that have values of their own; see `Row`.
# fmt: off
_TYPES: tuple[Row, ...] = (
    ("bool", 16, 1000, "boolean", ""),
    ("bytea", 17, 1001, "", ""),
    ("\"char\"", 18, 1002, "", ""),
    ("name", 19, 1003, "", ""),
    ("int8", 20, 1016, "bigint", ""),
    ("int2", 21, 1005, "smallint", ""),
    ("int2vector", 22, 1006, "", ""),
    ("int4", 23, 1007, "integer", ""),
    ("regproc", 24, 1008, "", ""),
    ("text", 25, 1009, "", ""),
    ("oid", 26, 1028, "", ""),
    ("tid", 27, 1010, "", ""),
    ("xid", 28, 1011, "", ""),
    ("cid", 29, 1012, "", ""),
    ("oidvector", 30, 1013, "", ""),
    ("json", 114, 199, "", ""),
    ("xml", 142, 143, "", ""),
    ("point", 600, 1017, "", ""),
    ("lseg", 601, 1018, "", ""),
    ("path", 602, 1019, "", ""),
    ("box", 603, 1020, "", ";"),
    ("polygon", 604, 1027, "", ""),
    ("line", 628, 629, "", ""),
    ("cidr", 650, 651, "", ""),
    ("float4", 700, 1021, "real", ""),
    ("float8", 701, 1022, "double precision", ""),
    ("circle", 718, 719, "", ""),
    ("macaddr8", 774, 775, "", ""),
    ("money", 790, 791, "", ""),
    ("macaddr", 829, 1040, "", ""),
    ("inet", 869, 1041, "", ""),
    ("aclitem", 1033, 1034, "", ""),
    ("bpchar", 1042, 1014, "character", ""),
    ("varchar", 1043, 1015, "character varying", ""),
    ("date", 1082, 1182, "", ""),
    ("time", 1083, 1183, "time without time zone", ""),
    ("timestamp", 1114, 1115, "timestamp without time zone", ""),
    ("timestamptz", 1184, 1185, "timestamp with time zone", ""),
    ("interval", 1186, 1187, "", ""),
    ("timetz", 1266, 1270, "time with time zone", ""),
    ("bit", 1560, 1561, "", ""),
    ("varbit", 1562, 1563, "bit varying", ""),
    ("numeric", 1700, 1231, "", ""),
    ("refcursor", 1790, 2201, "", ""),
    ("regprocedure", 2202, 2207, "", ""),
    ("regoper", 2203, 2208, "", ""),
    ("regoperator", 2204, 2209, "", ""),
    ("regclass", 2205, 2210, "", ""),
    ("regtype", 2206, 2211, "", ""),
    ("record", 2249, 2287, "", ""),
    ("uuid", 2950, 2951, "", ""),
    ("txid_snapshot", 2970, 2949, "", ""),
    ("pg_lsn", 3220, 3221, "", ""),
    ("tsvector", 3614, 3643, "", ""),
    ("tsquery", 3615, 3645, "", ""),
    ("gtsvector", 3642, 3644, "", ""),
    ("regconfig", 3734, 3735, "", ""),
    ("regdictionary", 3769, 3770, "", ""),
    ("jsonb", 3802, 3807, "", ""),
    ("int4range", 3904, 3905, "", "", 23),
    ("numrange", 3906, 3907, "", "", 1700),
    ("tsrange", 3908, 3909, "", "", 1114),
    ("tstzrange", 3910, 3911, "", "", 1184),
    ("daterange", 3912, 3913, "", "", 1082),
    ("int8range", 3926, 3927, "", "", 20),
    ("jsonpath", 4072, 4073, "", ""),
    ("regnamespace", 4089, 4090, "", ""),
    ("regrole", 4096, 4097, "", ""),
    ("regcollation", 4191, 4192, "", ""),
    ("int4multirange", 4451, 6150, "", "", 23, 3904),
    ("nummultirange", 4532, 6151, "", "", 1700, 3906),
    ("tsmultirange", 4533, 6152, "", "", 1114, 3908),
    ("tstzmultirange", 4534, 6153, "", "", 1184, 3910),
    ("datemultirange", 4535, 6155, "", "", 1082, 3912),
    ("int8multirange", 4536, 6157, "", "", 20, 3926),
    ("xid8", 5069, 271, "", ""),
)
# fmt: on


# Adapters are named here and imported when they are first used. In each row the second last item is the
# module, and the last the classes; that a format is binary is told by BinaryDumper or BinaryLoader in the name.

#: Types, and their loaders. The type "" stands for every type that is not named.
_LOADERS = (
    ("", "string", "TextLoader ByteaBinaryLoader"),
    ("bool", "bool", "BoolLoader BoolBinaryLoader"),
    ("int2", "integer", "IntLoader Int2BinaryLoader"),
    ("int4", "integer", "IntLoader Int4BinaryLoader"),
    ("int8", "integer", "IntLoader Int8BinaryLoader"),
    ("oid", "integer", "IntLoader OidBinaryLoader"),
    ("float4", "float", "FloatLoader Float4BinaryLoader"),
    ("float8", "float", "FloatLoader Float8BinaryLoader"),
    ("numeric", "decimal", "NumericLoader NumericBinaryLoader"),
    ('text varchar bpchar name "char"', "string", "TextLoader TextBinaryLoader"),
    ("bytea", "string", "ByteaLoader ByteaBinaryLoader"),
    ("uuid", "uuid", "UUIDLoader UUIDBinaryLoader"),
    ("json", "json", "JsonLoader JsonBinaryLoader"),
    ("jsonb", "json", "JsonbLoader JsonbBinaryLoader"),
    ("date", "date", "DateLoader DateBinaryLoader"),
    ("time", "time", "TimeLoader TimeBinaryLoader"),
    ("timetz", "time", "TimetzLoader TimetzBinaryLoader"),
    ("timestamp", "timestamp", "TimestampLoader TimestampBinaryLoader"),
    ("timestamptz", "timestamp", "TimestamptzLoader TimestamptzBinaryLoader"),
    ("interval", "interval", "IntervalLoader IntervalBinaryLoader"),
    ("inet", "net", "InetLoader InetBinaryLoader"),
    ("cidr", "net", "CidrLoader CidrBinaryLoader"),
    ("record", "composite", "RecordLoader RecordBinaryLoader"),
    ("int4range", "range", "Int4RangeLoader Int4RangeBinaryLoader"),
    ("int8range", "range", "Int8RangeLoader Int8RangeBinaryLoader"),
    ("numrange", "range", "NumericRangeLoader NumericRangeBinaryLoader"),
    ("daterange", "range", "DateRangeLoader DateRangeBinaryLoader"),
    ("tsrange", "range", "TimestampRangeLoader TimestampRangeBinaryLoader"),
    ("tstzrange", "range", "TimestampTZRangeLoader TimestampTZRangeBinaryLoader"),
    ("int4multirange", "multirange", "Int4MultirangeLoader Int4MultirangeBinaryLoader"),
    ("int8multirange", "multirange", "Int8MultirangeLoader Int8MultirangeBinaryLoader"),
    ("nummultirange", "multirange", "NumericMultirangeLoader NumericMultirangeBinaryLoader"),
    ("datemultirange", "multirange", "DateMultirangeLoader DateMultirangeBinaryLoader"),
    ("tsmultirange", "multirange", "TimestampMultirangeLoader TimestampMultirangeBinaryLoader"),
    ("tstzmultirange", "multirange", "TimestampTZMultirangeLoader TimestampTZMultirangeBinaryLoader"),
)

#: Python classes, the type that they are dumped to ("" if their content or the server decides), and their
#: dumpers. The last one is used where the format is open. A row without a class is for a type that is asked
#: for by its oid.
_DUMPERS: tuple[tuple[tuple[type | str | None, ...], str, str, str], ...] = (
    # Those of numpy come first: where a type is asked for by its oid, the last dumper of it is taken.
    (("numpy.int8", "numpy.int16", "numpy.uint8"), "int2", "numpy", "NPInt16Dumper NPInt16BinaryDumper"),
    (("numpy.int32", "numpy.intc", "numpy.uint16"), "int4", "numpy", "NPInt32Dumper NPInt32BinaryDumper"),
    (
        ("numpy.int64", "numpy.longlong", "numpy.uint32", "numpy.uintc"),
        "int8",
        "numpy",
        "NPInt64Dumper NPInt64BinaryDumper",
    ),
    (("numpy.uint64", "numpy.ulonglong"), "numeric", "numpy", "NPNumericDumper NPNumericBinaryDumper"),
    (("numpy.bool", "numpy.bool_"), "bool", "bool", "BoolDumper BoolBinaryDumper"),
    (("numpy.float16", "numpy.float32"), "float4", "float", "Float4Dumper Float4BinaryDumper"),
    (("numpy.float64",), "float8", "float", "FloatDumper FloatBinaryDumper"),
    ((type(None),), "", "none", "NoneDumper"),
    ((bool,), "bool", "bool", "BoolDumper BoolBinaryDumper"),
    ((int,), "", "integer", "IntDumper IntBinaryDumper"),
    (("neonps.types.integer.Int2",), "int2", "integer", "Int2Dumper Int2BinaryDumper"),
    (("neonps.types.integer.Int4",), "int4", "integer", "Int4Dumper Int4BinaryDumper"),
    (("neonps.types.integer.Int8",), "int8", "integer", "Int8Dumper Int8BinaryDumper"),
    (("neonps.types.integer.Oid",), "oid", "integer", "OidDumper OidBinaryDumper"),
    ((float,), "float8", "float", "FloatDumper FloatBinaryDumper"),
    (("neonps.types.float.Float4",), "float4", "float", "Float4Dumper Float4BinaryDumper"),
    (("decimal.Decimal",), "numeric", "decimal", "DecimalBinaryDumper DecimalDumper"),
    (("neonps.types.integer.IntNumeric",), "numeric", "decimal", "IntNumericDumper"),
    ((None,), "numeric", "decimal", "NumericDumper NumericBinaryDumper"),
    ((None,), "name", "string", "StrDumperName StrBinaryDumperName"),
    ((None,), "varchar", "string", "StrDumperVarchar StrBinaryDumperVarchar"),
    ((str,), "text", "string", "StrBinaryDumper StrDumper"),
    ((str,), "", "string", "StrDumperUnknown"),
    ((bytes, bytearray, memoryview), "bytea", "string", "BytesDumper BytesBinaryDumper"),
    (("neonps.Binary",), "bytea", "binary", "BinaryTextDumper BinaryBinaryDumper"),
    (("uuid.UUID",), "uuid", "uuid", "UUIDDumper UUIDBinaryDumper"),
    (("neonps.types.json.Json",), "json", "json", "JsonBinaryDumper JsonDumper"),
    (("neonps.types.json.Jsonb",), "jsonb", "json", "JsonbBinaryDumper JsonbDumper"),
    (("enum.Enum",), "", "enum", "EnumBinaryDumper EnumDumper"),
    (("datetime.date",), "date", "date", "DateDumper DateBinaryDumper"),
    (("datetime.time",), "time", "time", "TimeDumper TimeBinaryDumper"),
    ((None,), "timetz", "time", "TimeTzDumper TimeTzBinaryDumper"),
    (("datetime.datetime",), "timestamptz", "timestamp", "DatetimeDumper DatetimeBinaryDumper"),
    ((None,), "timestamp", "timestamp", "DatetimeNoTzDumper DatetimeNoTzBinaryDumper"),
    (("datetime.timedelta",), "interval", "interval", "TimedeltaDumper TimedeltaBinaryDumper"),
    (("neonps.types.range.Range",), "", "range", "RangeBinaryDumper RangeDumper"),
    (("neonps.types.range.Int4Range",), "int4range", "range", "Int4RangeDumper Int4RangeBinaryDumper"),
    (("neonps.types.range.Int8Range",), "int8range", "range", "Int8RangeDumper Int8RangeBinaryDumper"),
    (("neonps.types.range.NumericRange",), "numrange", "range", "NumericRangeDumper NumericRangeBinaryDumper"),
    (("neonps.types.range.DateRange",), "daterange", "range", "DateRangeDumper DateRangeBinaryDumper"),
    (
        ("neonps.types.range.TimestampRange",),
        "tsrange",
        "range",
        "TimestampRangeDumper TimestampRangeBinaryDumper",
    ),
    (
        ("neonps.types.range.TimestamptzRange",),
        "tstzrange",
        "range",
        "TimestamptzRangeDumper TimestamptzRangeBinaryDumper",
    ),
    (("neonps.types.multirange.Multirange",), "", "multirange", "MultirangeBinaryDumper MultirangeDumper"),
    (
        ("neonps.types.multirange.Int4Multirange",),
        "int4multirange",
        "multirange",
        "Int4MultirangeDumper Int4MultirangeBinaryDumper",
    ),
    (
        ("neonps.types.multirange.Int8Multirange",),
        "int8multirange",
        "multirange",
        "Int8MultirangeDumper Int8MultirangeBinaryDumper",
    ),
    (
        ("neonps.types.multirange.NumericMultirange",),
        "nummultirange",
        "multirange",
        "NumericMultirangeDumper NumericMultirangeBinaryDumper",
    ),
    (
        ("neonps.types.multirange.DateMultirange",),
        "datemultirange",
        "multirange",
        "DateMultirangeDumper DateMultirangeBinaryDumper",
    ),
    (
        ("neonps.types.multirange.TimestampMultirange",),
        "tsmultirange",
        "multirange",
        "TimestampMultirangeDumper TimestampMultirangeBinaryDumper",
    ),
    (
        ("neonps.types.multirange.TimestamptzMultirange",),
        "tstzmultirange",
        "multirange",
        "TimestamptzMultirangeDumper TimestamptzMultirangeBinaryDumper",
    ),
    (("ipaddress.IPv4Address", "ipaddress.IPv6Address"), "inet", "net", "InterfaceDumper AddressBinaryDumper"),
    (("ipaddress.IPv4Interface", "ipaddress.IPv6Interface"), "inet", "net", "InterfaceDumper InterfaceBinaryDumper"),
    (("ipaddress.IPv4Network", "ipaddress.IPv6Network"), "cidr", "net", "NetworkDumper NetworkBinaryDumper"),
    ((None,), "inet", "net", "InetBinaryDumper"),
    ((tuple,), "", "composite", "TupleDumper"),
    ((list,), "", "array", "ListBinaryDumper ListDumper"),
)


def _references(type_name: str, module: str, names: str) -> Iterator[AdapterReference]:
    oid = _OIDS[type_name]
    for name in names.split():
        binary = "BinaryDumper" in name or "BinaryLoader" in name
        format = Format.BINARY if binary else Format.TEXT
        yield AdapterReference(format, oid, f"neonps.types.{module}", name)


_OIDS = {"": 0, **{row[0]: row[1] for row in _TYPES}}

#: The types that come with Postgres.
types = TypesRegistry()
types.add_rows(_TYPES)

#: The adapters of the module, which connections start from.
adapters = AdaptersMap(types=types)

for _classes, _type, _module, _names in _DUMPERS:
    for _class in _classes:
        for _reference in _references(_type, _module, _names):
            adapters.register_dumper(_class, _reference)

for _types, _module, _names in _LOADERS:
    for _type in _types.split() or [""]:
        for _reference in _references(_type, _module, _names):
            adapters.register_loader(_reference.oid, _reference)

_array_loaders = list(_references("", "array", "ArrayLoader ArrayBinaryLoader"))
for _row in _TYPES:
    if _row[2]:
        for _reference in _array_loaders:
            adapters.register_loader(_row[2], _reference)
