// A socket stands in for the service manager.
#include "app/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

namespace weir::app {
namespace {

class NotifyTest : public ::testing::Test {
 protected:
  void TearDown() override {
    ::unsetenv("NOTIFY_SOCKET");
    if (manager_ >= 0) ::close(manager_);
    if (!file_.empty()) ::unlink(file_.c_str());
  }

  void listen_at(const std::string& name) {
    manager_ = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    ASSERT_EQ(::bind(manager_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    if (name[0] == '/') file_ = name;
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }

  std::string heard() {
    char text[256];
    const ssize_t bytes = ::recv(manager_, text, sizeof text, MSG_DONTWAIT);
    return bytes < 0 ? std::string() : std::string(text, static_cast<size_t>(bytes));
  }

  int manager_ = -1;
  std::string file_;
};

TEST_F(NotifyTest, WithoutAManagerNothingHappens) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(notify("READY=1"));
}

TEST_F(NotifyTest, TellsASocketFile) {
  listen_at("/tmp/weir-notify-" + std::to_string(::getpid()));
  EXPECT_TRUE(notify("READY=1\nSTATUS=runs"));
  EXPECT_EQ(heard(), "READY=1\nSTATUS=runs");
}

TEST_F(NotifyTest, TellsAnAbstractSocket) {
  listen_at("@weir-notify-" + std::to_string(::getpid()));
  EXPECT_TRUE(notify("STOPPING=1"));
  EXPECT_EQ(heard(), "STOPPING=1");
}

TEST_F(NotifyTest, AReloadSaysWhenItBegan) {
  listen_at("@weir-notify-reload-" + std::to_string(::getpid()));
  EXPECT_TRUE(notify(reloading()));
  EXPECT_EQ(heard().rfind("RELOADING=1\nMONOTONIC_USEC=", 0), 0u);
}

TEST_F(NotifyTest, OddNamesAreIgnored) {
  for (const std::string& name :
       {std::string(), std::string("vsock:2:3"), "/" + std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    EXPECT_FALSE(notify("READY=1")) << name;
  }
}

TEST_F(NotifyTest, ADeadManagerIsNoTrouble) {
  ::setenv("NOTIFY_SOCKET", "/tmp/weir-notify-nobody", 1);
  EXPECT_FALSE(notify("READY=1"));
}

}  // namespace
}  // namespace weir::app
