// The name of a listening unix socket. Owned by its listener; takes the file away at the end if it
// is still the one that was made: a process that has taken over may have put its own there.
#pragma once

#include <sys/stat.h>

#include <string>

#include <weir/base/result.h>
#include <weir/net/loop.h>

namespace weir::net {

class SocketFile {
 public:
  SocketFile() = default;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile();

  // A bound socket, not yet listening, with the mode and group asked for. A file left behind by a
  // dead process is replaced; one that somebody answers on is not.
  base::Result<int> bind(const std::string& path, const ListenOptions& options);

 private:
  std::string path_;  // empty: nothing to take away
  struct stat made_ = {};
};

}  // namespace weir::net
