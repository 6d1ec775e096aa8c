// Prepared statements of one client after another, end to end.
#include <gtest/gtest.h>

#include "session_client.h"

namespace weir::session {
namespace {

using model::PooledWorld;

// What an error had skipped was undone in the order in which it was sent: weir forgot a statement
// that the server had, and prepared it again, which the server refused.
TEST(Statements, EvictionBehindAnErrorIsUndoneBackwards) {
  WorldOptions options = quiet();
  options.plan.client.prepared_statements = 2;
  PooledWorld world(options);
  Client client(world);
  client.login();
  EXPECT_EQ(talk::types(client.ask(talk::parse("a", "SELECT 'x'") +
                                   talk::parse("f", "SELECT fail('f')") + talk::sync())),
            "11Z");
  EXPECT_EQ(talk::types(client.ask(talk::bind("", "f") + talk::execute("") +
                                   talk::parse("b", "SELECT 'y'") + talk::parse("c", "SELECT 'x'") +
                                   talk::sync())),
            "2EZ");
  EXPECT_EQ(talk::types(client.ask(talk::parse("d", "SELECT 'x'") + talk::bind("", "d") +
                                   talk::execute("") + talk::sync())),
            "12DCZ");
}

}  // namespace
}  // namespace weir::session
