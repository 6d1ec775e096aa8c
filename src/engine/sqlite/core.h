// What the executors of one database share: its threads, its spare readers, and for each loop one
// reader at hand and the statements that have been compiled there. Owned by the engine. LoopState
// belongs to its loop's thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <weir/engine/sqlite.h>

#include "compile.h"
#include "handle.h"
#include "threads.h"

namespace weir::engine::sqlite {

class Readers;

// A reader on loan; goes back when this is destroyed.
class ReaderLease {
 public:
  ReaderLease() = default;
  ReaderLease(Readers& readers, std::unique_ptr<Handle> handle)
      : readers_(&readers), handle_(std::move(handle)) {}
  ReaderLease(ReaderLease&&) = default;
  ReaderLease& operator=(ReaderLease&& other) noexcept {
    if (this == &other) return *this;
    give_back();
    readers_ = other.readers_;
    handle_ = std::move(other.handle_);
    return *this;
  }
  ~ReaderLease() { give_back(); }
  explicit operator bool() const { return handle_ != nullptr; }
  Handle& operator*() const { return *handle_; }
  Handle* get() const { return handle_.get(); }
  void give_back();

 private:
  Readers* readers_ = nullptr;
  std::unique_ptr<Handle> handle_;
};

// Any thread.
class Readers {
 public:
  Readers(HandleOptions options, size_t max) : options_(std::move(options)), max_(max) {}
  base::Result<ReaderLease> take();
  size_t open() const;

 private:
  friend class ReaderLease;
  void give_back(std::unique_ptr<Handle> handle);
  const HandleOptions options_;
  const size_t max_;
  mutable std::mutex mutex_;
  size_t open_ = 0;
  std::vector<std::unique_ptr<Handle>> spare_;
};

// What describe() has found for a text and the types that came with it.
struct Described {
  uint64_t schema = 0;  // as it was then
  std::vector<uint32_t> parameters;
  std::vector<pgserver::Column> columns;
};

class LoopState {
 public:
  explicit LoopState(net::Loop& on) : loop(on) {}
  std::shared_ptr<const Compiled> compiled(const std::string& text);
  Described* described(const std::string& text, const std::vector<uint32_t>& types);
  void remember(const std::string& text, const std::vector<uint32_t>& types, Described described);

  net::Loop& loop;
  ReaderLease home;

 private:
  std::unordered_map<std::string, std::shared_ptr<const Compiled>> compiled_;
  std::unordered_map<std::string, Described> described_;
  size_t bytes_ = 0;
};

struct Handles {
  std::unique_ptr<Handle> writer;
  std::unique_ptr<Handle> keeper;
};

class Core {
 public:
  Core(const SqliteOptions& engine_options, const HandleOptions& reader_options, Handles handles);
  LoopState& state_of(net::Loop& loop);
  // Joins the threads. What runs has been told to stop before.
  void stop();

  const SqliteOptions options;
  std::atomic<uint64_t> schema{1};  // goes up with each change of the schema
  Readers readers;

 private:
  std::mutex mutex_;
  std::unordered_map<net::Loop*, std::unique_ptr<LoopState>> states_;  // hold leases of readers

 public:
  Keeper keeper;
  Helpers helpers;
  Writer writer;
};

}  // namespace weir::engine::sqlite
