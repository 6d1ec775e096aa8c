"""SQL Server's messages, as far as they are used here, with its numbers."""

TEXTS = {  # number: (severity, text)
    102: (15, "Incorrect syntax near '{}'."),
    103: (15, "The identifier that starts with '{}' is too long. Maximum length is 128."),
    105: (15, "Unclosed quotation mark after the character string '{}'."),
    113: (15, "Missing end comment mark '*/'."),
    121: (15, "The select list for the INSERT statement contains more items than the insert list. "
              "The number of SELECT values must match the number of INSERT columns."),
    134: (15, "The variable name '{}' has already been declared. Variable names must be unique "
              "within a query batch or stored procedure."),
    137: (15, 'Must declare the scalar variable "{}".'),
    156: (15, "Incorrect syntax near the keyword '{}'."),
    195: (15, "'{}' is not a recognized built-in function name."),
    201: (16, "Procedure or function '{}' expects parameter '{}', which was not supplied."),
    205: (16, "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal "
              "number of expressions in their target lists."),
    207: (16, "Invalid column name '{}'."),
    208: (16, "Invalid object name '{}'."),
    213: (16, "Column name or number of supplied values does not match table definition."),
    214: (16, "Procedure expects parameter '{}' of type 'ntext/nchar/nvarchar'."),
    217: (16, "Maximum stored procedure, function, trigger, or view nesting level exceeded "
              "(limit 32)."),
    220: (16, "Arithmetic overflow error for data type {}, value = {}."),
    226: (16, "{} statement not allowed within multi-statement transaction."),
    241: (16, "Conversion failed when converting date and/or time from character string."),
    243: (16, "Type {} is not a defined system type."),
    245: (16, "Conversion failed when converting the {} value '{}' to data type {}."),
    266: (16, "Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT "
              "statements. Previous count = {}, current count = {}."),
    402: (16, "The data types {} and {} are incompatible in the {} operator."),
    512: (16, "Subquery returned more than 1 value. This is not permitted when the subquery "
              "follows =, !=, <, <= , >, >= or when the subquery is used as an expression."),
    515: (16, "Cannot insert the value NULL into column '{}', table '{}'; column does not allow "
              "nulls. {} fails."),
    529: (16, "Explicit conversion from data type {} to {} is not allowed."),
    544: (16, "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT "
              "is set to OFF."),
    628: (16, "Cannot issue SAVE TRANSACTION when there is no active transaction."),
    911: (16, "Database '{}' does not exist. Make sure that the name is entered correctly."),
    1205: (13, "Transaction (Process ID {}) was deadlocked on lock resources with another process "
               "and has been chosen as the deadlock victim. Rerun the transaction."),
    1222: (16, "Lock request time out period exceeded."),
    1801: (16, "Database '{}' already exists. Choose a different database name."),
    2526: (16, "Incorrect DBCC statement. Check the documentation for the correct DBCC syntax and "
               "options."),
    2627: (14, "Violation of PRIMARY KEY constraint '{}'. Cannot insert duplicate key in object "
               "'{}'. The duplicate key value is ({})."),
    2628: (16, "String or binary data would be truncated in table '{}', column '{}'. Truncated "
               "value: '{}'."),
    2705: (16, "Column names in each table must be unique. Column name '{}' in table '{}' is "
               "specified more than once."),
    2714: (16, "There is already an object named '{}' in the database."),
    2732: (16, "Error number {} is invalid. The number must be from 13000 through 2147483647 and "
               "it cannot be 50000."),
    2740: (16, "SET LANGUAGE failed because '{}' is not an official language name or a language "
               "alias on this SQL Server."),
    2754: (16, "Error severity levels greater than 18 can only be specified by members of the "
               "sysadmin role, using the WITH LOG option."),
    2812: (16, "Could not find stored procedure '{}'."),
    3701: (11, "Cannot drop the {} '{}', because it does not exist or you do not have permission."),
    3902: (16, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3903: (16, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3930: (16, "The current transaction cannot be committed and cannot support operations that "
               "write to the log file. Roll back the transaction."),
    3931: (16, "The current transaction cannot be committed and cannot be rolled back to a "
               "savepoint. Roll back the entire transaction."),
    3989: (16, "New request is not allowed to start because it should come with valid transaction "
               "descriptor."),
    3998: (16, "Uncommittable transaction is detected at the end of the batch. The transaction is "
               "rolled back."),
    4060: (11, 'Cannot open database "{}" requested by the login. The login failed.'),
    4022: (16, "Bulk load data was expected but not sent. The batch will be terminated."),
    4104: (16, 'The multi-part identifier "{}" could not be bound.'),
    4121: (16, 'Cannot find either column "{}" or the user-defined function or aggregate "{}", or '
               "the name is ambiguous."),
    6104: (16, "Cannot use KILL to kill your own process."),
    6106: (16, "Process ID {} is not an active process ID."),
    6401: (16, "Cannot roll back {}. No transaction or savepoint of that name was found."),
    8009: (16, "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream "
               "is incorrect. {}"),
    8037: (16, "The incoming tabular data stream (TDS) protocol stream is incorrect. {}"),
    8107: (16, "IDENTITY_INSERT is already ON for table '{}'. Cannot perform SET operation for "
               "table '{}'."),
    8114: (16, "Error converting data type {} to {}."),
    8115: (16, "Arithmetic overflow error converting {} to data type {}."),
    8120: (16, "Column '{}' is invalid in the select list because it is not contained in either an "
               "aggregate function or the GROUP BY clause."),
    8134: (16, "Divide by zero error encountered."),
    8144: (16, "Procedure or function {} has too many arguments specified."),
    8145: (16, "{} is not a parameter for procedure {}."),
    8169: (16, "Conversion failed when converting from a character string to uniqueidentifier."),
    8178: (16, "The parameterized query '{}' expects the parameter '{}', which was not supplied."),
    8179: (16, "Could not find prepared statement with handle {}."),
    8501: (16, "MSDTC on server '{}' is unavailable."),
    15422: (16, "Application roles can only be activated at the ad hoc level."),
    15517: (16, 'Cannot execute as the database principal because the principal "{}" does not '
                "exist, this type of principal cannot be impersonated, or you do not have "
                "permission."),
    15664: (16, "Cannot set key '{}' in the session context. The key has been set as read_only for "
                "this session."),
    16916: (16, "A cursor with the name '{}' does not exist."),
    16917: (16, "Cursor is not open."),
    18054: (16, "Error {}, severity 16, state 1 was raised, but no message with that error number "
                "was found in sys.messages."),
    18056: (20, "The client was unable to reuse a session with SPID {}, which had been reset for "
                "connection pooling."),
    18059: (20, "The connection has been dropped because the principal that opened it subsequently "
                "assumed a new security context, and then tried to reset the connection under its "
                "impersonated security context. This scenario is not supported."),
    18456: (14, "Login failed for user '{}'."),
    40000: (16, "This test server does not know {}."),
}
BATCH_ENDING = {102, 103, 105, 113, 137, 156, 195, 207, 208, 213, 217, 241, 245, 402, 8114, 8169,
                529, 243, 1205, 3930, 4104, 4121, 8120, 205, 121, 40000}
ROLLING_BACK = {241, 245, 1205, 8169, 8114}  # they doom what is open, with or without XACT_ABORT


class SqlError(Exception):
    """An ERROR token, and what it ends."""

    def __init__(self, number, text, severity=16, state=1):
        super().__init__(text)
        self.number, self.text, self.severity, self.state = number, text, severity, state
        self.line = None
        self.procedure = ""
        self.rolled_back = False  # it has
        self.raised = False  # by RAISERROR, which is not subject to XACT_ABORT

    @property
    def ends_batch(self):
        return self.number in BATCH_ENDING or self.severity >= 19

    @property
    def rolls_back(self):
        return self.number in ROLLING_BACK


def error(number, *values, state=1):
    severity, text = TEXTS[number]
    return SqlError(number, text.format(*values), severity, state)


class AttentionSeen(Exception):
    """The client has told the running request to stop."""


class EndConnection(Exception):
    """The server closes after what has been said."""
