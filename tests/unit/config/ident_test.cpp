// pg_ident.conf: maps of users.
#include "auth_sample.h"

#include "sample.h"

namespace weir::config {
namespace {

IdentMaps ident(const std::string& text, Texts texts = {}) {
  IdentFile read = parse_ident(text, "etc/ident.conf", files_of(std::move(texts)));
  EXPECT_EQ(problems_text(read.problems), "");
  return read.maps;
}
std::string ident_problems(const std::string& text, Texts texts = {}) {
  return problems_text(parse_ident(text, "ident.conf", files_of(std::move(texts))).problems);
}

Fit fit(const std::string& line, const std::string& system, const std::string& user) {
  return may_be(ident(line), {"m", system, user});
}
bool allows(const std::string& line, const std::string& system, const std::string& user) {
  return fit(line, system, user) == Fit::Yes;
}

TEST(Ident, NamesOfAMap) {
  const IdentMaps maps = ident(
      "# MAPNAME SYSTEM-USERNAME PG-USERNAME\n"
      "staff  ann  postgres\n"
      "staff  ann  app # both\n"
      "other  bob  app\n"
      "staff  \"eve smith\"  \"e, s\"\n");
  const auto is_allowed = [&](const char* map, const char* system, const char* user) {
    return may_be(maps, {map, system, user}) == Fit::Yes;
  };
  EXPECT_TRUE(is_allowed("staff", "ann", "postgres"));
  EXPECT_TRUE(is_allowed("staff", "ann", "app"));
  EXPECT_TRUE(is_allowed("staff", "eve smith", "e, s"));
  EXPECT_TRUE(is_allowed("other", "bob", "app"));
  EXPECT_FALSE(is_allowed("staff", "ann", "ann"));  // no line says so
  EXPECT_FALSE(is_allowed("staff", "bob", "app"));
  EXPECT_FALSE(is_allowed("other", "ann", "app"));
  EXPECT_FALSE(is_allowed("absent", "ann", "app"));
  EXPECT_FALSE(is_allowed("Staff", "ann", "app"));
  EXPECT_FALSE(is_allowed("staff", "Ann", "app"));
  EXPECT_FALSE(is_allowed("staff", "ann", "App"));
  EXPECT_EQ(maps.list[2].line, 4);
  EXPECT_EQ(maps.list[2].file, "etc/ident.conf");
}

TEST(Ident, WithoutAMapTheNamesAreEqual) {
  const IdentMaps maps = ident("staff ann app\n\"\" ann app\n");
  EXPECT_EQ(may_be(maps, {"", "ann", "ann"}), Fit::Yes);
  EXPECT_EQ(may_be(maps, {"", "ann", "Ann"}), Fit::No);
  EXPECT_EQ(may_be(maps, {"", "ann", "app"}), Fit::No);
  EXPECT_EQ(may_be(IdentMaps(), {"", "ann", "ann"}), Fit::Yes);
  EXPECT_EQ(may_be(IdentMaps(), {"m", "ann", "ann"}), Fit::No);
}

TEST(Ident, ExpressionsAndWhatTheyPutInPlace) {
  EXPECT_TRUE(allows("m /^(.*)@example\\.org$ \\1", "ann@example.org", "ann"));
  EXPECT_FALSE(allows("m /^(.*)@example\\.org$ \\1", "ann@example.org", "bob"));
  EXPECT_FALSE(allows("m /^(.*)@example\\.org$ \\1", "ann@example.com", "ann"));
  EXPECT_FALSE(allows("m /^(.*)@example\\.org$ \\1", "ann@example.org.evil", "ann"));
  EXPECT_TRUE(allows("m /^(.*)@other$ db_\\1_x", "ann@other", "db_ann_x"));
  EXPECT_TRUE(allows("m /^(.*)$ \\1\\1", "ann", "ann\\1"));  // the first alone
  EXPECT_TRUE(allows("m /@example guest", "ann@example.org", "guest"));
  EXPECT_TRUE(allows("m ann \\1", "ann", "\\1"));  // no expression, nothing to put there
  EXPECT_TRUE(allows("m \"/^(a b),\" \"\\1\"", "a b, c", "a b"));
  // What is put there is a name and means nothing else.
  EXPECT_FALSE(allows("m /^(.*)$ \\1", "all", "ann"));
  EXPECT_EQ(fit("m /^(.*)$ \\1", "+staff", "ann"), Fit::No);
  EXPECT_FALSE(allows("m /^(.*)$ \\1", "/.", "ann"));
  EXPECT_TRUE(allows("m /^(.*)$ \\1", "all", "all"));
  // As long as it can be, as in PostgreSQL: ann is not let in for anna.
  EXPECT_TRUE(allows("m \"/^(ann|anna)(.*)$\" \\1", "anna", "anna"));
  EXPECT_FALSE(allows("m \"/^(ann|anna)(.*)$\" \\1", "anna", "ann"));
}

TEST(Ident, AGroupWithoutAPartInTheMatchRefuses) {
  const std::string line = "m /^(a)|b$ \\1\n";
  EXPECT_TRUE(allows(line, "a", "a"));
  EXPECT_FALSE(allows(line, "b", ""));
  EXPECT_FALSE(allows(line, "b", "\\1"));
  EXPECT_FALSE(allows(line + "m b app", "b", "app"));  // and looks no further
  EXPECT_TRUE(allows("m b app\n" + line, "b", "app"));
  EXPECT_TRUE(allows(line + "m c app", "c", "app"));
}

TEST(Ident, UsersOfTheDatabase) {
  EXPECT_TRUE(allows("m ann all", "ann", "whoever"));
  EXPECT_FALSE(allows("m ann \"all\"", "ann", "whoever"));
  EXPECT_TRUE(allows("m ann \"all\"", "ann", "all"));
  EXPECT_TRUE(allows("m /^a all", "ann", "whoever"));
  EXPECT_TRUE(allows("m ann /^app_", "ann", "app_1"));
  EXPECT_FALSE(allows("m ann /^app_", "ann", "my_app_1"));
  EXPECT_TRUE(allows("m /^(ann)$ /^\\d\\d$", "ann", "12"));
  // Of the system's names, these are names.
  EXPECT_FALSE(allows("m all app", "ann", "app"));
  EXPECT_TRUE(allows("m all app", "all", "app"));
  EXPECT_TRUE(allows("m +staff app", "+staff", "app"));
}

TEST(Ident, Groups) {
  const IdentMaps maps = ident("m ann +staff\nm ann app\nm /^(b) +staff");
  const Groups staff{"staff"};
  const Groups none;
  EXPECT_EQ(may_be(maps, {"m", "ann", "eve"}), Fit::NeedsGroups);
  EXPECT_EQ(may_be(maps, {"m", "ann", "eve", &staff}), Fit::Yes);
  EXPECT_EQ(may_be(maps, {"m", "ann", "eve", &none}), Fit::No);
  EXPECT_EQ(may_be(maps, {"m", "ann", "app"}), Fit::Yes);  // without them
  EXPECT_EQ(may_be(maps, {"m", "ann", "staff"}), Fit::Yes);
  EXPECT_EQ(may_be(maps, {"m", "zoe", "eve"}), Fit::No);
  EXPECT_EQ(may_be(maps, {"m", "bob", "eve"}), Fit::NeedsGroups);
  EXPECT_TRUE(allows("m ann \"+staff\"", "ann", "+staff"));
}

TEST(Ident, Problems) {
  const std::string fields = ": expected a map's name, a system's user and a database's user\n";
  EXPECT_EQ(ident_problems("m\nm ann\nm ann app more\nm ann,bob app\nm /( app\nm ann /[\n"
                           "m /^a$ \\1\nm /^(a)*$ x\\1\nm ann + \n\"m ann app\n"),
            "ident.conf:1:2" + fields + "ident.conf:2:6" + fields + "ident.conf:3:11" + fields +
                "ident.conf:4:3: expected one name, and no list\n"
                "ident.conf:5:3: expected a ) behind the (\n"
                "ident.conf:6:7: expected a ] behind the [\n"
                "ident.conf:7:3: expected ( ) in the expression: \\1 stands for what is in them\n"
                "ident.conf:8:3: expected the first ( ) where nothing repeats it: \\1 stands for "
                "it\n"
                "ident.conf:9:7: expected a group's name behind the +\n"
                "ident.conf:10:1: expected a second quote\n");
  EXPECT_EQ(ident_problems(""), "");  // nobody has to have maps
}

TEST(Ident, IncludedFiles) {
  const IdentMaps maps = ident(
      "include more.conf\n"
      "include_if_exists absent\n"
      "include_dir d\n"
      "include ann app\n"  // three fields: a map of that name
      "m @who app\\\n"
      "2\n",
      {{"etc/more.conf", "m one app\n"},
       {"etc/d/", "x.conf"},
       {"etc/d/x.conf", "m two app\n"},
       {"etc/who", "eve\n"}});
  ASSERT_EQ(maps.list.size(), 4u);
  EXPECT_EQ(maps.list[0].file, "etc/more.conf");
  EXPECT_EQ(maps.list[1].file, "etc/d/x.conf");
  EXPECT_EQ(maps.list[2].map, "include");
  EXPECT_EQ(maps.list[3].system.text, "eve");
  EXPECT_EQ(maps.list[3].user.text, "app2");
  EXPECT_EQ(maps.list[3].line, 5);
  EXPECT_EQ(ident_problems("m @who app\n", {{"who", "a b"}}),
            "ident.conf:1:3: expected one name, and no list\n");
  EXPECT_EQ(ident_problems("m @who app\n", {{"who", ""}}),
            "ident.conf:1:3: expected one name, and no list\n");
}

TEST(Ident, OnDisk) {
  const Directory directory;
  const std::string file = directory.write("ident.conf", "m ann app\n");
  EXPECT_EQ(load_ident(file).maps.list.size(), 1u);
  EXPECT_EQ(problems_text(load_ident(file + "x").problems),
            file + "x: cannot be read: No such file or directory\n");
}

}  // namespace
}  // namespace weir::config
