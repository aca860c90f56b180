"""What the compliance suite of SQLAlchemy may ask of the dialect: everything that Postgres can do.

What `SuiteRequirements` has closed and Postgres can do is opened in `_CAN`; `_CANNOT` has what stays closed, and why.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

_CAN = """
    aggregate_order_by array_type autocommit boolean_col_expressions cast_precision_numerics_many_significant_digits
    check_constraint_reflection column_collation_reflection comment_reflection comment_reflection_full_unicode
    computed_columns computed_columns_reflect_persisted computed_columns_stored
    constraint_comment_reflection create_or_replace_view create_table_as create_temp_table_as
    cross_schema_fk_reflection ctes ctes_on_dml ctes_with_update_delete ctes_with_values date_historic
    datetime_historic datetime_interval datetime_literals datetime_timezone datetime_timezone_historic
    default_schema_name_switch deferrable_fks delete_from except_ expression_server_defaults fetch_expression
    fetch_first fetch_no_order_by fetch_offset_with_options fetch_ties
    fk_constraint_option_reflection_ondelete_noaction fk_constraint_option_reflection_ondelete_restrict
    fk_constraint_option_reflection_onupdate_restrict float_or_double_precision_behaves_generically
    foreign_key_constraint_name_reflection foreign_key_constraint_option_reflection_ondelete
    foreign_key_constraint_option_reflection_onupdate has_temp_table identity_columns identity_columns_standard
    implicit_default_schema index_ddl_if_exists index_reflects_included_columns indexes_check_column_order
    indexes_with_expressions infinity_floats inline_check_constraint_reflection intersect isolation_level
    json_array_indexes json_deserializer_binary json_type legacy_unconditional_json_extract materialized_views
    nullsordering order_by_collation percent_schema_names precision_numerics_enotation_small
    precision_numerics_many_significant_digits precision_numerics_retains_significant_digits
    reflect_indexes_with_expressions reflect_tables_no_columns reflects_pk_names regexp_match
    regexp_replace repeated_column_foreign_keys savepoints schema_create_delete server_defaults
    skip_autocommit_rollback supports_bitwise_and supports_bitwise_not supports_bitwise_or supports_bitwise_shift
    supports_bitwise_xor supports_distinct_on table_ddl_if_exists table_value_constructor
    temp_table_comment_reflection temp_table_names temporary_views time_timezone timestamp_microseconds
    timestamp_microseconds_implicit_bound tuple_in tuple_in_w_empty two_phase_transactions unicode_ddl
    unique_constraints_reflect_as_index update_from uuid_data_type view_column_reflection view_reflection views
    window_functions window_range window_range_non_numeric window_range_numeric
"""

_CANNOT = {
    "computed_columns_default_persisted": "virtual is the default, from PostgreSQL 18 on",
    "dbapi_lastrowid": "tables have had no OIDs since PostgreSQL 12; RETURNING gives the keys",
    "denormalized_names": "names that are not quoted are folded to lower case, as SQLAlchemy has them",
    "emulated_lastrowid": "RETURNING gives the keys",
    "emulated_lastrowid_even_with_sequences": "RETURNING gives the keys",
    "fetch_percent": "Postgres has no FETCH FIRST n PERCENT",
    "foreign_keys_reflect_as_index": "Postgres makes no index for a foreign key",
    "materialized_views_reflect_pk": "a materialized view has no primary key",
    "mod_operator_as_percent_sign": "it is `%%` in a statement, since `%` stands in front of a parameter",
    "non_updating_cascade": "is for databases that cannot cascade updates; Postgres can",
    "nvarchar_types": "Postgres has no NVARCHAR",
    "order_by_label_with_expression": "Postgres looks for a label in ORDER BY only when it stands alone",
    "reflect_indexes_with_ascdesc_as_expression": "is for databases where a descending column is an expression",
    "repeated_remote_col_foreign_keys": "Postgres refuses a foreign key that names a column twice",
    "supports_lastrowid": "RETURNING gives the keys",
    "unique_index_reflect_as_unique_constraints": "in Postgres a unique index is no constraint",
}
#: What Postgres can do and SQLAlchemy 2.0 cannot.
_SINCE_2_1 = {
    "computed_columns_virtual": "SQLAlchemy 2.0 refuses virtual columns for Postgres",
    "reflect_table_options": "SQLAlchemy 2.0 does not look for the options of a table in Postgres",
}


class Requirements(SuiteRequirements):
    """All of `_CAN` open, all of `_CANNOT` closed, and what is neither of them."""

    @property
    def async_dialect(self) -> Any:
        """Of the two dialects one is for asyncio."""
        return exclusions.only_if(lambda config: config.db.dialect.is_async, "the dialect is blocking")

    def get_order_by_collation(self, config: Any) -> str:
        """A collation that every Postgres has."""
        return "POSIX"

    def get_isolation_levels(self, config: Any) -> dict[str, Any]:
        """The levels of Postgres."""
        levels = config.db.dialect.get_isolation_level_values(None)
        return {"default": "READ COMMITTED", "supported": levels}


if sqlalchemy.__version__.startswith("2.0."):
    _CANNOT.update(_SINCE_2_1)
    del _CANNOT["computed_columns_default_persisted"]  # it writes STORED where nothing is said
    _CAN += " computed_columns_default_persisted"
else:
    _CAN += " ".join(["", *_SINCE_2_1])
for _name in _CAN.split():
    setattr(Requirements, _name, property(lambda self: exclusions.open()))
for _name, _reason in _CANNOT.items():
    setattr(Requirements, _name, property(lambda self, reason=_reason: exclusions.closed(reason)))
