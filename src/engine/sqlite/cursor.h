// What an executor keeps of a portal: the statement while it runs, and the reader that it may have
// to itself. Owned by the portal; destroyed on the loop's thread while no job runs.
#pragma once

#include <memory>

#include <weir/pgserver/executor.h>

#include "copy_text.h"
#include "core.h"

namespace weir::engine::sqlite {

struct Cursor final : pgserver::Kept {
  Cursor(std::shared_ptr<const Compiled> of, int& writer_cursors)
      : compiled(std::move(of)), on_writer_count(writer_cursors) {}
  ~Cursor() override {
    if (on_writer) --on_writer_count;
  }

  std::shared_ptr<const Compiled> compiled;
  int& on_writer_count;  // of the executor: how many of its cursors are open where it writes
  bool on_writer = false;
  bool open = false;   // `statement` has been started
  ReaderLease own;     // absent: on the writer's, the transaction's or the loop's handle
  Prepared statement;  // behind `own`: it goes first

  // COPY … FROM STDIN
  std::unique_ptr<CopyReader> copy;
  std::vector<uint32_t> copy_types;
  std::string copy_bytes;  // collected on the loop
  uint64_t copy_rows = 0;
};

}  // namespace weir::engine::sqlite
