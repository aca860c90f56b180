"""An exception class for every SQLSTATE of PostgreSQL 18 and of older versions (PostgreSQL docs, appendix A).

A table in the form of classes, so that type checkers and editors know them. `neonps.errors` loads it when the
first of them is needed, and that is where programs take them from.
"""

from __future__ import annotations

from .errors import (
    DatabaseError,
    DataError,
    IntegrityError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)


# Class 02: No Data (this is also a warning class per the SQL standard)
class NoData(DatabaseError):
    sqlstate = "02000"


class NoAdditionalDynamicResultSetsReturned(DatabaseError):
    sqlstate = "02001"


# Class 03: SQL Statement Not Yet Complete
class SqlStatementNotYetComplete(DatabaseError):
    sqlstate = "03000"


# Class 08: Connection Exception
class ConnectionException(OperationalError):
    sqlstate = "08000"


class ConnectionDoesNotExist(OperationalError):
    sqlstate = "08003"


class ConnectionFailure(OperationalError):
    sqlstate = "08006"


class SqlclientUnableToEstablishSqlconnection(OperationalError):
    sqlstate = "08001"


class SqlserverRejectedEstablishmentOfSqlconnection(OperationalError):
    sqlstate = "08004"


class TransactionResolutionUnknown(OperationalError):
    sqlstate = "08007"


class ProtocolViolation(OperationalError):
    sqlstate = "08P01"


# Class 09: Triggered Action Exception
class TriggeredActionException(DatabaseError):
    sqlstate = "09000"


# Class 0A: Feature Not Supported
class FeatureNotSupported(NotSupportedError):
    sqlstate = "0A000"


# Class 0B: Invalid Transaction Initiation
class InvalidTransactionInitiation(DatabaseError):
    sqlstate = "0B000"


# Class 0F: Locator Exception
class LocatorException(DatabaseError):
    sqlstate = "0F000"


class InvalidLocatorSpecification(DatabaseError):
    sqlstate = "0F001"


# Class 0L: Invalid Grantor
class InvalidGrantor(DatabaseError):
    sqlstate = "0L000"


class InvalidGrantOperation(DatabaseError):
    sqlstate = "0LP01"


# Class 0P: Invalid Role Specification
class InvalidRoleSpecification(DatabaseError):
    sqlstate = "0P000"


# Class 0Z: Diagnostics Exception
class DiagnosticsException(DatabaseError):
    sqlstate = "0Z000"


class StackedDiagnosticsAccessedWithoutActiveHandler(DatabaseError):
    sqlstate = "0Z002"


# Class 10: XQuery Error
class InvalidArgumentForXquery(ProgrammingError):
    sqlstate = "10608"


# Class 20: Case Not Found
class CaseNotFound(ProgrammingError):
    sqlstate = "20000"


# Class 21: Cardinality Violation
class CardinalityViolation(ProgrammingError):
    sqlstate = "21000"


# Class 22: Data Exception
class DataException(DataError):
    sqlstate = "22000"


class ArraySubscriptError(DataError):
    sqlstate = "2202E"


class CharacterNotInRepertoire(DataError):
    sqlstate = "22021"


class DatetimeFieldOverflow(DataError):
    sqlstate = "22008"


class DivisionByZero(DataError):
    sqlstate = "22012"


class ErrorInAssignment(DataError):
    sqlstate = "22005"


class EscapeCharacterConflict(DataError):
    sqlstate = "2200B"


class IndicatorOverflow(DataError):
    sqlstate = "22022"


class IntervalFieldOverflow(DataError):
    sqlstate = "22015"


class InvalidArgumentForLogarithm(DataError):
    sqlstate = "2201E"


class InvalidArgumentForNtileFunction(DataError):
    sqlstate = "22014"


class InvalidArgumentForNthValueFunction(DataError):
    sqlstate = "22016"


class InvalidArgumentForPowerFunction(DataError):
    sqlstate = "2201F"


class InvalidArgumentForWidthBucketFunction(DataError):
    sqlstate = "2201G"


class InvalidCharacterValueForCast(DataError):
    sqlstate = "22018"


class InvalidDatetimeFormat(DataError):
    sqlstate = "22007"


class InvalidEscapeCharacter(DataError):
    sqlstate = "22019"


class InvalidEscapeOctet(DataError):
    sqlstate = "2200D"


class InvalidEscapeSequence(DataError):
    sqlstate = "22025"


class NonstandardUseOfEscapeCharacter(DataError):
    sqlstate = "22P06"


class InvalidIndicatorParameterValue(DataError):
    sqlstate = "22010"


class InvalidParameterValue(DataError):
    sqlstate = "22023"


class InvalidPrecedingOrFollowingSize(DataError):
    sqlstate = "22013"


class InvalidRegularExpression(DataError):
    sqlstate = "2201B"


class InvalidRowCountInLimitClause(DataError):
    sqlstate = "2201W"


class InvalidRowCountInResultOffsetClause(DataError):
    sqlstate = "2201X"


class InvalidTablesampleArgument(DataError):
    sqlstate = "2202H"


class InvalidTablesampleRepeat(DataError):
    sqlstate = "2202G"


class InvalidTimeZoneDisplacementValue(DataError):
    sqlstate = "22009"


class InvalidUseOfEscapeCharacter(DataError):
    sqlstate = "2200C"


class MostSpecificTypeMismatch(DataError):
    sqlstate = "2200G"


class NullValueNotAllowed(DataError):
    sqlstate = "22004"


class NullValueNoIndicatorParameter(DataError):
    sqlstate = "22002"


class NumericValueOutOfRange(DataError):
    sqlstate = "22003"


class SequenceGeneratorLimitExceeded(DataError):
    sqlstate = "2200H"


class StringDataLengthMismatch(DataError):
    sqlstate = "22026"


class StringDataRightTruncation(DataError):
    sqlstate = "22001"


class SubstringError(DataError):
    sqlstate = "22011"


class TrimError(DataError):
    sqlstate = "22027"


class UnterminatedCString(DataError):
    sqlstate = "22024"


class ZeroLengthCharacterString(DataError):
    sqlstate = "2200F"


class FloatingPointException(DataError):
    sqlstate = "22P01"


class InvalidTextRepresentation(DataError):
    sqlstate = "22P02"


class InvalidBinaryRepresentation(DataError):
    sqlstate = "22P03"


class BadCopyFileFormat(DataError):
    sqlstate = "22P04"


class UntranslatableCharacter(DataError):
    sqlstate = "22P05"


class NotAnXmlDocument(DataError):
    sqlstate = "2200L"


class InvalidXmlDocument(DataError):
    sqlstate = "2200M"


class InvalidXmlContent(DataError):
    sqlstate = "2200N"


class InvalidXmlComment(DataError):
    sqlstate = "2200S"


class InvalidXmlProcessingInstruction(DataError):
    sqlstate = "2200T"


class DuplicateJsonObjectKeyValue(DataError):
    sqlstate = "22030"


class InvalidArgumentForSqlJsonDatetimeFunction(DataError):
    sqlstate = "22031"


class InvalidJsonText(DataError):
    sqlstate = "22032"


class InvalidSqlJsonSubscript(DataError):
    sqlstate = "22033"


class MoreThanOneSqlJsonItem(DataError):
    sqlstate = "22034"


class NoSqlJsonItem(DataError):
    sqlstate = "22035"


class NonNumericSqlJsonItem(DataError):
    sqlstate = "22036"


class NonUniqueKeysInAJsonObject(DataError):
    sqlstate = "22037"


class SingletonSqlJsonItemRequired(DataError):
    sqlstate = "22038"


class SqlJsonArrayNotFound(DataError):
    sqlstate = "22039"


class SqlJsonMemberNotFound(DataError):
    sqlstate = "2203A"


class SqlJsonNumberNotFound(DataError):
    sqlstate = "2203B"


class SqlJsonObjectNotFound(DataError):
    sqlstate = "2203C"


class TooManyJsonArrayElements(DataError):
    sqlstate = "2203D"


class TooManyJsonObjectMembers(DataError):
    sqlstate = "2203E"


class SqlJsonScalarRequired(DataError):
    sqlstate = "2203F"


class SqlJsonItemCannotBeCastToTargetType(DataError):
    sqlstate = "2203G"


# Class 23: Integrity Constraint Violation
class IntegrityConstraintViolation(IntegrityError):
    sqlstate = "23000"


class RestrictViolation(IntegrityError):
    sqlstate = "23001"


class NotNullViolation(IntegrityError):
    sqlstate = "23502"


class ForeignKeyViolation(IntegrityError):
    sqlstate = "23503"


class UniqueViolation(IntegrityError):
    sqlstate = "23505"


class CheckViolation(IntegrityError):
    sqlstate = "23514"


class ExclusionViolation(IntegrityError):
    sqlstate = "23P01"


# Class 24: Invalid Cursor State
class InvalidCursorState(InternalError):
    sqlstate = "24000"


# Class 25: Invalid Transaction State
class InvalidTransactionState(InternalError):
    sqlstate = "25000"


class ActiveSqlTransaction(InternalError):
    sqlstate = "25001"


class BranchTransactionAlreadyActive(InternalError):
    sqlstate = "25002"


class HeldCursorRequiresSameIsolationLevel(InternalError):
    sqlstate = "25008"


class InappropriateAccessModeForBranchTransaction(InternalError):
    sqlstate = "25003"


class InappropriateIsolationLevelForBranchTransaction(InternalError):
    sqlstate = "25004"


class NoActiveSqlTransactionForBranchTransaction(InternalError):
    sqlstate = "25005"


class ReadOnlySqlTransaction(InternalError):
    sqlstate = "25006"


class SchemaAndDataStatementMixingNotSupported(InternalError):
    sqlstate = "25007"


class NoActiveSqlTransaction(InternalError):
    sqlstate = "25P01"


class InFailedSqlTransaction(InternalError):
    sqlstate = "25P02"


class IdleInTransactionSessionTimeout(InternalError):
    sqlstate = "25P03"


class TransactionTimeout(InternalError):
    sqlstate = "25P04"


# Class 26: Invalid SQL Statement Name
class InvalidSqlStatementName(ProgrammingError):
    sqlstate = "26000"


# Class 27: Triggered Data Change Violation
class TriggeredDataChangeViolation(OperationalError):
    sqlstate = "27000"


# Class 28: Invalid Authorization Specification
class InvalidAuthorizationSpecification(OperationalError):
    sqlstate = "28000"


class InvalidPassword(OperationalError):
    sqlstate = "28P01"


# Class 2B: Dependent Privilege Descriptors Still Exist
class DependentPrivilegeDescriptorsStillExist(InternalError):
    sqlstate = "2B000"


class DependentObjectsStillExist(InternalError):
    sqlstate = "2BP01"


# Class 2D: Invalid Transaction Termination
class InvalidTransactionTermination(InternalError):
    sqlstate = "2D000"


# Class 2F: SQL Routine Exception
class SqlRoutineException(OperationalError):
    sqlstate = "2F000"


class FunctionExecutedNoReturnStatement(OperationalError):
    sqlstate = "2F005"


class ModifyingSqlDataNotPermitted(OperationalError):
    sqlstate = "2F002"


class ProhibitedSqlStatementAttempted(OperationalError):
    sqlstate = "2F003"


class ReadingSqlDataNotPermitted(OperationalError):
    sqlstate = "2F004"


# Class 34: Invalid Cursor Name
class InvalidCursorName(ProgrammingError):
    sqlstate = "34000"


# Class 38: External Routine Exception
class ExternalRoutineException(OperationalError):
    sqlstate = "38000"


class ContainingSqlNotPermitted(OperationalError):
    sqlstate = "38001"


class ModifyingSqlDataNotPermittedExt(OperationalError):
    sqlstate = "38002"


class ProhibitedSqlStatementAttemptedExt(OperationalError):
    sqlstate = "38003"


class ReadingSqlDataNotPermittedExt(OperationalError):
    sqlstate = "38004"


# Class 39: External Routine Invocation Exception
class ExternalRoutineInvocationException(OperationalError):
    sqlstate = "39000"


class InvalidSqlstateReturned(OperationalError):
    sqlstate = "39001"


class NullValueNotAllowedExt(OperationalError):
    sqlstate = "39004"


class TriggerProtocolViolated(OperationalError):
    sqlstate = "39P01"


class SrfProtocolViolated(OperationalError):
    sqlstate = "39P02"


class EventTriggerProtocolViolated(OperationalError):
    sqlstate = "39P03"


# Class 3B: Savepoint Exception
class SavepointException(OperationalError):
    sqlstate = "3B000"


class InvalidSavepointSpecification(OperationalError):
    sqlstate = "3B001"


# Class 3D: Invalid Catalog Name
class InvalidCatalogName(ProgrammingError):
    sqlstate = "3D000"


# Class 3F: Invalid Schema Name
class InvalidSchemaName(ProgrammingError):
    sqlstate = "3F000"


# Class 40: Transaction Rollback
class TransactionRollback(OperationalError):
    sqlstate = "40000"


class TransactionIntegrityConstraintViolation(OperationalError):
    sqlstate = "40002"


class SerializationFailure(OperationalError):
    sqlstate = "40001"


class StatementCompletionUnknown(OperationalError):
    sqlstate = "40003"


class DeadlockDetected(OperationalError):
    sqlstate = "40P01"


# Class 42: Syntax Error or Access Rule Violation
class SyntaxErrorOrAccessRuleViolation(ProgrammingError):
    sqlstate = "42000"


class SyntaxError(ProgrammingError):
    sqlstate = "42601"


class InsufficientPrivilege(ProgrammingError):
    sqlstate = "42501"


class CannotCoerce(ProgrammingError):
    sqlstate = "42846"


class GroupingError(ProgrammingError):
    sqlstate = "42803"


class WindowingError(ProgrammingError):
    sqlstate = "42P20"


class InvalidRecursion(ProgrammingError):
    sqlstate = "42P19"


class InvalidForeignKey(ProgrammingError):
    sqlstate = "42830"


class InvalidName(ProgrammingError):
    sqlstate = "42602"


class NameTooLong(ProgrammingError):
    sqlstate = "42622"


class ReservedName(ProgrammingError):
    sqlstate = "42939"


class DatatypeMismatch(ProgrammingError):
    sqlstate = "42804"


class IndeterminateDatatype(ProgrammingError):
    sqlstate = "42P18"


class CollationMismatch(ProgrammingError):
    sqlstate = "42P21"


class IndeterminateCollation(ProgrammingError):
    sqlstate = "42P22"


class WrongObjectType(ProgrammingError):
    sqlstate = "42809"


class GeneratedAlways(ProgrammingError):
    sqlstate = "428C9"


class UndefinedColumn(ProgrammingError):
    sqlstate = "42703"


class UndefinedFunction(ProgrammingError):
    sqlstate = "42883"


class UndefinedTable(ProgrammingError):
    sqlstate = "42P01"


class UndefinedParameter(ProgrammingError):
    sqlstate = "42P02"


class UndefinedObject(ProgrammingError):
    sqlstate = "42704"


class DuplicateColumn(ProgrammingError):
    sqlstate = "42701"


class DuplicateCursor(ProgrammingError):
    sqlstate = "42P03"


class DuplicateDatabase(ProgrammingError):
    sqlstate = "42P04"


class DuplicateFunction(ProgrammingError):
    sqlstate = "42723"


class DuplicatePreparedStatement(ProgrammingError):
    sqlstate = "42P05"


class DuplicateSchema(ProgrammingError):
    sqlstate = "42P06"


class DuplicateTable(ProgrammingError):
    sqlstate = "42P07"


class DuplicateAlias(ProgrammingError):
    sqlstate = "42712"


class DuplicateObject(ProgrammingError):
    sqlstate = "42710"


class AmbiguousColumn(ProgrammingError):
    sqlstate = "42702"


class AmbiguousFunction(ProgrammingError):
    sqlstate = "42725"


class AmbiguousParameter(ProgrammingError):
    sqlstate = "42P08"


class AmbiguousAlias(ProgrammingError):
    sqlstate = "42P09"


class InvalidColumnReference(ProgrammingError):
    sqlstate = "42P10"


class InvalidColumnDefinition(ProgrammingError):
    sqlstate = "42611"


class InvalidCursorDefinition(ProgrammingError):
    sqlstate = "42P11"


class InvalidDatabaseDefinition(ProgrammingError):
    sqlstate = "42P12"


class InvalidFunctionDefinition(ProgrammingError):
    sqlstate = "42P13"


class InvalidPreparedStatementDefinition(ProgrammingError):
    sqlstate = "42P14"


class InvalidSchemaDefinition(ProgrammingError):
    sqlstate = "42P15"


class InvalidTableDefinition(ProgrammingError):
    sqlstate = "42P16"


class InvalidObjectDefinition(ProgrammingError):
    sqlstate = "42P17"


# Class 44: WITH CHECK OPTION Violation
class WithCheckOptionViolation(ProgrammingError):
    sqlstate = "44000"


# Class 53: Insufficient Resources
class InsufficientResources(OperationalError):
    sqlstate = "53000"


class DiskFull(OperationalError):
    sqlstate = "53100"


class OutOfMemory(OperationalError):
    sqlstate = "53200"


class TooManyConnections(OperationalError):
    sqlstate = "53300"


class ConfigurationLimitExceeded(OperationalError):
    sqlstate = "53400"


# Class 54: Program Limit Exceeded
class ProgramLimitExceeded(OperationalError):
    sqlstate = "54000"


class StatementTooComplex(OperationalError):
    sqlstate = "54001"


class TooManyColumns(OperationalError):
    sqlstate = "54011"


class TooManyArguments(OperationalError):
    sqlstate = "54023"


# Class 55: Object Not In Prerequisite State
class ObjectNotInPrerequisiteState(OperationalError):
    sqlstate = "55000"


class ObjectInUse(OperationalError):
    sqlstate = "55006"


class CantChangeRuntimeParam(OperationalError):
    sqlstate = "55P02"


class LockNotAvailable(OperationalError):
    sqlstate = "55P03"


class UnsafeNewEnumValueUsage(OperationalError):
    sqlstate = "55P04"


# Class 57: Operator Intervention
class OperatorIntervention(OperationalError):
    sqlstate = "57000"


class QueryCanceled(OperationalError):
    sqlstate = "57014"


class AdminShutdown(OperationalError):
    sqlstate = "57P01"


class CrashShutdown(OperationalError):
    sqlstate = "57P02"


class CannotConnectNow(OperationalError):
    sqlstate = "57P03"


class DatabaseDropped(OperationalError):
    sqlstate = "57P04"


class IdleSessionTimeout(OperationalError):
    sqlstate = "57P05"


# Class 58: System Error (errors external to PostgreSQL itself)
class SystemError(OperationalError):
    sqlstate = "58000"


class IoError(OperationalError):
    sqlstate = "58030"


class UndefinedFile(OperationalError):
    sqlstate = "58P01"


class DuplicateFile(OperationalError):
    sqlstate = "58P02"


class FileNameTooLong(OperationalError):
    sqlstate = "58P03"


# Class 72: Snapshot Failure (PostgreSQL 16 and older)
class SnapshotTooOld(DatabaseError):
    sqlstate = "72000"


# Class F0: Configuration File Error
class ConfigFileError(OperationalError):
    sqlstate = "F0000"


class LockFileExists(OperationalError):
    sqlstate = "F0001"


# Class HV: Foreign Data Wrapper Error (SQL/MED)
class FdwError(OperationalError):
    sqlstate = "HV000"


class FdwColumnNameNotFound(OperationalError):
    sqlstate = "HV005"


class FdwDynamicParameterValueNeeded(OperationalError):
    sqlstate = "HV002"


class FdwFunctionSequenceError(OperationalError):
    sqlstate = "HV010"


class FdwInconsistentDescriptorInformation(OperationalError):
    sqlstate = "HV021"


class FdwInvalidAttributeValue(OperationalError):
    sqlstate = "HV024"


class FdwInvalidColumnName(OperationalError):
    sqlstate = "HV007"


class FdwInvalidColumnNumber(OperationalError):
    sqlstate = "HV008"


class FdwInvalidDataType(OperationalError):
    sqlstate = "HV004"


class FdwInvalidDataTypeDescriptors(OperationalError):
    sqlstate = "HV006"


class FdwInvalidDescriptorFieldIdentifier(OperationalError):
    sqlstate = "HV091"


class FdwInvalidHandle(OperationalError):
    sqlstate = "HV00B"


class FdwInvalidOptionIndex(OperationalError):
    sqlstate = "HV00C"


class FdwInvalidOptionName(OperationalError):
    sqlstate = "HV00D"


class FdwInvalidStringLengthOrBufferLength(OperationalError):
    sqlstate = "HV090"


class FdwInvalidStringFormat(OperationalError):
    sqlstate = "HV00A"


class FdwInvalidUseOfNullPointer(OperationalError):
    sqlstate = "HV009"


class FdwTooManyHandles(OperationalError):
    sqlstate = "HV014"


class FdwOutOfMemory(OperationalError):
    sqlstate = "HV001"


class FdwNoSchemas(OperationalError):
    sqlstate = "HV00P"


class FdwOptionNameNotFound(OperationalError):
    sqlstate = "HV00J"


class FdwReplyHandle(OperationalError):
    sqlstate = "HV00K"


class FdwSchemaNotFound(OperationalError):
    sqlstate = "HV00Q"


class FdwTableNotFound(OperationalError):
    sqlstate = "HV00R"


class FdwUnableToCreateExecution(OperationalError):
    sqlstate = "HV00L"


class FdwUnableToCreateReply(OperationalError):
    sqlstate = "HV00M"


class FdwUnableToEstablishConnection(OperationalError):
    sqlstate = "HV00N"


# Class P0: PL/pgSQL Error
class PlpgsqlError(ProgrammingError):
    sqlstate = "P0000"


class RaiseException(ProgrammingError):
    sqlstate = "P0001"


class NoDataFound(ProgrammingError):
    sqlstate = "P0002"


class TooManyRows(ProgrammingError):
    sqlstate = "P0003"


class AssertFailure(ProgrammingError):
    sqlstate = "P0004"


# Class XX: Internal Error
class InternalError_(InternalError):
    sqlstate = "XX000"


class DataCorrupted(InternalError):
    sqlstate = "XX001"


class IndexCorrupted(InternalError):
    sqlstate = "XX002"
