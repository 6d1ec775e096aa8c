// What a simulated client asks: turns as bytes, drawn from a seed. Every text carries the client's
// name and a number, so that an answer that goes astray is known at once.
#pragma once

#include <string>
#include <vector>

#include "client_talk.h"
#include "random.h"

namespace weir::sim {

struct ProgramOptions {
  bool pipelines = false;  // further turns go out before the answers have come
  bool blocks = true;      // transactions
  bool extended = true;
  bool settings = true;
  bool resets = true;  // RESET ALL, DISCARD ALL, DEALLOCATE ALL
  bool copies = true;
  bool sleeps = true;
  bool leaves_state =
      false;  // temporary tables and settings that are not reported; else it looks for others'
  size_t pad_max = 2000;
};

class Program {
 public:
  Program(int client, Random& random, const ProgramOptions& options)
      : client_("c" + std::to_string(client)), random_(random), options_(options) {}

  // The next turn, or the turns of a whole transaction.
  std::string next() {
    if (options_.blocks && random_.percent(20)) return block();
    return random_.percent(50) && options_.extended ? extended() : simple(false);
  }

 private:
  std::string tag() { return client_ + "-s" + std::to_string(++sequence_); }
  std::string quoted() { return "'" + tag() + "'"; }
  std::string number(uint64_t bound) { return std::to_string(random_.below(bound)); }

  // Its extended turns come first and do not fail: in a failed transaction weir answers a Parse of
  // what it knows itself, and the error comes with the Bind.
  std::string block() {
    std::string out = talk::query("BEGIN");
    in_block_ = true;
    for (uint64_t i = options_.extended ? random_.below(3) : 0; i > 0; --i) out += extended();
    for (uint64_t i = random_.below(4); i > 0; --i) out += simple(true);
    in_block_ = false;
    return out + talk::query(random_.percent(70) ? "COMMIT" : "ROLLBACK");
  }

  std::string simple(bool in_block) {
    switch (random_.below(16)) {
      case 0: return talk::query("SELECT " + quoted() + ";SELECT " + quoted());
      case 1:
        return talk::query("SELECT " + quoted() + ";SELECT fail(" + quoted() + ");SELECT " +
                           quoted());
      case 2: return talk::query("SELECT many(" + number(40) + "," + quoted() + ")");
      case 3: return talk::query("SELECT pad(" + number(options_.pad_max) + "," + quoted() + ")");
      case 4: return talk::query("BAD " + quoted());
      case 5: return talk::query("");
      case 6:
      case 7: return setting(in_block);
      case 8: return state();
      case 9: return options_.copies ? copy_in() : talk::query("SELECT " + quoted());
      case 10: return talk::query("COPY " + number(20) + " " + quoted() + " TO STDOUT");
      case 11:
        return talk::query((options_.sleeps ? "SELECT sleep(" : "SELECT many(2,") + quoted() + ")");
      case 12: return reset(in_block);
      default: return talk::query("SELECT " + quoted());
    }
  }

  std::string setting(bool in_block) {
    if (!options_.settings) return talk::query("SHOW application_name");
    const std::string name = random_.percent(50) ? "application_name" : "timezone";
    switch (random_.below(4)) {
      case 0: return talk::query("SET " + name + " = " + quoted());
      case 1: return talk::query("SET " + name + " = '" + number(3) + "'");
      case 2:
        return in_block ? talk::query("SET LOCAL " + name + " = " + quoted())
                        : talk::query("SHOW " + name);
      default: return talk::query("SHOW " + name);
    }
  }

  // What a server must not carry from one client to another.
  std::string state() {
    const bool table = random_.percent(50);
    if (!options_.leaves_state) return talk::query(table ? "SELECT temp()" : "SHOW note");
    if (table) return talk::query("CREATE TEMP TABLE t_" + client_ + ";SELECT temp()");
    return talk::query("SET note = '" + client_ + "';SHOW note");
  }

  std::string reset(bool in_block) {
    if (!options_.resets || in_block) return talk::query("SELECT " + quoted());
    switch (random_.below(3)) {
      case 0: return talk::query("RESET ALL");
      case 1: return talk::query("DISCARD ALL");
      default: return talk::query("DEALLOCATE ALL");
    }
  }

  std::string copy_data(const std::string& text) {
    std::string out;
    for (uint64_t i = random_.below(5); i > 0; --i)
      out += talk::message('d',
                           text + "/" + std::to_string(i) + (random_.percent(7) ? "bad\n" : "\n"));
    return out +
           (random_.percent(80) ? talk::message('c') : talk::message('f', std::string("no\0", 3)));
  }
  std::string copy_in() {
    const std::string text = tag();
    return talk::query("COPY '" + text + "' FROM STDIN") + copy_data(text);
  }

  std::string name() { return "s" + number(4); }
  // A client that pipelines has texts of its own: whether a text is known on the server, too, shows
  // behind an error only.
  std::string shared_text() {
    if (options_.pipelines) return "SELECT " + quoted();
    static const char* const kTexts[] = {"SELECT $1", "SELECT 'shared'", "SHOW application_name",
                                         "SELECT many(3,'m')", "SELECT fail('shared')"};
    return kTexts[random_.below(in_block_ ? 4 : 5)];
  }

  std::string extended() {
    if (random_.percent(10)) return unnamed_in_two_turns();
    std::string out;
    for (uint64_t i = random_.below(3) + 1; i > 0; --i) {
      out += extended_piece();
      if (random_.percent(15)) out += talk::flush();
    }
    return out + talk::sync();
  }

  // The server may go to somebody else in between.
  std::string unnamed_in_two_turns() {
    return talk::parse("", "SELECT " + quoted()) + talk::sync() + talk::bind("", "") +
           talk::describe('S', "") + talk::execute("") + talk::sync();
  }

  // A statement's name, and what makes sure that it is there. A client that asks on before it knows
  // of an error has names that it uses once: what becomes of a name behind an error is only known
  // when the error has come.
  std::string known_name(std::string& out) {
    if (!options_.pipelines && !in_block_) return name();
    const std::string fresh = "f" + std::to_string(++sequence_);
    out = talk::parse(fresh, shared_text());
    return fresh;
  }

  std::string known_bind(const std::string& portal) {
    std::string out;
    const std::string statement = known_name(out);
    return out + talk::bind(portal, statement, tag());
  }

  std::string extended_piece() {
    std::string out;
    switch (random_.below(8)) {
      case 0: {
        const std::string statement =
            options_.pipelines || in_block_ ? "f" + std::to_string(++sequence_) : name();
        return talk::parse(statement, shared_text()) + talk::bind("", statement, tag()) +
               talk::execute("");
      }
      case 1:
        return options_.pipelines || in_block_ ? talk::flush() : talk::parse(name(), shared_text());
      case 2: {
        const std::string statement = known_name(out);
        return out + talk::describe('S', statement);
      }
      case 3: {
        const std::string statement = known_name(out);
        return out + talk::close('S', statement);
      }
      case 4: return talk::parse("", (in_block_ ? "SELECT " : "BAD ") + quoted());
      case 5:
        out += known_bind("p");
        return out + talk::describe('P', "p") + talk::execute("p", 2) + talk::execute("p", 2);
      case 6: out += known_bind(""); return out + talk::describe('P', "") + talk::execute("");
      default:
        return talk::parse("", "SELECT " + quoted()) + talk::bind("", "") +
               talk::describe('P', "") + talk::execute("");
    }
  }

  const std::string client_;
  Random& random_;
  const ProgramOptions options_;
  int sequence_ = 0;
  bool in_block_ = false;
};

}  // namespace weir::sim
