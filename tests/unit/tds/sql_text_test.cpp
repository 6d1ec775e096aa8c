// What texts leave behind on their connection. The table is read by hand.
#include "protocol/tds/sql_text.h"

#include "bytes.h"
#include "sql_text_table.h"
#include "tds_talk.h"

namespace weir::tds {
namespace {

constexpr std::string_view kKeepsNames[] = {"nothing", "table",   "cursor", "prepared",
                                            "lock",    "context", "setting"};

std::string words_of(const SqlTraits& traits) {
  std::string words;
  const auto say = [&](std::string_view word) {
    words.append(words.empty() ? "" : " ").append(word);
  };
  if (traits.transaction) say("transaction");
  if (traits.leaves) say("leaves");
  if (traits.ends_server) say("ends");
  if (traits.bulk) say("bulk");
  if (traits.keeps != Keeps::Nothing) {
    say("keeps");
    say(kKeepsNames[static_cast<size_t>(traits.keeps)]);
  }
  for (const Setting& setting : traits.settings) {
    words.append(words.empty() ? "" : " ").append("| ");
    words.append(setting.name).append(" ").append(setting.value);
  }
  return words;
}

std::string scanned(std::string_view text) { return words_of(scan_sql(utf16_of(text))); }

TEST(TdsSqlText, Batches) {
  for (const auto& [text, words] : kBatches) EXPECT_EQ(scanned(text), words) << text;
}

TEST(TdsSqlText, Prologues) {
  for (const auto& [text, words] : kPrologues) EXPECT_EQ(scanned(text), words) << text;
}

TEST(TdsSqlText, TextsThatAreCalled) {
  for (const auto& [text, words] : kCalledTexts)
    EXPECT_EQ(words_of(scan_called_sql(utf16_of(text))), words) << text;
}

TEST(TdsSqlText, Calls) {
  for (const auto& [name, words] : kCalls)
    EXPECT_EQ(words_of(traits_of_call(utf16_of(name))), words) << name;
}

// tds T46: a number says the same as the name.
TEST(TdsSqlText, CallsByNumber) {
  const std::vector<std::string> names{"p",
                                       "sp_cursor",
                                       "sp_cursoropen",
                                       "sp_cursorprepare",
                                       "sp_cursorexecute",
                                       "sp_cursorprepexec",
                                       "sp_cursorunprepare",
                                       "sp_cursorfetch",
                                       "sp_cursoroption",
                                       "sp_cursorclose",
                                       "sp_executesql",
                                       "sp_prepare",
                                       "sp_execute",
                                       "sp_prepexec",
                                       "sp_prepexecrpc",
                                       "sp_unprepare"};
  for (size_t number = 0; number < names.size(); ++number)
    EXPECT_EQ(traits_of_call(static_cast<Procedure>(number)),
              traits_of_call(Bytes(utf16_of(names[number]))))
        << names[number];
  for (const std::string& name : names) EXPECT_EQ(scanned("EXEC " + name), scanned(name)) << name;
}

// No case of letters and no blank or comment between tokens changes a meaning.
TEST(TdsSqlText, AnyCaseAnyBlanks) {
  for (const auto& [text, words] : kPrologues) {
    std::string lower, upper, wide;
    for (const char c : std::string_view(text)) {
      lower.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
      upper.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
      wide += c == ' ' ? "/* /* ' */ */\r\n-- \"\n\t" : std::string(1, c);
    }
    EXPECT_EQ(scanned(wide), words) << wide;
    if (std::string_view(text).find("LANGUAGE") != std::string_view::npos) continue;
    EXPECT_EQ(scanned(upper), words) << text;
    EXPECT_EQ(scanned(lower), words) << text;
  }
}

// Nothing behind the text is read: each stands alone in memory that ends with it.
TEST(TdsSqlText, EveryPrefix) {
  const auto cut = [](const std::string& utf16) {
    for (size_t bytes = 0; bytes <= utf16.size(); ++bytes) {
      const std::vector<char> alone(utf16.begin(), utf16.begin() + static_cast<ptrdiff_t>(bytes));
      const SqlTraits traits = scan_sql({alone.data(), alone.size()});
      EXPECT_TRUE(traits.keeps == Keeps::Nothing || traits.leaves);
      EXPECT_EQ(traits, scan_sql({alone.data(), alone.size() & ~size_t{1}}));
      scan_called_sql({alone.data(), alone.size()});
      traits_of_call({alone.data(), alone.size()});
    }
  };
  for (const auto& each : kBatches) cut(utf16_of(each.text));
  for (const auto& each : kPrologues) cut(utf16_of(each.text));
  EXPECT_EQ(scan_sql({}), SqlTraits{});
}

// What was said once more is what was said.
TEST(TdsSqlText, SettingsSayTheSameAgain) {
  size_t settings = 0;
  for (const auto& [text, words] : kPrologues) {
    const SqlTraits traits = scan_sql(utf16_of(text));
    std::string again;
    for (const Setting& setting : traits.settings)
      again.append("SET ").append(setting.name).append(" ").append(setting.value).append("\n");
    const SqlTraits second = scan_sql(utf16_of(again));
    EXPECT_EQ(second.settings, traits.settings) << again;
    EXPECT_EQ(second.keeps, Keeps::Nothing) << again;
    settings += traits.settings.size();
  }
  EXPECT_GT(settings, 50U);
}

TEST(TdsSqlText, ManySettingsAreKept) {
  std::string text;
  for (size_t i = 0; i < kSettingsMax; ++i) text += "SET NOCOUNT ON ";
  EXPECT_EQ(scan_sql(utf16_of(text)).keeps, Keeps::Nothing);
  const SqlTraits traits = scan_sql(utf16_of(text + "SET NOCOUNT OFF"));
  EXPECT_EQ(traits.keeps, Keeps::Setting);
  EXPECT_EQ(traits.settings.size(), kSettingsMax);
  std::string on, off;
  for (int i = 0; i < 17; ++i) {
    on += "SET an_option_" + std::to_string(i) + " ON ";
    off += "SET an_option_" + std::to_string(i) + " OFF ";
  }
  EXPECT_EQ(scanned(on + off), "transaction leaves keeps setting");
  EXPECT_EQ(scanned(off), "leaves");
}

// Blanks and letters outside of ASCII, halves of pairs.
TEST(TdsSqlText, Unicode) {
  for (const std::string_view blank :
       {"\u00a0", "\u0085", "\u2003", "\u200b", "\u2028", "\u3000", "\ufeff", "\u00ab"}) {
    const std::string text(blank);
    EXPECT_EQ(scanned(text + "COMMIT" + text + "TRAN"), "transaction") << text;
  }
  for (const std::string_view letter : {"\u00e4", "\u0130", "\u017f", "\u6c34", "\U0001f511"}) {
    const std::string text(letter);
    EXPECT_EQ(scanned("SELECT COMMIT" + text + ", " + text + "ROLLBACK"), "") << text;
  }
  EXPECT_EQ(words_of(scan_sql(utf16_of("SELECT ") + hand::hex("3dd8") + utf16_of(" COMMIT"))),
            "transaction");
  EXPECT_EQ(words_of(scan_sql(utf16_of("SET LANGUAGE N'") + hand::hex("3dd8") + utf16_of("'"))),
            "transaction leaves keeps setting");
}

// ---------------------------------------------------------------- recordings

// The texts of all batches that the recorded clients have sent; only those of one packet.
std::vector<std::string> recorded_batches(const std::string& name) {
  std::vector<std::string> found;
  for (const recordings::Recording& each : recordings::all()) {
    if (each.name != name) continue;
    Bytes in = each.client;
    while (in.size() > kPacketHeadBytes) {
      const PacketHead head = read_packet_head(in);
      const Bytes body = in.substr(kPacketHeadBytes, head.bytes - kPacketHeadBytes);
      in.remove_prefix(head.bytes);
      if (head.type != PacketType::Batch) continue;
      found.emplace_back(body.substr(read_all_headers(body).bytes));
    }
  }
  return found;
}

TEST(TdsSqlText, RecordedBatches) {
  const auto recorded = [](const std::string& name) {
    std::vector<std::string> found;
    for (const std::string& text : recorded_batches(name))
      found.push_back(words_of(scan_sql(text)));
    return found;
  };
  using Words = std::vector<std::string>;
  const std::string prologue =
      "| ANSI_NULLS ON | ANSI_NULL_DFLT_ON ON | ANSI_PADDING ON | ANSI_WARNINGS ON | ARITHABORT ON "
      "| CONCAT_NULL_YIELDS_NULL ON | DATEFIRST 7 | DATEFORMAT MDY | IMPLICIT_TRANSACTIONS OFF "
      "| LANGUAGE N'us_english' | NUMERIC_ROUNDABORT OFF | QUOTED_IDENTIFIER ON "
      "| TEXTSIZE 2147483647 | TRANSACTION ISOLATION LEVEL READ COMMITTED | XACT_ABORT OFF";
  const std::string table = "leaves keeps table";
  EXPECT_EQ(recorded("tedious_login_plain"), Words{prologue});
  EXPECT_EQ(recorded("tedious_tran_text"),
            (Words{prologue, "transaction", "", "transaction", "transaction", "transaction"}));
  EXPECT_EQ(recorded("tedious_bulk"), (Words{prologue, table, "leaves bulk keeps table"}));
  EXPECT_EQ(recorded("tedious_reset"),
            (Words{prologue, table, "| DATEFIRST 3", "", prologue, table, ""}));
  EXPECT_EQ(recorded("tedious_proc"), (Words{prologue, "", "", ""}));
  EXPECT_EQ(recorded("bsqldb_multi"), (Words{"", table, ""}));
  EXPECT_EQ(recorded("tsql_batch"), (Words{"", "", "transaction", "transaction", ""}));
}

}  // namespace
}  // namespace weir::tds
