// What a text in T-SQL may leave behind on its connection: may another client have the server next,
// and what has to be carried or undone before? Bounded lexing, not parsing; where a text is unclear
// it is said to leave something. The server's answers decide what has happened: a batch that came
// back with an error may have stopped in front of any of its statements. Pure functions, any
// thread; texts without SET allocate nothing. Texts are UTF-16LE, as they stand in a batch behind
// ALL_HEADERS; an odd byte at the end does not count.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "call_walker.h"

namespace weir::tds {

// Why the client has to keep its server after this batch.
enum class Keeps : uint8_t {
  Nothing,
  TempTable,
  Cursor,    // a global one, or a handle of one; of a document, too
  Prepared,  // statements
  Lock,      // of sp_getapplock, of the session
  Context,   // CONTEXT_INFO, SESSION_CONTEXT, who the session is, keys that are open
  Setting,   // that cannot be carried, or may or may not have been made
};

// `SET name value` says the same again. Names are as T-SQL has them, in upper case ("ANSI_NULLS",
// "TRANSACTION ISOLATION LEVEL"); values are "ON", "OFF", numbers, "MDY", "LOW", "READ COMMITTED",
// "N'us_english'".
struct Setting {
  std::string_view name;  // lives forever
  std::string value;

  bool operator==(const Setting&) const = default;
};

constexpr size_t kSettingsMax = 64;  // of one text; those behind them are kept, not carried

struct SqlTraits {
  bool transaction = false;      // one may begin or end: what it says itself, and any call
  bool leaves = false;           // something may stay that only a reset removes, or not even that
  bool ends_server = false;      // no reset undoes it: impersonation, application roles, DTC
  bool bulk = false;             // INSERT BULK: its data follow
  Keeps keeps = Keeps::Nothing;  // the first reason; never without `leaves`
  bool prepares = false;         // Prepared is among the reasons
  bool sets_context = false;     // Context is
  // That can be carried to another server, in the order in which they were said; a name may come
  // again. Order matters: LANGUAGE sets DATEFIRST and DATEFORMAT too, ANSI_NULL_DFLT_ON and
  // ANSI_NULL_DFLT_OFF switch each other off.
  std::vector<Setting> settings;

  bool operator==(const SqlTraits&) const = default;
  void keep(Keeps why) {
    leaves = true;
    prepares = prepares || why == Keeps::Prepared;
    sets_context = sets_context || why == Keeps::Context;
    if (keeps == Keeps::Nothing) keeps = why;
  }
  // What this is cannot be told.
  void be_unclear() {
    transaction = true;
    keep(Keeps::Setting);
  }
};

// Of a batch.
SqlTraits scan_sql(Bytes utf16);
// Of what sp_executesql runs: temporary tables and settings end with it on SQL Server, not on every
// server that speaks the protocol, so that they leave something which nobody has to keep.
SqlTraits scan_called_sql(Bytes utf16);

// Of a procedure that is called: "sp_who", "[master].dbo.[sp_who];1". What it gets is not known.
SqlTraits traits_of_call(Bytes name_utf16);
SqlTraits traits_of_call(Procedure procedure);

}  // namespace weir::tds
