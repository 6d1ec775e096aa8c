#include "sql_text_words.h"

#include <array>

namespace weir::tds {

namespace {

struct KeywordText {
  std::string_view text;
  Keyword keyword;
};

// By first letter. But for CALL and THROW all are reserved: they are no names without quotes.
constexpr KeywordText kKeywords[] = {
    {"ALTER", Keyword::Alter},
    {"BACKUP", Keyword::Statement},
    {"BEGIN", Keyword::Begin},
    {"BREAK", Keyword::Break},
    {"BULK", Keyword::Statement},
    {"CALL", Keyword::Call},
    {"CHECKPOINT", Keyword::Statement},
    {"CLOSE", Keyword::Statement},
    {"COMMIT", Keyword::Commit},
    {"CONTINUE", Keyword::Continue},
    {"CREATE", Keyword::Create},
    {"DBCC", Keyword::Dbcc},
    {"DEALLOCATE", Keyword::Statement},
    {"DECLARE", Keyword::Declare},
    {"DELETE", Keyword::Statement},
    {"DENY", Keyword::Statement},
    {"DROP", Keyword::Statement},
    {"ELSE", Keyword::Statement},
    {"END", Keyword::Statement},
    {"EXEC", Keyword::Execute},
    {"EXECUTE", Keyword::Execute},
    {"FETCH", Keyword::Statement},
    {"GOTO", Keyword::Goto},
    {"GRANT", Keyword::Statement},
    {"IF", Keyword::If},
    {"INSERT", Keyword::Insert},
    {"KILL", Keyword::Statement},
    {"MERGE", Keyword::Statement},
    {"OPEN", Keyword::Open},
    {"PRINT", Keyword::Statement},
    {"RAISERROR", Keyword::Statement},
    {"READTEXT", Keyword::Statement},
    {"RECONFIGURE", Keyword::Statement},
    {"RESTORE", Keyword::Statement},
    {"RETURN", Keyword::Return},
    {"REVERT", Keyword::Statement},
    {"REVOKE", Keyword::Statement},
    {"ROLLBACK", Keyword::Rollback},
    {"SAVE", Keyword::Save},
    {"SELECT", Keyword::Statement},
    {"SET", Keyword::Set},
    {"SETUSER", Keyword::SetUser},
    {"SHUTDOWN", Keyword::Statement},
    {"THROW", Keyword::Throw},
    {"TRUNCATE", Keyword::Statement},
    {"UPDATE", Keyword::Statement},
    {"UPDATETEXT", Keyword::Statement},
    {"USE", Keyword::Statement},
    {"WAITFOR", Keyword::Statement},
    {"WHILE", Keyword::While},
    {"WITH", Keyword::With},
    {"WRITETEXT", Keyword::Statement},
};

// For each letter where its words begin, and a bit for each of their lengths.
struct Index {
  std::array<uint8_t, 27> begin{};
  std::array<uint32_t, 26> lengths{};
};
constexpr Index make_index() {
  Index index;
  size_t at = 0;
  for (size_t letter = 0; letter < 26; ++letter) {
    index.begin[letter] = static_cast<uint8_t>(at);
    for (; at < std::size(kKeywords) && kKeywords[at].text[0] == static_cast<char>('A' + letter);
         ++at)
      index.lengths[letter] |= 1U << kKeywords[at].text.size();
  }
  index.begin[26] = static_cast<uint8_t>(at);
  return index;
}
constexpr Index kIndex = make_index();
static_assert(kIndex.begin[26] == std::size(kKeywords), "the words stand by their first letters");

using Kind = SetOption::Kind;

// "SET Statements (Transact-SQL)".
constexpr SetOption kOptions[] = {
    {"ANSI_DEFAULTS", Kind::Defaults},
    {"ANSI_NULLS", Kind::Switch},
    {"ANSI_NULL_DFLT_OFF", Kind::Switch},
    {"ANSI_NULL_DFLT_ON", Kind::Switch},
    {"ANSI_PADDING", Kind::Switch},
    {"ANSI_WARNINGS", Kind::Switch},
    {"ARITHABORT", Kind::Switch},
    {"ARITHIGNORE", Kind::Switch},
    {"CONCAT_NULL_YIELDS_NULL", Kind::Switch},
    {"CONTEXT_INFO", Kind::Context},
    {"CURSOR_CLOSE_ON_COMMIT", Kind::Switch},
    {"DATEFIRST", Kind::Number},
    {"DATEFORMAT", Kind::DateFormat},
    {"DEADLOCK_PRIORITY", Kind::Priority},
    {"FMTONLY", Kind::Halting},
    {"IDENTITY_INSERT", Kind::Table},
    {"IMPLICIT_TRANSACTIONS", Kind::Switch},
    {"LANGUAGE", Kind::Language},
    {"LOCK_TIMEOUT", Kind::Number},
    {"NOCOUNT", Kind::Switch},
    {"NOEXEC", Kind::Halting},
    {"NUMERIC_ROUNDABORT", Kind::Switch},
    {"OFFSETS", Kind::Words},
    {"PARSEONLY", Kind::Halting},
    {"QUERY_GOVERNOR_COST_LIMIT", Kind::Number},
    {"QUOTED_IDENTIFIER", Kind::Switch},
    {"ROWCOUNT", Kind::Number},
    {"SHOWPLAN_ALL", Kind::Halting},
    {"SHOWPLAN_TEXT", Kind::Halting},
    {"SHOWPLAN_XML", Kind::Halting},
    {"STATISTICS", Kind::Words},
    {"TEXTSIZE", Kind::Number},
    {"TRAN", Kind::Isolation},
    {"TRANSACTION", Kind::Isolation},
    {"XACT_ABORT", Kind::Switch},
};

}  // namespace

bool starts_folded(Bytes utf16, std::string_view upper) {
  if (utf16.size() < 2 * upper.size()) return false;
  for (size_t i = 0; i < upper.size(); ++i)
    if (folded(load_le<char16_t>(utf16.data() + 2 * i)) != static_cast<unsigned char>(upper[i]))
      return false;
  return true;
}

bool equals_folded(Bytes utf16, std::string_view upper) {
  return utf16.size() == 2 * upper.size() && starts_folded(utf16, upper);
}

Keyword keyword_of(Bytes utf16) {
  const size_t length = utf16.size() / 2;
  if (length < 2 || length > 11) return Keyword::None;
  const unsigned letter = folded(load_le<char16_t>(utf16.data())) - unsigned{'A'};
  if (letter >= 26 || !(kIndex.lengths[letter] >> length & 1)) return Keyword::None;
  for (size_t i = kIndex.begin[letter]; i < kIndex.begin[letter + 1]; ++i)
    if (equals_folded(utf16, kKeywords[i].text)) return kKeywords[i].keyword;
  return Keyword::None;
}

const SetOption* find_option(Bytes utf16) {
  for (const SetOption& option : kOptions)
    if (equals_folded(utf16, option.name)) return &option;
  return nullptr;
}

}  // namespace weir::tds
