#include "core.h"

namespace weir::engine::sqlite {

namespace {

constexpr size_t kCompiledMax = 1000;  // texts kept on each loop
constexpr size_t kCompiledBytesMax = 4 << 20;
constexpr size_t kCompiledTextMax = 16 << 10;  // longer ones are compiled each time

std::string key_of(const std::string& text, const std::vector<uint32_t>& types) {
  std::string key = text;
  for (const uint32_t type : types) {
    key.push_back('\0');
    key += std::to_string(type);
  }
  return key;
}

}  // namespace

void ReaderLease::give_back() {
  if (handle_) readers_->give_back(std::move(handle_));
}

base::Result<ReaderLease> Readers::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      auto handle = std::move(spare_.back());
      spare_.pop_back();
      return ReaderLease(*this, std::move(handle));
    }
    if (open_ >= max_)
      return base::Error{base::ErrorKind::TooLarge,
                         "too many statements read from the database at once", "53300"};
    ++open_;
  }
  auto opened = Handle::open(options_);
  if (opened) return ReaderLease(*this, std::move(*opened));
  const std::lock_guard lock(mutex_);
  --open_;
  return opened.error();
}

void Readers::give_back(std::unique_ptr<Handle> handle) {
  if (handle->in_transaction()) handle->run_own("ROLLBACK");
  const bool clean = !handle->in_transaction() && handle->set_writable(false);
  const std::lock_guard lock(mutex_);
  if (clean) {
    spare_.push_back(std::move(handle));
  } else {
    --open_;
  }
}

size_t Readers::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

std::shared_ptr<const Compiled> LoopState::compiled(const std::string& text) {
  if (const auto found = compiled_.find(text); found != compiled_.end()) return found->second;
  auto made = compile(text);
  if (text.size() > kCompiledTextMax || made->refused) return made;
  if (compiled_.size() >= kCompiledMax || bytes_ + text.size() > kCompiledBytesMax) {
    compiled_.clear();
    described_.clear();
    bytes_ = 0;
  }
  bytes_ += text.size();
  compiled_.emplace(text, made);
  return made;
}

Described* LoopState::described(const std::string& text, const std::vector<uint32_t>& types) {
  const auto found = described_.find(key_of(text, types));
  return found == described_.end() ? nullptr : &found->second;
}

void LoopState::remember(const std::string& text, const std::vector<uint32_t>& types,
                         Described described) {
  if (text.size() > kCompiledTextMax || types.size() > 100) return;
  if (described_.size() >= kCompiledMax) described_.clear();
  described_.insert_or_assign(key_of(text, types), std::move(described));
}

Core::Core(const SqliteOptions& engine_options, const HandleOptions& reader_options,
           Handles handles)
    : options(engine_options),
      readers(reader_options, engine_options.readers_max),
      keeper(std::move(handles.keeper)),
      helpers(engine_options.helper_threads),
      writer(std::move(handles.writer)) {}

void Core::stop() {
  writer.stop();
  helpers.stop();
  keeper.stop();
}

LoopState& Core::state_of(net::Loop& loop) {
  const std::lock_guard lock(mutex_);
  auto& state = states_[&loop];
  if (!state) state = std::make_unique<LoopState>(loop);
  return *state;
}

}  // namespace weir::engine::sqlite
