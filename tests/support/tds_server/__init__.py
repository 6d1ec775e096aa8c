"""A small, strict TDS server that stands in for SQL Server in weir's tests. It shares nothing with
weir's own code, so that both can be wrong only apart.

    tests/support/tds_server/run --port 0 --user app:secret [--babelfish] [--encrypt on]

It prints one line of JSON, {"port": ..., "control": ...}, and ends on SIGTERM. What is where:

    packets     headers and their rules              lexer, parser, nodes   T-SQL to a tree
    wire        packets over a socket, TLS in them   values, moments        what a column may hold
    prelogin    PRELOGIN and who speaks TLS          evaluate, functions    expressions
    login       LOGIN7 and its reply                 query                  SELECT
    typeinfo    types and values on the wire         storage                tables, locks, undoing
    requests    what follows ALL_HEADERS             statements, batches    everything else
    reply       tokens and DONE                      procedures             sp_executesql and kin
    session     one connection                       state, options         what a connection keeps
    server      all of them                          control                the side door

It judges what it is sent: whatever SQL Server would not accept ends the connection, with a line on
stderr that starts with "violation" and a count that the control port tells (see control.py)."""
