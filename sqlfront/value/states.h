/* The SQLSTATEs that only SQL raises: those of PostgreSQL manual, appendix A, that base/error.h has not. */
#ifndef SYNOD_SQLFRONT_VALUE_STATES_H
#define SYNOD_SQLFRONT_VALUE_STATES_H

#include "base/error.h"

/* Class 01 - Warning */
#define SQLSTATE_WARNING                              ((enum sqlstate)SQLSTATE_PACK('0', '1', '0', '0', '0'))
#define SQLSTATE_WARNING_DYNAMIC_RESULT_SETS_RETURNED ((enum sqlstate)SQLSTATE_PACK('0', '1', '0', '0', 'C'))
#define SQLSTATE_WARNING_IMPLICIT_ZERO_BIT_PADDING    ((enum sqlstate)SQLSTATE_PACK('0', '1', '0', '0', '8'))
#define SQLSTATE_WARNING_NULL_VALUE_ELIMINATED_IN_SET_FUNCTION \
    ((enum sqlstate)SQLSTATE_PACK('0', '1', '0', '0', '3'))
#define SQLSTATE_WARNING_PRIVILEGE_NOT_GRANTED        ((enum sqlstate)SQLSTATE_PACK('0', '1', '0', '0', '7'))
#define SQLSTATE_WARNING_PRIVILEGE_NOT_REVOKED        ((enum sqlstate)SQLSTATE_PACK('0', '1', '0', '0', '6'))
#define SQLSTATE_WARNING_STRING_DATA_RIGHT_TRUNCATION ((enum sqlstate)SQLSTATE_PACK('0', '1', '0', '0', '4'))
#define SQLSTATE_WARNING_DEPRECATED_FEATURE           ((enum sqlstate)SQLSTATE_PACK('0', '1', 'P', '0', '1'))
/* Class 02 - No Data (this is also a warning class per the SQL standard) */
#define SQLSTATE_NO_DATA ((enum sqlstate)SQLSTATE_PACK('0', '2', '0', '0', '0'))
#define SQLSTATE_NO_ADDITIONAL_DYNAMIC_RESULT_SETS_RETURNED \
    ((enum sqlstate)SQLSTATE_PACK('0', '2', '0', '0', '1'))
/* Class 03 - SQL Statement Not Yet Complete */
#define SQLSTATE_SQL_STATEMENT_NOT_YET_COMPLETE ((enum sqlstate)SQLSTATE_PACK('0', '3', '0', '0', '0'))
/* Class 08 - Connection Exception */
#define SQLSTATE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION \
    ((enum sqlstate)SQLSTATE_PACK('0', '8', '0', '0', '1'))
#define SQLSTATE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION \
    ((enum sqlstate)SQLSTATE_PACK('0', '8', '0', '0', '4'))
#define SQLSTATE_TRANSACTION_RESOLUTION_UNKNOWN ((enum sqlstate)SQLSTATE_PACK('0', '8', '0', '0', '7'))
/* Class 09 - Triggered Action Exception */
#define SQLSTATE_TRIGGERED_ACTION_EXCEPTION ((enum sqlstate)SQLSTATE_PACK('0', '9', '0', '0', '0'))
/* Class 0B - Invalid Transaction Initiation */
#define SQLSTATE_INVALID_TRANSACTION_INITIATION ((enum sqlstate)SQLSTATE_PACK('0', 'B', '0', '0', '0'))
/* Class 0F - Locator Exception */
#define SQLSTATE_LOCATOR_EXCEPTION         ((enum sqlstate)SQLSTATE_PACK('0', 'F', '0', '0', '0'))
#define SQLSTATE_L_E_INVALID_SPECIFICATION ((enum sqlstate)SQLSTATE_PACK('0', 'F', '0', '0', '1'))
/* Class 0L - Invalid Grantor */
#define SQLSTATE_INVALID_GRANTOR         ((enum sqlstate)SQLSTATE_PACK('0', 'L', '0', '0', '0'))
#define SQLSTATE_INVALID_GRANT_OPERATION ((enum sqlstate)SQLSTATE_PACK('0', 'L', 'P', '0', '1'))
/* Class 0P - Invalid Role Specification */
#define SQLSTATE_INVALID_ROLE_SPECIFICATION ((enum sqlstate)SQLSTATE_PACK('0', 'P', '0', '0', '0'))
/* Class 0Z - Diagnostics Exception */
#define SQLSTATE_DIAGNOSTICS_EXCEPTION ((enum sqlstate)SQLSTATE_PACK('0', 'Z', '0', '0', '0'))
#define SQLSTATE_STACKED_DIAGNOSTICS_ACCESSED_WITHOUT_ACTIVE_HANDLER \
    ((enum sqlstate)SQLSTATE_PACK('0', 'Z', '0', '0', '2'))
/* Class 20 - Case Not Found */
#define SQLSTATE_CASE_NOT_FOUND ((enum sqlstate)SQLSTATE_PACK('2', '0', '0', '0', '0'))
/* Class 21 - Cardinality Violation */
#define SQLSTATE_CARDINALITY_VIOLATION ((enum sqlstate)SQLSTATE_PACK('2', '1', '0', '0', '0'))
/* Class 22 - Data Exception */
#define SQLSTATE_ARRAY_ELEMENT_ERROR                 ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', 'E'))
#define SQLSTATE_ARRAY_SUBSCRIPT_ERROR               ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', 'E'))
#define SQLSTATE_CHARACTER_NOT_IN_REPERTOIRE         ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', '1'))
#define SQLSTATE_DATETIME_FIELD_OVERFLOW             ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', '8'))
#define SQLSTATE_DATETIME_VALUE_OUT_OF_RANGE         ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', '8'))
#define SQLSTATE_DIVISION_BY_ZERO                    ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', '2'))
#define SQLSTATE_ERROR_IN_ASSIGNMENT                 ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', '5'))
#define SQLSTATE_ESCAPE_CHARACTER_CONFLICT           ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'B'))
#define SQLSTATE_INDICATOR_OVERFLOW                  ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', '2'))
#define SQLSTATE_INTERVAL_FIELD_OVERFLOW             ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', '5'))
#define SQLSTATE_INVALID_ARGUMENT_FOR_LOG            ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', 'E'))
#define SQLSTATE_INVALID_ARGUMENT_FOR_NTILE          ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', '4'))
#define SQLSTATE_INVALID_ARGUMENT_FOR_NTH_VALUE      ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', '6'))
#define SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', 'F'))
#define SQLSTATE_INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION \
    ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', 'G'))
#define SQLSTATE_INVALID_CHARACTER_VALUE_FOR_CAST    ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', '8'))
#define SQLSTATE_INVALID_DATETIME_FORMAT             ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', '7'))
#define SQLSTATE_INVALID_ESCAPE_CHARACTER            ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', '9'))
#define SQLSTATE_INVALID_ESCAPE_OCTET                ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'D'))
#define SQLSTATE_INVALID_ESCAPE_SEQUENCE             ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', '5'))
#define SQLSTATE_NONSTANDARD_USE_OF_ESCAPE_CHARACTER ((enum sqlstate)SQLSTATE_PACK('2', '2', 'P', '0', '6'))
#define SQLSTATE_INVALID_INDICATOR_PARAMETER_VALUE   ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', '0'))
#define SQLSTATE_INVALID_PRECEDING_OR_FOLLOWING_SIZE ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', '3'))
#define SQLSTATE_INVALID_REGULAR_EXPRESSION          ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', 'B'))
#define SQLSTATE_INVALID_ROW_COUNT_IN_LIMIT_CLAUSE   ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', 'W'))
#define SQLSTATE_INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE \
    ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', 'X'))
#define SQLSTATE_INVALID_TABLESAMPLE_ARGUMENT         ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', 'H'))
#define SQLSTATE_INVALID_TABLESAMPLE_REPEAT           ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', 'G'))
#define SQLSTATE_INVALID_TIME_ZONE_DISPLACEMENT_VALUE ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', '9'))
#define SQLSTATE_INVALID_USE_OF_ESCAPE_CHARACTER      ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'C'))
#define SQLSTATE_MOST_SPECIFIC_TYPE_MISMATCH          ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'G'))
#define SQLSTATE_NULL_VALUE_NOT_ALLOWED               ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', '4'))
#define SQLSTATE_NULL_VALUE_NO_INDICATOR_PARAMETER    ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', '2'))
#define SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE           ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', '3'))
#define SQLSTATE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED    ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'H'))
#define SQLSTATE_STRING_DATA_LENGTH_MISMATCH          ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', '6'))
#define SQLSTATE_STRING_DATA_RIGHT_TRUNCATION         ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', '1'))
#define SQLSTATE_SUBSTRING_ERROR                      ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '1', '1'))
#define SQLSTATE_TRIM_ERROR                           ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', '7'))
#define SQLSTATE_UNTERMINATED_C_STRING                ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '2', '4'))
#define SQLSTATE_ZERO_LENGTH_CHARACTER_STRING         ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'F'))
#define SQLSTATE_FLOATING_POINT_EXCEPTION             ((enum sqlstate)SQLSTATE_PACK('2', '2', 'P', '0', '1'))
#define SQLSTATE_INVALID_TEXT_REPRESENTATION          ((enum sqlstate)SQLSTATE_PACK('2', '2', 'P', '0', '2'))
#define SQLSTATE_INVALID_BINARY_REPRESENTATION        ((enum sqlstate)SQLSTATE_PACK('2', '2', 'P', '0', '3'))
#define SQLSTATE_BAD_COPY_FILE_FORMAT                 ((enum sqlstate)SQLSTATE_PACK('2', '2', 'P', '0', '4'))
#define SQLSTATE_UNTRANSLATABLE_CHARACTER             ((enum sqlstate)SQLSTATE_PACK('2', '2', 'P', '0', '5'))
#define SQLSTATE_DATUM_VERSION_MISMATCH               ((enum sqlstate)SQLSTATE_PACK('2', '2', 'P', '0', '7'))
#define SQLSTATE_NOT_AN_XML_DOCUMENT                  ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'L'))
#define SQLSTATE_INVALID_XML_DOCUMENT                 ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'M'))
#define SQLSTATE_INVALID_XML_CONTENT                  ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'N'))
#define SQLSTATE_INVALID_XML_COMMENT                  ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'S'))
#define SQLSTATE_INVALID_XML_PROCESSING_INSTRUCTION   ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '0', 'T'))
#define SQLSTATE_DUPLICATE_JSON_OBJECT_KEY_VALUE      ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '0'))
#define SQLSTATE_INVALID_ARGUMENT_FOR_SQL_JSON_DATETIME_FUNCTION \
    ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '1'))
#define SQLSTATE_INVALID_JSON_TEXT                ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '2'))
#define SQLSTATE_INVALID_SQL_JSON_SUBSCRIPT       ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '3'))
#define SQLSTATE_MORE_THAN_ONE_SQL_JSON_ITEM      ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '4'))
#define SQLSTATE_NO_SQL_JSON_ITEM                 ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '5'))
#define SQLSTATE_NON_NUMERIC_SQL_JSON_ITEM        ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '6'))
#define SQLSTATE_NON_UNIQUE_KEYS_IN_A_JSON_OBJECT ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '7'))
#define SQLSTATE_SINGLETON_SQL_JSON_ITEM_REQUIRED ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '8'))
#define SQLSTATE_SQL_JSON_ARRAY_NOT_FOUND         ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', '9'))
#define SQLSTATE_SQL_JSON_MEMBER_NOT_FOUND        ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', 'A'))
#define SQLSTATE_SQL_JSON_NUMBER_NOT_FOUND        ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', 'B'))
#define SQLSTATE_SQL_JSON_OBJECT_NOT_FOUND        ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', 'C'))
#define SQLSTATE_TOO_MANY_JSON_ARRAY_ELEMENTS     ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', 'D'))
#define SQLSTATE_TOO_MANY_JSON_OBJECT_MEMBERS     ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', 'E'))
#define SQLSTATE_SQL_JSON_SCALAR_REQUIRED         ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', 'F'))
#define SQLSTATE_SQL_JSON_ITEM_CANNOT_BE_CAST_TO_TARGET_TYPE \
    ((enum sqlstate)SQLSTATE_PACK('2', '2', '0', '3', 'G'))
/* Class 23 - Integrity Constraint Violation */
#define SQLSTATE_INTEGRITY_CONSTRAINT_VIOLATION ((enum sqlstate)SQLSTATE_PACK('2', '3', '0', '0', '0'))
#define SQLSTATE_RESTRICT_VIOLATION             ((enum sqlstate)SQLSTATE_PACK('2', '3', '0', '0', '1'))
#define SQLSTATE_NOT_NULL_VIOLATION             ((enum sqlstate)SQLSTATE_PACK('2', '3', '5', '0', '2'))
#define SQLSTATE_FOREIGN_KEY_VIOLATION          ((enum sqlstate)SQLSTATE_PACK('2', '3', '5', '0', '3'))
#define SQLSTATE_UNIQUE_VIOLATION               ((enum sqlstate)SQLSTATE_PACK('2', '3', '5', '0', '5'))
#define SQLSTATE_CHECK_VIOLATION                ((enum sqlstate)SQLSTATE_PACK('2', '3', '5', '1', '4'))
#define SQLSTATE_EXCLUSION_VIOLATION            ((enum sqlstate)SQLSTATE_PACK('2', '3', 'P', '0', '1'))
/* Class 24 - Invalid Cursor State */
#define SQLSTATE_INVALID_CURSOR_STATE ((enum sqlstate)SQLSTATE_PACK('2', '4', '0', '0', '0'))
/* Class 25 - Invalid Transaction State */
#define SQLSTATE_BRANCH_TRANSACTION_ALREADY_ACTIVE ((enum sqlstate)SQLSTATE_PACK('2', '5', '0', '0', '2'))
#define SQLSTATE_HELD_CURSOR_REQUIRES_SAME_ISOLATION_LEVEL \
    ((enum sqlstate)SQLSTATE_PACK('2', '5', '0', '0', '8'))
#define SQLSTATE_INAPPROPRIATE_ACCESS_MODE_FOR_BRANCH_TRANSACTION \
    ((enum sqlstate)SQLSTATE_PACK('2', '5', '0', '0', '3'))
#define SQLSTATE_INAPPROPRIATE_ISOLATION_LEVEL_FOR_BRANCH_TRANSACTION \
    ((enum sqlstate)SQLSTATE_PACK('2', '5', '0', '0', '4'))
#define SQLSTATE_NO_ACTIVE_SQL_TRANSACTION_FOR_BRANCH_TRANSACTION \
    ((enum sqlstate)SQLSTATE_PACK('2', '5', '0', '0', '5'))
#define SQLSTATE_SCHEMA_AND_DATA_STATEMENT_MIXING_NOT_SUPPORTED \
    ((enum sqlstate)SQLSTATE_PACK('2', '5', '0', '0', '7'))
#define SQLSTATE_NO_ACTIVE_SQL_TRANSACTION           ((enum sqlstate)SQLSTATE_PACK('2', '5', 'P', '0', '1'))
#define SQLSTATE_IN_FAILED_SQL_TRANSACTION           ((enum sqlstate)SQLSTATE_PACK('2', '5', 'P', '0', '2'))
#define SQLSTATE_IDLE_IN_TRANSACTION_SESSION_TIMEOUT ((enum sqlstate)SQLSTATE_PACK('2', '5', 'P', '0', '3'))
/* Class 26 - Invalid SQL Statement Name */
#define SQLSTATE_INVALID_SQL_STATEMENT_NAME ((enum sqlstate)SQLSTATE_PACK('2', '6', '0', '0', '0'))
/* Class 27 - Triggered Data Change Violation */
#define SQLSTATE_TRIGGERED_DATA_CHANGE_VIOLATION ((enum sqlstate)SQLSTATE_PACK('2', '7', '0', '0', '0'))
/* Class 28 - Invalid Authorization Specification */
#define SQLSTATE_INVALID_PASSWORD ((enum sqlstate)SQLSTATE_PACK('2', '8', 'P', '0', '1'))
/* Class 2B - Dependent Privilege Descriptors Still Exist */
#define SQLSTATE_DEPENDENT_PRIVILEGE_DESCRIPTORS_STILL_EXIST \
    ((enum sqlstate)SQLSTATE_PACK('2', 'B', '0', '0', '0'))
#define SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST ((enum sqlstate)SQLSTATE_PACK('2', 'B', 'P', '0', '1'))
/* Class 2D - Invalid Transaction Termination */
#define SQLSTATE_INVALID_TRANSACTION_TERMINATION ((enum sqlstate)SQLSTATE_PACK('2', 'D', '0', '0', '0'))
/* Class 2F - SQL Routine Exception */
#define SQLSTATE_SQL_ROUTINE_EXCEPTION ((enum sqlstate)SQLSTATE_PACK('2', 'F', '0', '0', '0'))
#define SQLSTATE_S_R_E_FUNCTION_EXECUTED_NO_RETURN_STATEMENT \
    ((enum sqlstate)SQLSTATE_PACK('2', 'F', '0', '0', '5'))
#define SQLSTATE_S_R_E_MODIFYING_SQL_DATA_NOT_PERMITTED \
    ((enum sqlstate)SQLSTATE_PACK('2', 'F', '0', '0', '2'))
#define SQLSTATE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED \
    ((enum sqlstate)SQLSTATE_PACK('2', 'F', '0', '0', '3'))
#define SQLSTATE_S_R_E_READING_SQL_DATA_NOT_PERMITTED ((enum sqlstate)SQLSTATE_PACK('2', 'F', '0', '0', '4'))
/* Class 34 - Invalid Cursor Name */
#define SQLSTATE_INVALID_CURSOR_NAME ((enum sqlstate)SQLSTATE_PACK('3', '4', '0', '0', '0'))
/* Class 38 - External Routine Exception */
#define SQLSTATE_EXTERNAL_ROUTINE_EXCEPTION         ((enum sqlstate)SQLSTATE_PACK('3', '8', '0', '0', '0'))
#define SQLSTATE_E_R_E_CONTAINING_SQL_NOT_PERMITTED ((enum sqlstate)SQLSTATE_PACK('3', '8', '0', '0', '1'))
#define SQLSTATE_E_R_E_MODIFYING_SQL_DATA_NOT_PERMITTED \
    ((enum sqlstate)SQLSTATE_PACK('3', '8', '0', '0', '2'))
#define SQLSTATE_E_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED \
    ((enum sqlstate)SQLSTATE_PACK('3', '8', '0', '0', '3'))
#define SQLSTATE_E_R_E_READING_SQL_DATA_NOT_PERMITTED ((enum sqlstate)SQLSTATE_PACK('3', '8', '0', '0', '4'))
/* Class 39 - External Routine Invocation Exception */
#define SQLSTATE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION ((enum sqlstate)SQLSTATE_PACK('3', '9', '0', '0', '0'))
#define SQLSTATE_E_R_I_E_INVALID_SQLSTATE_RETURNED     ((enum sqlstate)SQLSTATE_PACK('3', '9', '0', '0', '1'))
#define SQLSTATE_E_R_I_E_NULL_VALUE_NOT_ALLOWED        ((enum sqlstate)SQLSTATE_PACK('3', '9', '0', '0', '4'))
#define SQLSTATE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED     ((enum sqlstate)SQLSTATE_PACK('3', '9', 'P', '0', '1'))
#define SQLSTATE_E_R_I_E_SRF_PROTOCOL_VIOLATED         ((enum sqlstate)SQLSTATE_PACK('3', '9', 'P', '0', '2'))
#define SQLSTATE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED \
    ((enum sqlstate)SQLSTATE_PACK('3', '9', 'P', '0', '3'))
/* Class 3B - Savepoint Exception */
#define SQLSTATE_SAVEPOINT_EXCEPTION       ((enum sqlstate)SQLSTATE_PACK('3', 'B', '0', '0', '0'))
#define SQLSTATE_S_E_INVALID_SPECIFICATION ((enum sqlstate)SQLSTATE_PACK('3', 'B', '0', '0', '1'))
/* Class 3D - Invalid Catalog Name */
#define SQLSTATE_INVALID_CATALOG_NAME ((enum sqlstate)SQLSTATE_PACK('3', 'D', '0', '0', '0'))
/* Class 3F - Invalid Schema Name */
#define SQLSTATE_INVALID_SCHEMA_NAME ((enum sqlstate)SQLSTATE_PACK('3', 'F', '0', '0', '0'))
/* Class 40 - Transaction Rollback */
#define SQLSTATE_TRANSACTION_ROLLBACK               ((enum sqlstate)SQLSTATE_PACK('4', '0', '0', '0', '0'))
#define SQLSTATE_T_R_INTEGRITY_CONSTRAINT_VIOLATION ((enum sqlstate)SQLSTATE_PACK('4', '0', '0', '0', '2'))
/* Class 42 - Syntax Error or Access Rule Violation */
#define SQLSTATE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ((enum sqlstate)SQLSTATE_PACK('4', '2', '0', '0', '0'))
#define SQLSTATE_SYNTAX_ERROR                          ((enum sqlstate)SQLSTATE_PACK('4', '2', '6', '0', '1'))
#define SQLSTATE_INSUFFICIENT_PRIVILEGE                ((enum sqlstate)SQLSTATE_PACK('4', '2', '5', '0', '1'))
#define SQLSTATE_CANNOT_COERCE                         ((enum sqlstate)SQLSTATE_PACK('4', '2', '8', '4', '6'))
#define SQLSTATE_GROUPING_ERROR                        ((enum sqlstate)SQLSTATE_PACK('4', '2', '8', '0', '3'))
#define SQLSTATE_WINDOWING_ERROR                       ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '2', '0'))
#define SQLSTATE_INVALID_RECURSION                     ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '9'))
#define SQLSTATE_INVALID_FOREIGN_KEY                   ((enum sqlstate)SQLSTATE_PACK('4', '2', '8', '3', '0'))
#define SQLSTATE_INVALID_NAME                          ((enum sqlstate)SQLSTATE_PACK('4', '2', '6', '0', '2'))
#define SQLSTATE_NAME_TOO_LONG                         ((enum sqlstate)SQLSTATE_PACK('4', '2', '6', '2', '2'))
#define SQLSTATE_RESERVED_NAME                         ((enum sqlstate)SQLSTATE_PACK('4', '2', '9', '3', '9'))
#define SQLSTATE_DATATYPE_MISMATCH                     ((enum sqlstate)SQLSTATE_PACK('4', '2', '8', '0', '4'))
#define SQLSTATE_INDETERMINATE_DATATYPE                ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '8'))
#define SQLSTATE_COLLATION_MISMATCH                    ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '2', '1'))
#define SQLSTATE_INDETERMINATE_COLLATION               ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '2', '2'))
#define SQLSTATE_WRONG_OBJECT_TYPE                     ((enum sqlstate)SQLSTATE_PACK('4', '2', '8', '0', '9'))
#define SQLSTATE_GENERATED_ALWAYS                      ((enum sqlstate)SQLSTATE_PACK('4', '2', '8', 'C', '9'))
#define SQLSTATE_UNDEFINED_COLUMN                      ((enum sqlstate)SQLSTATE_PACK('4', '2', '7', '0', '3'))
#define SQLSTATE_UNDEFINED_CURSOR                      ((enum sqlstate)SQLSTATE_PACK('3', '4', '0', '0', '0'))
#define SQLSTATE_UNDEFINED_DATABASE                    ((enum sqlstate)SQLSTATE_PACK('3', 'D', '0', '0', '0'))
#define SQLSTATE_UNDEFINED_FUNCTION                    ((enum sqlstate)SQLSTATE_PACK('4', '2', '8', '8', '3'))
#define SQLSTATE_UNDEFINED_PSTATEMENT                  ((enum sqlstate)SQLSTATE_PACK('2', '6', '0', '0', '0'))
#define SQLSTATE_UNDEFINED_SCHEMA                      ((enum sqlstate)SQLSTATE_PACK('3', 'F', '0', '0', '0'))
#define SQLSTATE_UNDEFINED_PARAMETER                   ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '0', '2'))
#define SQLSTATE_UNDEFINED_OBJECT                      ((enum sqlstate)SQLSTATE_PACK('4', '2', '7', '0', '4'))
#define SQLSTATE_DUPLICATE_COLUMN                      ((enum sqlstate)SQLSTATE_PACK('4', '2', '7', '0', '1'))
#define SQLSTATE_DUPLICATE_CURSOR                      ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '0', '3'))
#define SQLSTATE_DUPLICATE_DATABASE                    ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '0', '4'))
#define SQLSTATE_DUPLICATE_FUNCTION                    ((enum sqlstate)SQLSTATE_PACK('4', '2', '7', '2', '3'))
#define SQLSTATE_DUPLICATE_PSTATEMENT                  ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '0', '5'))
#define SQLSTATE_DUPLICATE_SCHEMA                      ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '0', '6'))
#define SQLSTATE_DUPLICATE_ALIAS                       ((enum sqlstate)SQLSTATE_PACK('4', '2', '7', '1', '2'))
#define SQLSTATE_DUPLICATE_OBJECT                      ((enum sqlstate)SQLSTATE_PACK('4', '2', '7', '1', '0'))
#define SQLSTATE_AMBIGUOUS_COLUMN                      ((enum sqlstate)SQLSTATE_PACK('4', '2', '7', '0', '2'))
#define SQLSTATE_AMBIGUOUS_FUNCTION                    ((enum sqlstate)SQLSTATE_PACK('4', '2', '7', '2', '5'))
#define SQLSTATE_AMBIGUOUS_PARAMETER                   ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '0', '8'))
#define SQLSTATE_AMBIGUOUS_ALIAS                       ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '0', '9'))
#define SQLSTATE_INVALID_COLUMN_REFERENCE              ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '0'))
#define SQLSTATE_INVALID_COLUMN_DEFINITION             ((enum sqlstate)SQLSTATE_PACK('4', '2', '6', '1', '1'))
#define SQLSTATE_INVALID_CURSOR_DEFINITION             ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '1'))
#define SQLSTATE_INVALID_DATABASE_DEFINITION           ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '2'))
#define SQLSTATE_INVALID_FUNCTION_DEFINITION           ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '3'))
#define SQLSTATE_INVALID_PSTATEMENT_DEFINITION         ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '4'))
#define SQLSTATE_INVALID_SCHEMA_DEFINITION             ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '5'))
#define SQLSTATE_INVALID_TABLE_DEFINITION              ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '6'))
#define SQLSTATE_INVALID_OBJECT_DEFINITION             ((enum sqlstate)SQLSTATE_PACK('4', '2', 'P', '1', '7'))
/* Class 44 - WITH CHECK OPTION Violation */
#define SQLSTATE_WITH_CHECK_OPTION_VIOLATION ((enum sqlstate)SQLSTATE_PACK('4', '4', '0', '0', '0'))
/* Class 54 - Program Limit Exceeded */
#define SQLSTATE_TOO_MANY_COLUMNS   ((enum sqlstate)SQLSTATE_PACK('5', '4', '0', '1', '1'))
#define SQLSTATE_TOO_MANY_ARGUMENTS ((enum sqlstate)SQLSTATE_PACK('5', '4', '0', '2', '3'))
/* Class 55 - Object Not In Prerequisite State */
#define SQLSTATE_CANT_CHANGE_RUNTIME_PARAM   ((enum sqlstate)SQLSTATE_PACK('5', '5', 'P', '0', '2'))
#define SQLSTATE_UNSAFE_NEW_ENUM_VALUE_USAGE ((enum sqlstate)SQLSTATE_PACK('5', '5', 'P', '0', '4'))
/* Class 57 - Operator Intervention */
#define SQLSTATE_DATABASE_DROPPED ((enum sqlstate)SQLSTATE_PACK('5', '7', 'P', '0', '4'))
/* Class 72 - Snapshot Failure */
#define SQLSTATE_SNAPSHOT_TOO_OLD ((enum sqlstate)SQLSTATE_PACK('7', '2', '0', '0', '0'))
/* Class HV - Foreign Data Wrapper Error (SQL/MED) */
#define SQLSTATE_FDW_ERROR                          ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', '0'))
#define SQLSTATE_FDW_COLUMN_NAME_NOT_FOUND          ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', '5'))
#define SQLSTATE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', '2'))
#define SQLSTATE_FDW_FUNCTION_SEQUENCE_ERROR        ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '1', '0'))
#define SQLSTATE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION \
    ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '2', '1'))
#define SQLSTATE_FDW_INVALID_ATTRIBUTE_VALUE       ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '2', '4'))
#define SQLSTATE_FDW_INVALID_COLUMN_NAME           ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', '7'))
#define SQLSTATE_FDW_INVALID_COLUMN_NUMBER         ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', '8'))
#define SQLSTATE_FDW_INVALID_DATA_TYPE             ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', '4'))
#define SQLSTATE_FDW_INVALID_DATA_TYPE_DESCRIPTORS ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', '6'))
#define SQLSTATE_FDW_INVALID_DESCRIPTOR_FIELD_IDENTIFIER \
    ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '9', '1'))
#define SQLSTATE_FDW_INVALID_HANDLE       ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'B'))
#define SQLSTATE_FDW_INVALID_OPTION_INDEX ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'C'))
#define SQLSTATE_FDW_INVALID_OPTION_NAME  ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'D'))
#define SQLSTATE_FDW_INVALID_STRING_LENGTH_OR_BUFFER_LENGTH \
    ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '9', '0'))
#define SQLSTATE_FDW_INVALID_STRING_FORMAT          ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'A'))
#define SQLSTATE_FDW_INVALID_USE_OF_NULL_POINTER    ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', '9'))
#define SQLSTATE_FDW_TOO_MANY_HANDLES               ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '1', '4'))
#define SQLSTATE_FDW_OUT_OF_MEMORY                  ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', '1'))
#define SQLSTATE_FDW_NO_SCHEMAS                     ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'P'))
#define SQLSTATE_FDW_OPTION_NAME_NOT_FOUND          ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'J'))
#define SQLSTATE_FDW_REPLY_HANDLE                   ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'K'))
#define SQLSTATE_FDW_SCHEMA_NOT_FOUND               ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'Q'))
#define SQLSTATE_FDW_TABLE_NOT_FOUND                ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'R'))
#define SQLSTATE_FDW_UNABLE_TO_CREATE_EXECUTION     ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'L'))
#define SQLSTATE_FDW_UNABLE_TO_CREATE_REPLY         ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'M'))
#define SQLSTATE_FDW_UNABLE_TO_ESTABLISH_CONNECTION ((enum sqlstate)SQLSTATE_PACK('H', 'V', '0', '0', 'N'))
/* Class P0 - PL/pgSQL Error */
#define SQLSTATE_PLPGSQL_ERROR   ((enum sqlstate)SQLSTATE_PACK('P', '0', '0', '0', '0'))
#define SQLSTATE_RAISE_EXCEPTION ((enum sqlstate)SQLSTATE_PACK('P', '0', '0', '0', '1'))
#define SQLSTATE_NO_DATA_FOUND   ((enum sqlstate)SQLSTATE_PACK('P', '0', '0', '0', '2'))
#define SQLSTATE_TOO_MANY_ROWS   ((enum sqlstate)SQLSTATE_PACK('P', '0', '0', '0', '3'))
#define SQLSTATE_ASSERT_FAILURE  ((enum sqlstate)SQLSTATE_PACK('P', '0', '0', '0', '4'))

#endif
