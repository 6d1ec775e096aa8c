// databases.NAME.command_class: what a Redis database says of its commands.
#include "sample.h"

namespace weir::config {
namespace {

Loaded with_classes(const std::string& classes, const std::string& url = "redis://h/0") {
  return load_sample(
      "listeners: [{protocol: postgres, address: 127.0.0.1:6432}]\n"
      "databases:\n"
      "  app: {url: postgres://h/app}\n"
      "  cache: {url: \"" +
      url + "\",\n    command_class: " + classes + "}\n");
}

TEST(CommandClass, IsReadInSmallLetters) {
  const Loaded loaded = with_classes("{MyModule.Wait: blocking, \"get|x\": lane, script: lane}");
  ASSERT_TRUE(loaded) << loaded.report();
  const Named<std::string> expected{
      {"get|x", "lane"}, {"mymodule.wait", "blocking"}, {"script", "lane"}};
  EXPECT_EQ(loaded.config.databases.at("cache").command_class, expected);
  EXPECT_TRUE(with_classes("{}"));
}

TEST(CommandClass, NamesWhatIsWrongWithItsPlace) {
  const std::string at = "databases.cache.command_class.";
  const std::string fixed = ": the class of this command cannot be changed: ";
  struct Case {
    std::string classes, expected;
  };
  const Case cases[] = {
      {"{get: lane, a: slow}", "5:32: " + at + "a: expected one of lane, blocking\n"},
      {"{a: \"\"}", "5:24: " + at + "a: expected a text that is not empty\n"},
      {"{get: [lane]}", "5:26: " + at + "get: expected a text that is not empty\n"},
      {"{MULTI: lane}", "5:21: " + at + "multi" + fixed + "weir follows transactions\n"},
      {"{client|kill: lane}", "5:21: " + at + "\"client|kill\"" + fixed + "weir answers it\n"},
      {"{script|kill: lane}",
       "5:21: " + at + "\"script|kill\"" + fixed + "it has to get past what it ends\n"},
  };
  for (const auto& [classes, expected] : cases)
    EXPECT_EQ(problems_of(with_classes(classes)), expected) << classes;
  for (const std::string& key : {std::string("\"\""), std::string("a b"), std::string("\"|b\""),
                                 std::string("\"a|\""), std::string(129, 'x')})
    EXPECT_NE(problems_of(with_classes("{" + key + ": lane}"))
                  .find("5:21: databases.cache.command_class"),
              std::string::npos)
        << key;
  EXPECT_NE(problems_of(with_classes("{get: lane, GET: lane}")).find("given before, at"),
            std::string::npos);
  EXPECT_NE(problems_of(with_classes("{get: lane}", "postgres://h/x"))
                .find("not an option of a postgres database"),
            std::string::npos);
}

TEST(CommandClass, AChangeIsSeen) {
  const Loaded before = with_classes("{a: lane}"), after = with_classes("{a: blocking}");
  const auto found = differences(before.config, after.config);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].path, "databases.cache.command_class");
  EXPECT_EQ(found[0].text, "{a: lane} -> {a: blocking}");
}

}  // namespace
}  // namespace weir::config
