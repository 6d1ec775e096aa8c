// Looking up the addresses of a name, as the system does it (getaddrinfo), on a thread of its own:
// a resolver that hangs delays neither a loop nor the end of the process. Nothing is remembered
// here, that is for the caller.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weir/base/mailbox.h>
#include <weir/base/result.h>

namespace weir::net {

// A look-up under way; destroying it gives up: the callback does not come any more. Destroyed on
// the mailbox's thread, or when that has stopped, and before the mailbox.
class Resolving {
 public:
  virtual ~Resolving() = default;
};

// Numeric addresses without a port, each once, in the system's order; at least one.
using Resolved = base::Result<std::vector<std::string>>;
using ResolveCallback = std::function<void(Resolved)>;

// May be called on any thread. The callback comes once, as a letter.
std::unique_ptr<Resolving> resolve(base::Mailbox& mailbox, const std::string& host,
                                   ResolveCallback done);

bool is_numeric(const std::string& host);  // an address, not a name

}  // namespace weir::net
