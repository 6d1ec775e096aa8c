#include "socket_file.h"

#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "address.h"

namespace weir::net {

namespace {

int open_unix_socket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

base::Error system_error(int error_number) {
  return {base::ErrorKind::System, error_text(error_number)};
}

bool is_left_behind(const std::string& path, const Address& address) {
  struct stat status;
  if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const int fd = open_unix_socket();
  if (fd < 0) return false;
  const bool refused = ::connect(fd, address.get(), address.size) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return refused;
}

int bind_or_replace(int fd, const std::string& path, const Address& address) {
  if (::bind(fd, address.get(), address.size) == 0) return 0;
  if (errno != EADDRINUSE || path[0] == '@') return errno;
  if (!is_left_behind(path, address)) return EADDRINUSE;
  if (unlink(path.c_str()) != 0) return errno;
  return ::bind(fd, address.get(), address.size) == 0 ? 0 : errno;
}

base::Status give_to_group(const std::string& path, const std::string& group) {
  std::vector<char> room(16 * 1024);
  struct group entry;
  struct group* found = nullptr;
  const int status = getgrnam_r(group.c_str(), &entry, room.data(), room.size(), &found);
  if (status != 0) return system_error(status);
  if (!found) return base::Error{base::ErrorKind::Config, "no group " + group};
  if (chown(path.c_str(), static_cast<uid_t>(-1), entry.gr_gid) != 0) return system_error(errno);
  return base::ok();
}

base::Status set_access(const std::string& path, const ListenOptions& options) {
  if (!options.group.empty())
    if (auto given = give_to_group(path, options.group); !given) return given.error();
  if (options.mode.empty()) return base::ok();
  char* end = nullptr;
  const unsigned long mode = std::strtoul(options.mode.c_str(), &end, 8);
  if (*end != '\0' || mode > 0777)
    return base::Error{base::ErrorKind::Config,
                       "mode " + options.mode + " is not three octal digits"};
  if (chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) return system_error(errno);
  return base::ok();
}

}  // namespace

SocketFile::~SocketFile() {
  struct stat now;
  if (path_.empty() || lstat(path_.c_str(), &now) != 0) return;
  if (now.st_dev == made_.st_dev && now.st_ino == made_.st_ino) unlink(path_.c_str());
}

base::Result<int> SocketFile::bind(const std::string& path, const ListenOptions& options) {
  auto address = unix_address(path);
  if (!address) return address.error();
  const int fd = open_unix_socket();
  if (fd < 0) return system_error(errno);
  if (const int error_number = bind_or_replace(fd, path, *address); error_number != 0) {
    ::close(fd);
    return system_error(error_number);
  }
  if (path[0] == '@') return fd;
  if (lstat(path.c_str(), &made_) == 0) path_ = path;
  // Nobody can connect before listen(), so the access is right from the first client on.
  if (auto set = set_access(path, options); !set) {
    ::close(fd);
    return set.error();
  }
  return fd;
}

}  // namespace weir::net
