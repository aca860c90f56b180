"""An exception class for every SQLSTATE of PostgreSQL 18 and of older versions (PostgreSQL docs, appendix A).

A table in the form of classes, so that type checkers and editors know them. `neonps.errors` loads it when the
first of them is needed, and that is where programs take them from.
"""

from __future__ import annotations

from .errors import DatabaseError as _D
from .errors import DataError as _V
from .errors import IntegrityError as _I
from .errors import InternalError as _N
from .errors import NotSupportedError as _U
from .errors import OperationalError as _O
from .errors import ProgrammingError as _P

# One line each: the whole file is a fifth smaller, and it is a large one of those that are deployed.
# ruff: noqa: E701
# fmt: off

# Class 02: No Data (this is also a warning class per the SQL standard)
class NoData(_D): sqlstate = "02000"
class NoAdditionalDynamicResultSetsReturned(_D): sqlstate = "02001"

# Class 03: SQL Statement Not Yet Complete
class SqlStatementNotYetComplete(_D): sqlstate = "03000"

# Class 08: Connection Exception
class ConnectionException(_O): sqlstate = "08000"
class ConnectionDoesNotExist(_O): sqlstate = "08003"
class ConnectionFailure(_O): sqlstate = "08006"
class SqlclientUnableToEstablishSqlconnection(_O): sqlstate = "08001"
class SqlserverRejectedEstablishmentOfSqlconnection(_O): sqlstate = "08004"
class TransactionResolutionUnknown(_O): sqlstate = "08007"
class ProtocolViolation(_O): sqlstate = "08P01"

# Class 09: Triggered Action Exception
class TriggeredActionException(_D): sqlstate = "09000"

# Class 0A: Feature Not Supported
class FeatureNotSupported(_U): sqlstate = "0A000"

# Class 0B: Invalid Transaction Initiation
class InvalidTransactionInitiation(_D): sqlstate = "0B000"

# Class 0F: Locator Exception
class LocatorException(_D): sqlstate = "0F000"
class InvalidLocatorSpecification(_D): sqlstate = "0F001"

# Class 0L: Invalid Grantor
class InvalidGrantor(_D): sqlstate = "0L000"
class InvalidGrantOperation(_D): sqlstate = "0LP01"

# Class 0P: Invalid Role Specification
class InvalidRoleSpecification(_D): sqlstate = "0P000"

# Class 0Z: Diagnostics Exception
class DiagnosticsException(_D): sqlstate = "0Z000"
class StackedDiagnosticsAccessedWithoutActiveHandler(_D): sqlstate = "0Z002"

# Class 10: XQuery Error
class InvalidArgumentForXquery(_P): sqlstate = "10608"

# Class 20: Case Not Found
class CaseNotFound(_P): sqlstate = "20000"

# Class 21: Cardinality Violation
class CardinalityViolation(_P): sqlstate = "21000"

# Class 22: Data Exception
class DataException(_V): sqlstate = "22000"
class ArraySubscriptError(_V): sqlstate = "2202E"
class CharacterNotInRepertoire(_V): sqlstate = "22021"
class DatetimeFieldOverflow(_V): sqlstate = "22008"
class DivisionByZero(_V): sqlstate = "22012"
class ErrorInAssignment(_V): sqlstate = "22005"
class EscapeCharacterConflict(_V): sqlstate = "2200B"
class IndicatorOverflow(_V): sqlstate = "22022"
class IntervalFieldOverflow(_V): sqlstate = "22015"
class InvalidArgumentForLogarithm(_V): sqlstate = "2201E"
class InvalidArgumentForNtileFunction(_V): sqlstate = "22014"
class InvalidArgumentForNthValueFunction(_V): sqlstate = "22016"
class InvalidArgumentForPowerFunction(_V): sqlstate = "2201F"
class InvalidArgumentForWidthBucketFunction(_V): sqlstate = "2201G"
class InvalidCharacterValueForCast(_V): sqlstate = "22018"
class InvalidDatetimeFormat(_V): sqlstate = "22007"
class InvalidEscapeCharacter(_V): sqlstate = "22019"
class InvalidEscapeOctet(_V): sqlstate = "2200D"
class InvalidEscapeSequence(_V): sqlstate = "22025"
class NonstandardUseOfEscapeCharacter(_V): sqlstate = "22P06"
class InvalidIndicatorParameterValue(_V): sqlstate = "22010"
class InvalidParameterValue(_V): sqlstate = "22023"
class InvalidPrecedingOrFollowingSize(_V): sqlstate = "22013"
class InvalidRegularExpression(_V): sqlstate = "2201B"
class InvalidRowCountInLimitClause(_V): sqlstate = "2201W"
class InvalidRowCountInResultOffsetClause(_V): sqlstate = "2201X"
class InvalidTablesampleArgument(_V): sqlstate = "2202H"
class InvalidTablesampleRepeat(_V): sqlstate = "2202G"
class InvalidTimeZoneDisplacementValue(_V): sqlstate = "22009"
class InvalidUseOfEscapeCharacter(_V): sqlstate = "2200C"
class MostSpecificTypeMismatch(_V): sqlstate = "2200G"
class NullValueNotAllowed(_V): sqlstate = "22004"
class NullValueNoIndicatorParameter(_V): sqlstate = "22002"
class NumericValueOutOfRange(_V): sqlstate = "22003"
class SequenceGeneratorLimitExceeded(_V): sqlstate = "2200H"
class StringDataLengthMismatch(_V): sqlstate = "22026"
class StringDataRightTruncation(_V): sqlstate = "22001"
class SubstringError(_V): sqlstate = "22011"
class TrimError(_V): sqlstate = "22027"
class UnterminatedCString(_V): sqlstate = "22024"
class ZeroLengthCharacterString(_V): sqlstate = "2200F"
class FloatingPointException(_V): sqlstate = "22P01"
class InvalidTextRepresentation(_V): sqlstate = "22P02"
class InvalidBinaryRepresentation(_V): sqlstate = "22P03"
class BadCopyFileFormat(_V): sqlstate = "22P04"
class UntranslatableCharacter(_V): sqlstate = "22P05"
class NotAnXmlDocument(_V): sqlstate = "2200L"
class InvalidXmlDocument(_V): sqlstate = "2200M"
class InvalidXmlContent(_V): sqlstate = "2200N"
class InvalidXmlComment(_V): sqlstate = "2200S"
class InvalidXmlProcessingInstruction(_V): sqlstate = "2200T"
class DuplicateJsonObjectKeyValue(_V): sqlstate = "22030"
class InvalidArgumentForSqlJsonDatetimeFunction(_V): sqlstate = "22031"
class InvalidJsonText(_V): sqlstate = "22032"
class InvalidSqlJsonSubscript(_V): sqlstate = "22033"
class MoreThanOneSqlJsonItem(_V): sqlstate = "22034"
class NoSqlJsonItem(_V): sqlstate = "22035"
class NonNumericSqlJsonItem(_V): sqlstate = "22036"
class NonUniqueKeysInAJsonObject(_V): sqlstate = "22037"
class SingletonSqlJsonItemRequired(_V): sqlstate = "22038"
class SqlJsonArrayNotFound(_V): sqlstate = "22039"
class SqlJsonMemberNotFound(_V): sqlstate = "2203A"
class SqlJsonNumberNotFound(_V): sqlstate = "2203B"
class SqlJsonObjectNotFound(_V): sqlstate = "2203C"
class TooManyJsonArrayElements(_V): sqlstate = "2203D"
class TooManyJsonObjectMembers(_V): sqlstate = "2203E"
class SqlJsonScalarRequired(_V): sqlstate = "2203F"
class SqlJsonItemCannotBeCastToTargetType(_V): sqlstate = "2203G"

# Class 23: Integrity Constraint Violation
class IntegrityConstraintViolation(_I): sqlstate = "23000"
class RestrictViolation(_I): sqlstate = "23001"
class NotNullViolation(_I): sqlstate = "23502"
class ForeignKeyViolation(_I): sqlstate = "23503"
class UniqueViolation(_I): sqlstate = "23505"
class CheckViolation(_I): sqlstate = "23514"
class ExclusionViolation(_I): sqlstate = "23P01"

# Class 24: Invalid Cursor State
class InvalidCursorState(_N): sqlstate = "24000"

# Class 25: Invalid Transaction State
class InvalidTransactionState(_N): sqlstate = "25000"
class ActiveSqlTransaction(_N): sqlstate = "25001"
class BranchTransactionAlreadyActive(_N): sqlstate = "25002"
class HeldCursorRequiresSameIsolationLevel(_N): sqlstate = "25008"
class InappropriateAccessModeForBranchTransaction(_N): sqlstate = "25003"
class InappropriateIsolationLevelForBranchTransaction(_N): sqlstate = "25004"
class NoActiveSqlTransactionForBranchTransaction(_N): sqlstate = "25005"
class ReadOnlySqlTransaction(_N): sqlstate = "25006"
class SchemaAndDataStatementMixingNotSupported(_N): sqlstate = "25007"
class NoActiveSqlTransaction(_N): sqlstate = "25P01"
class InFailedSqlTransaction(_N): sqlstate = "25P02"
class IdleInTransactionSessionTimeout(_N): sqlstate = "25P03"
class TransactionTimeout(_N): sqlstate = "25P04"

# Class 26: Invalid SQL Statement Name
class InvalidSqlStatementName(_P): sqlstate = "26000"

# Class 27: Triggered Data Change Violation
class TriggeredDataChangeViolation(_O): sqlstate = "27000"

# Class 28: Invalid Authorization Specification
class InvalidAuthorizationSpecification(_O): sqlstate = "28000"
class InvalidPassword(_O): sqlstate = "28P01"

# Class 2B: Dependent Privilege Descriptors Still Exist
class DependentPrivilegeDescriptorsStillExist(_N): sqlstate = "2B000"
class DependentObjectsStillExist(_N): sqlstate = "2BP01"

# Class 2D: Invalid Transaction Termination
class InvalidTransactionTermination(_N): sqlstate = "2D000"

# Class 2F: SQL Routine Exception
class SqlRoutineException(_O): sqlstate = "2F000"
class FunctionExecutedNoReturnStatement(_O): sqlstate = "2F005"
class ModifyingSqlDataNotPermitted(_O): sqlstate = "2F002"
class ProhibitedSqlStatementAttempted(_O): sqlstate = "2F003"
class ReadingSqlDataNotPermitted(_O): sqlstate = "2F004"

# Class 34: Invalid Cursor Name
class InvalidCursorName(_P): sqlstate = "34000"

# Class 38: External Routine Exception
class ExternalRoutineException(_O): sqlstate = "38000"
class ContainingSqlNotPermitted(_O): sqlstate = "38001"
class ModifyingSqlDataNotPermittedExt(_O): sqlstate = "38002"
class ProhibitedSqlStatementAttemptedExt(_O): sqlstate = "38003"
class ReadingSqlDataNotPermittedExt(_O): sqlstate = "38004"

# Class 39: External Routine Invocation Exception
class ExternalRoutineInvocationException(_O): sqlstate = "39000"
class InvalidSqlstateReturned(_O): sqlstate = "39001"
class NullValueNotAllowedExt(_O): sqlstate = "39004"
class TriggerProtocolViolated(_O): sqlstate = "39P01"
class SrfProtocolViolated(_O): sqlstate = "39P02"
class EventTriggerProtocolViolated(_O): sqlstate = "39P03"

# Class 3B: Savepoint Exception
class SavepointException(_O): sqlstate = "3B000"
class InvalidSavepointSpecification(_O): sqlstate = "3B001"

# Class 3D: Invalid Catalog Name
class InvalidCatalogName(_P): sqlstate = "3D000"

# Class 3F: Invalid Schema Name
class InvalidSchemaName(_P): sqlstate = "3F000"

# Class 40: Transaction Rollback
class TransactionRollback(_O): sqlstate = "40000"
class TransactionIntegrityConstraintViolation(_O): sqlstate = "40002"
class SerializationFailure(_O): sqlstate = "40001"
class StatementCompletionUnknown(_O): sqlstate = "40003"
class DeadlockDetected(_O): sqlstate = "40P01"

# Class 42: Syntax Error or Access Rule Violation
class SyntaxErrorOrAccessRuleViolation(_P): sqlstate = "42000"
class SyntaxError(_P): sqlstate = "42601"
class InsufficientPrivilege(_P): sqlstate = "42501"
class CannotCoerce(_P): sqlstate = "42846"
class GroupingError(_P): sqlstate = "42803"
class WindowingError(_P): sqlstate = "42P20"
class InvalidRecursion(_P): sqlstate = "42P19"
class InvalidForeignKey(_P): sqlstate = "42830"
class InvalidName(_P): sqlstate = "42602"
class NameTooLong(_P): sqlstate = "42622"
class ReservedName(_P): sqlstate = "42939"
class DatatypeMismatch(_P): sqlstate = "42804"
class IndeterminateDatatype(_P): sqlstate = "42P18"
class CollationMismatch(_P): sqlstate = "42P21"
class IndeterminateCollation(_P): sqlstate = "42P22"
class WrongObjectType(_P): sqlstate = "42809"
class GeneratedAlways(_P): sqlstate = "428C9"
class UndefinedColumn(_P): sqlstate = "42703"
class UndefinedFunction(_P): sqlstate = "42883"
class UndefinedTable(_P): sqlstate = "42P01"
class UndefinedParameter(_P): sqlstate = "42P02"
class UndefinedObject(_P): sqlstate = "42704"
class DuplicateColumn(_P): sqlstate = "42701"
class DuplicateCursor(_P): sqlstate = "42P03"
class DuplicateDatabase(_P): sqlstate = "42P04"
class DuplicateFunction(_P): sqlstate = "42723"
class DuplicatePreparedStatement(_P): sqlstate = "42P05"
class DuplicateSchema(_P): sqlstate = "42P06"
class DuplicateTable(_P): sqlstate = "42P07"
class DuplicateAlias(_P): sqlstate = "42712"
class DuplicateObject(_P): sqlstate = "42710"
class AmbiguousColumn(_P): sqlstate = "42702"
class AmbiguousFunction(_P): sqlstate = "42725"
class AmbiguousParameter(_P): sqlstate = "42P08"
class AmbiguousAlias(_P): sqlstate = "42P09"
class InvalidColumnReference(_P): sqlstate = "42P10"
class InvalidColumnDefinition(_P): sqlstate = "42611"
class InvalidCursorDefinition(_P): sqlstate = "42P11"
class InvalidDatabaseDefinition(_P): sqlstate = "42P12"
class InvalidFunctionDefinition(_P): sqlstate = "42P13"
class InvalidPreparedStatementDefinition(_P): sqlstate = "42P14"
class InvalidSchemaDefinition(_P): sqlstate = "42P15"
class InvalidTableDefinition(_P): sqlstate = "42P16"
class InvalidObjectDefinition(_P): sqlstate = "42P17"

# Class 44: WITH CHECK OPTION Violation
class WithCheckOptionViolation(_P): sqlstate = "44000"

# Class 53: Insufficient Resources
class InsufficientResources(_O): sqlstate = "53000"
class DiskFull(_O): sqlstate = "53100"
class OutOfMemory(_O): sqlstate = "53200"
class TooManyConnections(_O): sqlstate = "53300"
class ConfigurationLimitExceeded(_O): sqlstate = "53400"

# Class 54: Program Limit Exceeded
class ProgramLimitExceeded(_O): sqlstate = "54000"
class StatementTooComplex(_O): sqlstate = "54001"
class TooManyColumns(_O): sqlstate = "54011"
class TooManyArguments(_O): sqlstate = "54023"

# Class 55: Object Not In Prerequisite State
class ObjectNotInPrerequisiteState(_O): sqlstate = "55000"
class ObjectInUse(_O): sqlstate = "55006"
class CantChangeRuntimeParam(_O): sqlstate = "55P02"
class LockNotAvailable(_O): sqlstate = "55P03"
class UnsafeNewEnumValueUsage(_O): sqlstate = "55P04"

# Class 57: Operator Intervention
class OperatorIntervention(_O): sqlstate = "57000"
class QueryCanceled(_O): sqlstate = "57014"
class AdminShutdown(_O): sqlstate = "57P01"
class CrashShutdown(_O): sqlstate = "57P02"
class CannotConnectNow(_O): sqlstate = "57P03"
class DatabaseDropped(_O): sqlstate = "57P04"
class IdleSessionTimeout(_O): sqlstate = "57P05"

# Class 58: System Error (errors external to PostgreSQL itself)
class SystemError(_O): sqlstate = "58000"
class IoError(_O): sqlstate = "58030"
class UndefinedFile(_O): sqlstate = "58P01"
class DuplicateFile(_O): sqlstate = "58P02"
class FileNameTooLong(_O): sqlstate = "58P03"

# Class 72: Snapshot Failure (PostgreSQL 16 and older)
class SnapshotTooOld(_D): sqlstate = "72000"

# Class F0: Configuration File Error
class ConfigFileError(_O): sqlstate = "F0000"
class LockFileExists(_O): sqlstate = "F0001"

# Class HV: Foreign Data Wrapper Error (SQL/MED)
class FdwError(_O): sqlstate = "HV000"
class FdwColumnNameNotFound(_O): sqlstate = "HV005"
class FdwDynamicParameterValueNeeded(_O): sqlstate = "HV002"
class FdwFunctionSequenceError(_O): sqlstate = "HV010"
class FdwInconsistentDescriptorInformation(_O): sqlstate = "HV021"
class FdwInvalidAttributeValue(_O): sqlstate = "HV024"
class FdwInvalidColumnName(_O): sqlstate = "HV007"
class FdwInvalidColumnNumber(_O): sqlstate = "HV008"
class FdwInvalidDataType(_O): sqlstate = "HV004"
class FdwInvalidDataTypeDescriptors(_O): sqlstate = "HV006"
class FdwInvalidDescriptorFieldIdentifier(_O): sqlstate = "HV091"
class FdwInvalidHandle(_O): sqlstate = "HV00B"
class FdwInvalidOptionIndex(_O): sqlstate = "HV00C"
class FdwInvalidOptionName(_O): sqlstate = "HV00D"
class FdwInvalidStringLengthOrBufferLength(_O): sqlstate = "HV090"
class FdwInvalidStringFormat(_O): sqlstate = "HV00A"
class FdwInvalidUseOfNullPointer(_O): sqlstate = "HV009"
class FdwTooManyHandles(_O): sqlstate = "HV014"
class FdwOutOfMemory(_O): sqlstate = "HV001"
class FdwNoSchemas(_O): sqlstate = "HV00P"
class FdwOptionNameNotFound(_O): sqlstate = "HV00J"
class FdwReplyHandle(_O): sqlstate = "HV00K"
class FdwSchemaNotFound(_O): sqlstate = "HV00Q"
class FdwTableNotFound(_O): sqlstate = "HV00R"
class FdwUnableToCreateExecution(_O): sqlstate = "HV00L"
class FdwUnableToCreateReply(_O): sqlstate = "HV00M"
class FdwUnableToEstablishConnection(_O): sqlstate = "HV00N"

# Class P0: PL/pgSQL Error
class PlpgsqlError(_P): sqlstate = "P0000"
class RaiseException(_P): sqlstate = "P0001"
class NoDataFound(_P): sqlstate = "P0002"
class TooManyRows(_P): sqlstate = "P0003"
class AssertFailure(_P): sqlstate = "P0004"

# Class XX: Internal Error
class InternalError_(_N): sqlstate = "XX000"
class DataCorrupted(_N): sqlstate = "XX001"
class IndexCorrupted(_N): sqlstate = "XX002"
