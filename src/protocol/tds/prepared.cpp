#include "prepared.h"

#include <weir/base/limits.h>

#include "call_walker.h"
#include "tokens.h"

namespace weir::tds {

const Interned* Handles::find(int32_t handle) const {
  const auto found = handles_.find(handle);
  return found == handles_.end() ? nullptr : &found->second;
}

std::optional<int32_t> Handles::add(int32_t servers_number, const Interned& definition) {
  const size_t bytes = definition.view().size();
  if (handles_.size() >= base::kClientStatementsMax ||
      bytes_ + bytes > base::kClientStatementBytesMax)
    return std::nullopt;
  int32_t handle = servers_number;
  while (contains(handle)) handle = next_ = next_ < INT32_MAX ? next_ + 1 : 1;
  handles_.emplace(handle, definition);
  bytes_ += bytes;
  return handle;
}

void Handles::forget(int32_t handle) {
  const auto found = handles_.find(handle);
  if (found == handles_.end()) return;
  bytes_ -= found->second.view().size();
  handles_.erase(found);
}

std::optional<int32_t> ServerHandles::find(const Interned& definition) const {
  const auto found = handles_.find(definition.id());
  return found == handles_.end() ? std::nullopt : std::optional(found->second.handle);
}

void ServerHandles::add(const Interned& definition, int32_t handle) {
  ++made_;
  handles_.insert_or_assign(definition.id(), Known{definition, handle});
}

void append_prepare(std::string& out, Version version, uint64_t transaction,
                    const Interned& definition) {
  constexpr std::string_view kNoHandle("\0\1\x26\4\0", 5);         // by reference, INTN of 4, null
  constexpr std::string_view kOptions("\0\0\x26\4\4\1\0\0\0", 9);  // 1
  std::string payload;
  if (is_since_72(version)) append_all_headers(payload, transaction);
  append_le(payload, uint16_t{0xffff});
  append_le(payload, static_cast<uint16_t>(Procedure::Prepare));
  append_le(payload, uint16_t{0});
  payload.append(kNoHandle).append(definition.view().substr(1)).append(kOptions);
  append_message(out, {.type = PacketType::Rpc}, payload);
}

void append_unprepared(std::string& tokens, Version version, bool last) {
  append_byte(tokens, static_cast<uint8_t>(Token::ReturnStatus));
  append_le(tokens, int32_t{0});
  append_done(tokens, version, {.status = last ? uint16_t{0} : kDoneMore, .command = 0xe0},
              Token::DoneProc);
}

}  // namespace weir::tds
