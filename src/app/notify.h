// What the service manager hears: sd_notify's protocol without its library. A datagram of
// NAME=VALUE lines to the unix socket that $NOTIFY_SOCKET names. Without one, nothing happens. Any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace weir::app {

// "READY=1", "STOPPING=1", "STATUS=three pools"; several lines at once with \n between. Says
// whether somebody was told.
bool notify(std::string_view state);

// With `Type=notify-reload` the manager wants the time of the reload, too: between this and
// READY=1.
std::string reloading();

}  // namespace weir::app
