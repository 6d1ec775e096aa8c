// The statements of weir's own names that a server connection knows, and what is on its way to
// change that. A Parse that was sent may still fail, or be skipped behind an error; only messages
// up to the next Sync share its fate. Part of a ServerState.
#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>

#include <weir/base/intern.h>

namespace weir::postgres {

class PreparedSet {
 public:
  // What has to be sent before a message that uses the statement. A segment ends with Sync,
  // Query or Call.
  enum class Need : uint8_t { Nothing, Parse, CloseAndParse };
  Need need(uint64_t id, uint32_t segment);

  // A Parse or Close of it in an earlier segment is not answered yet: it may have failed.
  bool is_open(uint64_t id, uint32_t segment) const;

  void parse_sent(const base::Interned& statement, uint32_t segment);
  void close_sent(const base::Interned& statement, uint32_t segment);
  void parsed(uint64_t id);  // the server has done it
  void closed(uint64_t id);
  void skipped(uint64_t id);  // a Parse or Close that the server refused or never looked at

  // DISCARD ALL or DEALLOCATE ALL was sent; has run; is answered, whatever came of it. In between
  // nobody knows which statements are left, and need() may not be asked.
  void clear_sent() { ++clears_; }
  void clear();
  void clear_over() { --clears_; }
  bool is_clearing() const { return clears_ > 0; }

  // Once all that was sent has been done; the least recently used first.
  size_t size() const { return order_.size(); }
  base::Interned oldest() const { return order_.front(); }

 private:
  struct Known {
    bool there = false;    // as far as the server has answered
    bool stays = false;    // in order_: there, once all that was sent has been done
    uint32_t on_way = 0;   // Parse and Close that are not answered yet
    uint32_t segment = 0;  // of the last of them
    std::list<base::Interned>::iterator place = {};
  };
  void stay(Known& known, const base::Interned& statement);
  void go(Known& known);

  std::list<base::Interned> order_;
  std::unordered_map<uint64_t, Known> known_;
  // Holds the texts of those that are on their way out.
  std::unordered_map<uint64_t, base::Interned> leaving_;
  uint32_t clears_ = 0;
};

}  // namespace weir::postgres
