"""A small, strict TDS server that stands in for SQL Server in weir's tests. It shares nothing with
weir's own code, so that both can be wrong only apart.

    tests/support/tds_server/run --port 0 --user app:secret [--babelfish] [--encrypt on]

It prints one line of JSON, {"port": ..., "control": ...}, and ends on SIGTERM. What is where:

    packets       headers and their rules             lexer, parser, parse_*   T-SQL to a tree of
    wire          packets over a socket, TLS          expressions, selects     nodes
    prelogin      PRELOGIN and who speaks TLS         values, moments, styles  what a column holds
    login         LOGIN7                              evaluate, functions      expressions
    greeting      from the first byte to the login    query, views             SELECT
    session       requests, attention, the end        storage                  tables and locks
    requests      what follows ALL_HEADERS            batches, scopes          statements, errors
    typeinfo      types and values on the wire        rows, definitions,       what they do
    reply         tokens and DONE                     settings, security
    transactions  the transaction manager             procedures, system,      RPC and EXEC
    state         what a connection keeps             cursors
    options       SET                                 server, control, faults  all, and a side door

It judges what it is sent: whatever SQL Server would not accept ends the connection, with a line on
stderr that starts with "violation" and a count that the control port tells (see control.py)."""
