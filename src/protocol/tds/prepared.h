// Prepared statements that follow their client from server to server. A client's handle is a number
// of its own for a definition; each server has its own number for that, or is told the definition
// first (MS-TDS 2.2.6.6; the sp_prepare family). Values of one worker at a time.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include <weir/base/intern.h>

#include "request.h"

namespace weir::tds {

using base::Interned;

// A definition is the parameters of sp_prepare as they stand in a call, behind a byte that says
// what running it may leave behind.
constexpr char kMayLeave = 0x01;
constexpr char kMayTransact = 0x02;
constexpr size_t kDefinitionBytesMax = 64 * 1024;

// What a client has prepared.
class Handles {
 public:
  const Interned* find(int32_t handle) const;
  bool contains(int32_t handle) const { return find(handle) != nullptr; }
  // The number that the server has given it, if it is free, as most are. Nothing: there are too
  // many.
  std::optional<int32_t> add(int32_t servers_number, const Interned& definition);
  void forget(int32_t handle);
  bool empty() const { return handles_.empty(); }
  void clear() { *this = Handles(); }

 private:
  std::map<int32_t, Interned> handles_;
  size_t bytes_ = 0;
  int32_t next_ = 1;
};

// What a server has prepared.
class ServerHandles {
 public:
  std::optional<int32_t> find(const Interned& definition) const;
  void add(const Interned& definition, int32_t handle);
  void forget(const Interned& definition) {
    made_ -= static_cast<int>(handles_.erase(definition.id()));
  }
  // What they were prepared for is no more; they stay until the reset.
  void lose() { handles_.clear(); }
  void lose(const Interned& definition) { handles_.erase(definition.id()); }
  // Made since it was reset, also those that nobody can find any more.
  int made() const { return made_; }
  void clear() { *this = ServerHandles(); }

 private:
  struct Known {
    Interned definition;  // keeps its id in use
    int32_t handle;
  };
  std::unordered_map<uint64_t, Known> handles_;
  int made_ = 0;
};

// sp_prepare, as a message of its own. `transaction`: the descriptor of the one that is open, or 0.
void append_prepare(std::string& out, Version version, uint64_t transaction,
                    const Interned& definition);
// The answer to sp_unprepare. `last` of the calls in a message.
void append_unprepared(std::string& tokens, Version version, bool last);

}  // namespace weir::tds
