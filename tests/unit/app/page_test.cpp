// The HTTP side: what each path answers, what the page escapes, what an address in use says.
#include "app/page.h"

#include "app_fixture.h"

namespace weir::app {
namespace {

class PageTest : public AppFixture {
 protected:
  int status(const char* path, const char* method = "GET") {
    return page_.answer(method, path).status;
  }

  std::string why_;
  Page page_{metrics_, [this] { return why_; }};
};

TEST_F(PageTest, AnswersItsPathsOnly) {
  for (const char* path : {"/", "/metrics", "/healthz", "/readyz"}) {
    EXPECT_EQ(status(path), 200) << path;
    EXPECT_EQ(status(path, "HEAD"), 200) << path;
    EXPECT_EQ(status(path, "POST"), 405) << path;
  }
  for (const char* path : {"", "/metrics/", "/x", "//", "/../metrics"})
    EXPECT_EQ(status(path), 404) << path;
  EXPECT_STREQ(page_.answer("GET", "/metrics").type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(PageTest, SaysWhyItIsNotReady) {
  why_ = "draining";
  EXPECT_EQ(status("/readyz"), 503);
  EXPECT_EQ(page_.answer("GET", "/readyz").body, "draining\n");
  EXPECT_EQ(status("/healthz"), 200);
  EXPECT_EQ(status("/metrics"), 200);
}

TEST_F(PageTest, IsNotReadyWhenAllPoolsArePaused) {
  pool::Orders orders;
  session::Backend& other = add_backend("other");
  app_.pool().pause(true, 1, orders);
  EXPECT_EQ(status("/readyz"), 200);
  other.pool().pause(true, 1, orders);
  EXPECT_EQ(page_.answer("GET", "/readyz").body, "paused\n");
  app_.pool().pause(false, 1, orders);
  EXPECT_EQ(status("/readyz"), 200);
}

TEST_F(PageTest, EscapesNames) {
  add_backend("<b>\"it's\" & more</b>");
  const std::string body = page_.answer("GET", "/").body;
  EXPECT_EQ(body.find("<b>\"it"), body.npos);
  EXPECT_NE(body.find("&lt;b&gt;&quot;it&#39;s&quot; &amp; more&lt;/b&gt;"), body.npos);
  EXPECT_EQ(body.find("<script"), body.npos);
  EXPECT_EQ(body.find("http://"), body.npos);
}

TEST_F(PageTest, NamesAnAddressThatIsInUse) {
  config::Address address;
  address.host = "127.0.0.1";
  ASSERT_TRUE(page_.open(address));
  address.port = static_cast<uint16_t>(page_.port());
  ASSERT_NE(address.port, 0);
  Page second(metrics_, [] { return std::string(); });
  const auto opened = second.open(address);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text.find(address.text()), std::string::npos) << opened.error().text;
  EXPECT_NE(opened.error().text.find("in use"), std::string::npos) << opened.error().text;
}

}  // namespace
}  // namespace weir::app
